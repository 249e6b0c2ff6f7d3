"""From a record of an inbox to an event (D5, D9)."""

import msgspec
from pydantic import ValidationError

from shared.events.envelope import BOOK, Envelope
from shared.events.inbox import ParkedSubjectReleased
from shared.events.ledger import LedgerDateClosed
from shared.partitioner import partition_for
from shared.streams.fold import Fold
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record

FROM_OUTSIDE = ("signals.", "market.")
"""Types whose writers are not ours: what their model refuses is a dead letter and stops nobody."""
_KIT: dict[str, type[Envelope]] = {
    model.model_fields["type"].default: model for model in (LedgerDateClosed, ParkedSubjectReleased)
}


class _Peek(msgspec.Struct):
    type: str = ""


_peek = msgspec.json.Decoder(_Peek).decode


def read(record: Record, fold: Fold, partitions: int) -> Envelope:
    """The event of a record, with fields that its model does not know left out.

    A type that the fold does not take in comes as a bare envelope, to be passed over. What concerns no single borrower
    has the subject `book`. Unreadable: no valid CloudEvents envelope, a key that is not its subject or belongs on
    another partition, or something from outside that its model refuses. NotUnderstood: what it refuses of our own.
    """
    if record.value is None:
        raise Unreadable("the record has no value")
    try:
        kind = _peek(record.value).type
    except msgspec.DecodeError as error:
        raise Unreadable(f"no JSON object: {error}") from error
    model = _KIT.get(kind) or fold.events.get(kind) or Envelope
    try:
        event = model.model_validate_json(record.value)
    except ValidationError as error:
        raise _refused(record, kind, error) from error
    if record.key != event.subject.encode():
        raise Unreadable(f"the key is not the subject {event.subject!r}")
    if kind in fold.events and fold.concerns_group(event):
        return event.model_copy(update={"subject": BOOK})
    if event.subject != BOOK and partition_for(record.key, partitions) != record.partition:
        raise Unreadable("the key belongs on another partition")
    return event


def _refused(record: Record, kind: str, error: ValidationError) -> Exception:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    reason = f"{kind}: {'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"[:280]
    try:
        envelope = Envelope.model_validate_json(record.value or b"")
    except ValidationError:
        return Unreadable(f"no valid envelope: {reason}"[:280])
    if record.key != envelope.subject.encode() or kind.startswith(FROM_OUTSIDE):
        return Unreadable(reason)
    return NotUnderstood(envelope, reason)
