"""The check of a proof file by someone who has nothing else but the book's public key: no server, no folder.

What it shows: these records stand at these places of the log whose head the lender signed. What it does not: that they
are all of the loan's, nor that nobody was shown another head, which is what witnesses are for.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from services.ledger.proofs.loan_proof import FORMAT, rendered
from services.ledger.reading import read
from shared.checkpoint import Checkpoint, verify_cosignature
from shared.errors import Refusal
from shared.events.ledger import BookOpened, BusinessDateClosed
from shared.key_rotation import Accepted, accepted_keys, verify_head
from shared.merkle import canonical, leaf_hash, record_of
from shared.proofs import verify_consistency, verify_inclusion
from shared.signed_note import Note, VerifierKey, decoded, parse_note
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record

BYTES_MAX = 64 << 20


class NotAProof(Refusal):
    """This is not a proof file."""


class OtherLoan(Refusal):
    """A record is not one of the loan."""


class OtherHead(Refusal):
    """The proof does not start at the head that was kept."""


@dataclass(frozen=True, slots=True)
class ProvedEvent:
    """One record that was proved: its place in the tree, and what it says of itself."""

    index: int
    type: str
    effective: str
    """The value date; where the event has none, the day on which it was recorded."""
    amount: str


@dataclass(frozen=True, slots=True)
class Proved:
    """What a file proved."""

    loan_id: str
    head: Checkpoint
    key_id: str
    events: Sequence[ProvedEvent]
    closed: date | None
    """The last business date whose close stands in the tree with the records."""
    opened: date | None
    """Where no date was closed yet: the date on which the book opened."""
    witnessed: datetime | None
    continues: int | None
    """The size of the earlier head that this one continues."""

    def document(self) -> dict[str, Any]:
        """As `proof check --json` prints it."""
        return {
            "proved": True,
            "loan_id": self.loan_id,
            "origin": self.head.origin,
            "size": self.head.size,
            "key_id": self.key_id,
            "closed_through": self.closed.isoformat() if self.closed else None,
            "opened_on": self.opened.isoformat() if self.opened else None,
            "witnessed_at": self.witnessed.isoformat() if self.witnessed else None,
            "continues": self.continues,
            "events": [
                {"index": event.index, "type": event.type, "effective_date": event.effective, "amount": event.amount}
                for event in self.events
            ],
        }


def check(
    content: bytes,
    key: VerifierKey,
    *,
    witness: VerifierKey | None = None,
    kept: Note | None = None,
    rotations: Sequence[Note] = (),
) -> Proved:
    """What the file proves to someone who trusts `key`, the book's.

    `witness`: a key whose signature below the head is asked for; `kept`: a head that this one must be shown to
    continue; `rotations`: of the key, beside those of the file. Raises a refusal named after what is wrong.
    """
    document = _parsed(content)
    stated = [parse_note(text) for text in _texts(document["rotations"])]
    keys = accepted_keys(key, [*stated, *(note for note in rotations if note not in stated)])
    note = parse_note(_text(document["head"]))
    head = verify_head(note, keys)
    witnessed = datetime.fromtimestamp(verify_cosignature(note, witness), UTC) if witness else None
    events = [_event(document["loan_id"], *_included(one, head)) for one in _entries(document["records"])]
    if [event.index for event in events] != sorted({event.index for event in events}):
        raise NotAProof("The records are not in the order of the log, each once.", field="records")
    closed, opened = _dates(document["calendar"], head)
    continues = _continued(document["earlier"], head, keys, kept)
    _require_whole(document, content)
    return Proved(document["loan_id"], head, _key_id(note, keys, head), events, closed, opened, witnessed, continues)


def _parsed(content: bytes) -> dict[str, Any]:
    names = {"format", "loan_id", "head", "rotations", "records", "calendar", "earlier", "sha256"}
    try:
        document = json.loads(content) if len(content) <= BYTES_MAX else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.keys() != names or document["format"] != FORMAT:
        raise NotAProof(f"A proof is a JSON document of the format {FORMAT}.", field="format")
    _text(document["loan_id"])
    return document


def _require_whole(document: dict[str, Any], content: bytes) -> None:
    """What no signature covers (names, spaces, signatures of witnesses that nobody asked for) is covered by a hash."""
    if rendered({name: value for name, value in document.items() if name != "sha256"}).encode() != content:
        raise NotAProof("The file was changed after it was made.", field="sha256")


def _included(entry: dict[str, Any], head: Checkpoint) -> tuple[int, Record]:
    leaf, index = decoded(_text(entry["record"])), entry["index"]
    if leaf is None or not isinstance(index, int) or isinstance(index, bool):
        raise NotAProof("A record has its place as a number and its bytes in base64.", field="records")
    path = [decoded(text) or b"" for text in _texts(entry["path"])]
    verify_inclusion(leaf_hash(leaf), index=index, size=head.size, path=path, root=head.root)
    try:
        record = record_of(leaf)
    except (struct.error, UnicodeError, ValueError, IndexError):
        raise NotAProof("A proved leaf is not a record.", field="records") from None
    if canonical(record) != leaf or record.partition != head.partition:
        raise NotAProof("A proved leaf is not a record of the head's partition.", field="records")
    return index, record


def _event(loan_id: str, index: int, record: Record) -> ProvedEvent:
    if record.key != loan_id.encode():
        raise OtherLoan(f"Record {index} is not one of loan {loan_id}.", field="loan_id")
    recorded = _day_of(record.timestamp)
    try:
        event: Any = read(record)
    except (NotUnderstood, Unreadable):
        return ProvedEvent(index, "(of a later version)", recorded, "")
    amount, currency = getattr(event.data, "amount", None), getattr(event.data, "currency", None)
    effective = event.effectivedate.isoformat() if event.effectivedate else recorded
    return ProvedEvent(index, event.type, effective, f"{amount} {currency}" if amount and currency else "")


def _day_of(milliseconds: int) -> str:
    """The day (UTC) of a broker's timestamp, which may be anything."""
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def _dates(entry: Any, head: Checkpoint) -> tuple[date | None, date | None]:
    """(date closed, date opened) of the proved opening or closing."""
    if entry is None:
        return None, None
    (one,) = _entries([entry])
    _, record = _included(one, head)
    try:
        event: Any = read(record)
    except (NotUnderstood, Unreadable):
        event = None
    match event:
        case BusinessDateClosed():
            return event.data.business_date, None
        case BookOpened():
            return None, event.data.business_date
        case _:
            raise NotAProof("The record of the calendar is no opening and no closing.", field="calendar")


