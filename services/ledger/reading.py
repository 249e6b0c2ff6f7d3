"""From a record of the log to an event: what is unreadable, and what is readable but not understood (D9)."""

from typing import Any

from pydantic import ValidationError

from shared.events.envelope import Envelope
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record
from shared.topics import lifecycle_events

_validate = lifecycle_events.validator.validate_json


def read(record: Record) -> Envelope:
    """The event of a record of `loans.lifecycle.v1`.

    Unreadable: no valid CloudEvents envelope, or a key that is not its subject. NotUnderstood: an unknown type,
    version, field or value, which may come from a newer writer. Structured and binary mode are both read.
    """
    value = record.value
    if value is None:
        raise Unreadable("the record has no value")
    if record.headers and any(name == "ce_id" for name, _ in record.headers):
        value = _structured(record)
    try:
        event: Envelope = _validate(value, extra="forbid")
    except ValidationError as error:
        return _not_an_event(record, value, error)
    if record.key != event.subject.encode():
        raise Unreadable(f"the key is not the subject {event.subject!r}")
    return event


def _not_an_event(record: Record, value: bytes, error: ValidationError) -> Envelope:
    """Tell an envelope with something unknown inside from something that is no envelope at all."""
    try:
        envelope = Envelope.model_validate_json(value)
    except ValidationError as broken:
        raise Unreadable(f"no valid envelope: {_first(broken)}") from broken
    if record.key != envelope.subject.encode():
        raise Unreadable(f"the key is not the subject {envelope.subject!r}") from error
    raise NotUnderstood(envelope, f"{envelope.type}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first problem, in words that hold no value (values may be anyone's)."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = [
        str(step) for step in first["loc"] if "." not in str(step)
    ]  # the union's tag is the event type, said already
    return f"{'.'.join(path) or 'the whole'}: {first['msg']}"[:280]


def _structured(record: Record) -> bytes:
    """A binary-mode event (CloudEvents Kafka binding 3.2) as the structured JSON that the rest of the code reads."""
    import json

    attributes: dict[str, Any] = {}
    for name, content in record.headers:
        if name.startswith("ce_"):
            attributes[name[3:]] = (content or b"").decode(errors="replace")
        elif name.lower() == "content-type":
            attributes["datacontenttype"] = (content or b"").decode(errors="replace").split(";")[0].strip()
    try:
        attributes["data"] = json.loads(record.value or b"null")
        return json.dumps(attributes).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable("binary mode: the value is not JSON") from error
