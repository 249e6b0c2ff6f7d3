"""From a record of the log to an event: what is unreadable, and what is readable but not understood (D9).

`read` decides what is what. `read_to_fold` decides nothing of its own: it knows one form by sight, a plain payment as
our writers put it, which nearly every record is, and leaves whatever looks different in any way to `read`.
"""

import re
from datetime import date
from typing import Any, ClassVar

import msgspec
from pydantic import ValidationError

from shared.errors import Refusal
from shared.events.envelope import Envelope
from shared.money import currency, minor_units
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record
from shared.topics import lifecycle_events

_validate = lifecycle_events.validator.validate_json
_TEXT = r"[ !#-\[\]-~]"
"""A character that JSON need not escape."""
_PLAIN_PAYMENT = re.compile(
    r'\{"specversion":"1\.0","id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",'
    rf'"source":"{_TEXT}{{1,200}}","type":"ledger\.PaymentReceived\.v1",'
    r'"subject":"([A-Za-z0-9][A-Za-z0-9._-]{0,63})",'
    r'"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))",'
    rf'"datacontenttype":"application/json",(?:"dataschema":"{_TEXT}{{0,300}}",)?'
    rf'(?:"correlationid":"({_TEXT}{{0,100}})",)?(?:"causationid":"{_TEXT}{{0,100}}",)?'
    rf'(?:"traceparent":"({_TEXT}{{0,100}})",)?'
    r'"data":\{"amount":"((?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,4})?)","currency":"([A-Z]{3})"'
    r'(?:,"reference":"[A-Za-z0-9._:/-]{1,64}")?'
    r'(?:,"receipt":\{"branch":"[a-z0-9][a-z0-9-]{0,31}","number":"[A-Za-z0-9._:/-]{1,35}",'
    rf'"cashier":"{_TEXT}{{1,100}}"\}})?\}}\}}'
).fullmatch
"""`PaymentReceived.to_json` without an effective date. Each attribute is no wider here than in its model."""


class PlainPayment(msgspec.Struct, frozen=True):
    """A payment of an amount above zero minor units, received on the open date: what the fold needs of it."""

    type: ClassVar[str] = "ledger.PaymentReceived.v1"
    effectivedate: ClassVar[date | None] = None

    id: str
    subject: str
    time: str
    correlationid: str | None
    traceparent: str | None
    amount: int
    currency: int
    """ISO 4217 number."""


def read_to_fold(record: Record) -> Envelope | PlainPayment:
    """As `read`, several times quicker for what is a plain payment at first sight."""
    value = record.value
    if value is None or record.headers or (found := _PLAIN_PAYMENT(value.decode("latin-1"))) is None:
        return read(record)
    event_id, subject, time, correlation, trace, amount, code = found.groups()
    try:
        minor = minor_units(amount, code)
    except Refusal:
        return read(record)
    if not minor or record.key != subject.encode():
        return read(record)
    return PlainPayment(event_id, subject, time, correlation, trace, minor, currency(code).number)


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