def _continued(entry: Any, head: Checkpoint, keys: Sequence[Accepted], kept: Note | None) -> int | None:
    if entry is None:
        if kept is not None:
            raise OtherHead("The file does not show that its head continues the one that was kept.", field="since")
        return None
    if not isinstance(entry, dict) or entry.keys() != {"head", "path"}:
        raise NotAProof("An earlier head stands with the proof that it is continued.", field="earlier")
    note = parse_note(_text(entry["head"]))
    earlier = verify_head(note, keys)
    if earlier.origin != head.origin or (kept is not None and kept.text != note.text):
        raise OtherHead("The earlier head is not the one that was kept.", field="since")
    path = [decoded(text) or b"" for text in _texts(entry["path"])]
    verify_consistency(old=earlier.size, old_root=earlier.root, new=head.size, new_root=head.root, path=path)
    return earlier.size


def _key_id(note: Note, keys: Sequence[Accepted], head: Checkpoint) -> str:
    """Of the book's key that signed the head, as `proof key` prints it."""
    signed = (
        one.key for one in reversed(keys) if note.signatures_of(VerifierKey(head.origin, one.key.kind, one.key.public))
    )
    return next(signed).key_id.hex()


def _entries(value: Any) -> list[dict[str, Any]]:
    if (
        not isinstance(value, list)
        or not value
        or any(not isinstance(one, dict) or one.keys() != {"index", "record", "path"} for one in value)
    ):
        raise NotAProof("A proof has records, each with its place and its path.", field="records")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise NotAProof("A list of texts is missing.", field="format")
    return [_text(one) for one in value]


def _text(value: Any) -> str:
    if not isinstance(value, str) or any("\ud800" <= one <= "\udfff" for one in value):
        raise NotAProof("A text is missing.", field="format")
    return value
