"""What becomes of a record: accepted, dropped as a duplicate, set aside as a conflict, held behind a parked loan, dead.

Pure: no I/O, no clock. The domain is behind `Core`; the batch processor hosts both (D7, D9, D10).
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from shared.errors import InvariantBroken
from shared.events.envelope import BOOK, Attributes, Envelope
from shared.merkle import canonical, leaf_hash
from shared.streams.ports import Message, Record
from shared.streams.unit import Conflict, Dead, Held, Parked, Unit


class Unreadable(Exception):
    """No valid envelope, or a key that is not the subject: a dead letter."""


class NotUnderstood(Exception):
    """A valid envelope whose type, version, field or value this engine does not know: its loan parks."""

    def __init__(self, envelope: Envelope, reason: str) -> None:
        super().__init__(reason)
        self.envelope = envelope
        self.reason = reason


class SuspectedDuplicate(Exception):
    """An event is about to park its loan, and nobody has looked yet whether it was accepted before."""


class Origin(msgspec.Struct, frozen=True):
    """Where an accepted event came from, and the ordinal that stands for a missing effective date."""

    offset: int
    event_id: str
    arrived: int
    leaf: bytes
    effective: int


class Hold(NamedTuple):
    """A parking that the log tells of afterwards, by a release: the first held offset, the loan, and the offset of the
    release that found it still broken (None: parked when its record came)."""

    offset: int
    loan_id: str
    again_at: int | None


_AGAIN = re.compile(r" \(again at (\d+)\)$")
REASON_CHARACTERS_MAX = 260
"""With the ending that tells one parking from the next at the same offset, an event's 300."""


def hold_of(first_held_offset: int, loan_id: str, held_reason: str) -> Hold:
    """Which parking a release speaks of."""
    again = _AGAIN.search(held_reason)
    return Hold(first_held_offset, loan_id, int(again[1]) if again else None)


class Core(Protocol):
    """A service's fold over one partition of its log."""

    open_day: int | None

    def read(self, record: Record) -> Attributes:
        """The event of a record. Raises Unreadable or NotUnderstood."""
        ...

    def apply(self, event: Any, origin: Origin) -> None:
        """Fold one event of a loan. Raises InvariantBroken before anything has changed."""
        ...

    def apply_to_book(self, event: Any, origin: Origin) -> None:
        """Fold one event that concerns the whole partition. Raises InvariantBroken likewise."""
        ...

    def catch_up(self, loan_id: str, cause: Any, origin: Origin) -> None:
        """A released loan misses what its dates would have done while it was parked."""
        ...

    def parked_message(self, parked: Parked, cause: Any) -> Message: ...

    def unparked_message(self, parked: Parked, cause: Any) -> Message: ...

    def dead_message(self, record: Record, reason: str) -> Message: ...


class Item(msgspec.Struct, frozen=True):
    """A record, decoded before the fold."""

    record: Record
    event: Attributes | None
    problem: Exception | None


def decode(core: Core, record: Record) -> Item:
    """Read a record; whatever is wrong with it comes along."""
    try:
        return Item(record, core.read(record), None)
    except Unreadable as problem:
        return Item(record, None, problem)
    except NotUnderstood as problem:
        return Item(record, problem.envelope, problem)


class Intake:
    """Classifies the records of one partition and lets the core fold what is accepted."""

    def __init__(self, core: Core, *, holds: Mapping[Hold, str], retried: Mapping[int, int]) -> None:
        """What a replay knows from later in the log; both are empty for a live worker.

        `holds`: a parking that was released → its reason: the loan parks there, whatever the engine knows now.
        `retried`: dead offsets that are read again later → the offset below which no retry succeeds.
        """
        self.core = core
        self.holds = holds
        self.retried = retried
        self.parked: dict[str, Parked] = {}
        self.releasing: Item | None = None
        """The release that is being folded."""
        self.unit = Unit()
        self.known: Mapping[str, bytes | None] | None = None
        """Event ids of this batch that are already accepted, with the accepted value; None: nobody has looked."""

    def begin(self, known: Mapping[str, bytes | None] | None) -> Unit:
        """Start a new transaction's unit."""
        self.unit = Unit()
        self.known = known
        self.releasing = None
        return self.unit

    def take(self, item: Item) -> None:
        """Classify and fold one record (not a release, not a retry: see `release` and `retry`)."""
        record, event = item.record, item.event
        leaf = canonical(record)
        self.unit.leaves.append(leaf_hash(leaf))
        if event is None or record.offset in self.retried:
            self.bury(record, str(item.problem or "held until it is read again"), leaf)
            return
        self._admit(record.offset, record, event, item.problem, leaf, self.core.open_day)

    def _admit(
        self,
        offset: int,
        record: Record,
        event: Attributes,
        problem: Exception | None,
        leaf: bytes,
        arrived: int | None,
    ) -> None:
        """An event with a valid envelope: hold, drop, set aside, fold or park."""
        unit, subject = self.unit, event.subject
        if subject in self.parked:
            unit.held.append(Held(offset, subject, event.id, arrived, leaf))
            return
        if self.is_repeated(offset, event.id, record.value, leaf):
            return
        try:
            if self.holds:
                self._hold(offset, subject)
            if problem is not None:
                raise InvariantBroken(str(problem))
            self._fold(offset, event, leaf, arrived)
        except InvariantBroken as broken:
            if self.known is None:
                raise SuspectedDuplicate from broken
            if subject == BOOK:
                self.bury(record, str(broken), leaf)
            else:
                self._park(Held(offset, subject, event.id, arrived, leaf), event, str(broken))
            return
        unit.seen[event.id] = record.value
        unit.accepted += 1

    def _hold(self, offset: int, loan_id: str) -> None:
        """Break where the log tells of a parking, whatever the engine knows now."""
        again_at = None if self.releasing is None else self.releasing.record.offset
        if (reason := self.holds.get(Hold(offset, loan_id, again_at))) is not None:
            raise InvariantBroken(_AGAIN.sub("", reason))

    def _fold(self, offset: int, event: Attributes, leaf: bytes, arrived: int | None) -> None:
        if event.subject == BOOK:
            self.core.apply_to_book(event, Origin(offset, event.id, arrived or 0, leaf, arrived or 0))
            return
        if arrived is None:
            raise InvariantBroken("the book is not open")
        effective = arrived if event.effectivedate is None else event.effectivedate.toordinal()
        self.core.apply(event, Origin(offset, event.id, arrived, leaf, effective))

    def is_repeated(self, offset: int, event_id: str, value: bytes | None, leaf: bytes) -> bool:
        """Drop and count an event id that was accepted before; another body under it is set aside."""
        seen = self.unit.seen
        if event_id in seen:
            before = seen[event_id]
        elif self.known and event_id in self.known:
            before = self.known[event_id]
        else:
            return False
        if before == value:
            self.unit.duplicates += 1
        else:
            self.unit.conflicts.append(Conflict(offset, event_id, leaf))
        return True

    def accept(self, event_id: str, value: bytes | None, leaf: bytes) -> None:
        """Count a record that the host folded by itself (a closing)."""
        self.unit.leaves.append(leaf_hash(leaf))
        self.unit.seen[event_id] = value
        self.unit.accepted += 1

    def bury(self, record: Record, reason: str, leaf: bytes) -> None:
        """Set a record aside as a dead letter, whole."""
        self.unit.dead.append(Dead(record.offset, reason, leaf))
        self.unit.messages.append(self.core.dead_message(record, reason))

    def _park(self, held: Held, cause: Attributes, reason: str) -> None:
        again = ""
        if self.releasing is not None and self.releasing.event is not None:
            cause = self.releasing.event  # by the record's own id, it would pass for the first parking's repeat
            again = f" (again at {self.releasing.record.offset})"
        parked = Parked(held.loan_id, held.offset, reason[:REASON_CHARACTERS_MAX] + again, self.core.open_day)
        self.parked[held.loan_id] = parked
        self.unit.parked[held.loan_id] = parked
        self.unit.held.append(held)
        self.unit.messages.append(self.core.parked_message(parked, cause))

    def release(self, item: Item, held: list[Held], records: list[Item]) -> None:
        """Fold a parked loan on from its first held record, in order; the first that is still broken parks it again.

        `held` is everything held for the loan, in order of offset; `records` the same, decoded by the engine of now.
        """
        record, event = item.record, item.event
        assert event is not None
        leaf = canonical(record)
        self.unit.leaves.append(leaf_hash(leaf))
        if self.is_repeated(record.offset, event.id, record.value, leaf):
            return
        parked = self.parked.get(event.subject)
        if self.known is None:
            raise SuspectedDuplicate
        data = event.data  # type: ignore[attr-defined]
        wanted = hold_of(data.first_held_offset, event.subject, data.held_reason)
        if parked is None or hold_of(parked.first_offset, parked.loan_id, parked.reason) != wanted:
            self.bury(record, f"the loan is not parked at offset {data.first_held_offset} for that reason", leaf)
            return
        self._accept_on_book(record, event, leaf)
        self._unpark(parked, event)
        self.unit.held = [one for one in self.unit.held if one.loan_id != parked.loan_id]
        self.core.catch_up(event.subject, event, self._origin(record, event, leaf))
        self.releasing = item
        for one, inner in zip(held, records, strict=True):
            self.unit.released.append(one.offset)
            assert inner.event is not None
            if data.discard_first and one.offset == parked.first_offset:
                self.bury(inner.record, f"discarded at its release: {data.reason}", one.leaf)
                continue
            self._admit(
                one.offset, inner.record, inner.event, inner.problem, one.leaf, one.arrived or self.core.open_day
            )
        self.releasing = None

    def _unpark(self, parked: Parked, cause: Attributes) -> None:
        del self.parked[parked.loan_id]
        self.unit.parked.pop(parked.loan_id, None)
        self.unit.unparked.append(parked.loan_id)
        self.unit.messages.append(self.core.unparked_message(parked, cause))

    def retry(self, item: Item, dead: Item | None, leaf_of_dead: bytes | None, tried_at: int | None) -> None:
        """Read a dead letter again with the engine of now, or settle it as replaced. Still unreadable: still dead.

        `tried_at`: the offset of the last retry that left it dead; a retry that does not know of it came too late.
        """
        record, event = item.record, item.event
        assert event is not None
        leaf = canonical(record)
        self.unit.leaves.append(leaf_hash(leaf))
        if self.is_repeated(record.offset, event.id, record.value, leaf):
            return
        if self.known is None:
            raise SuspectedDuplicate
        data = event.data  # type: ignore[attr-defined]
        if dead is None or leaf_of_dead is None:
            self.bury(record, f"there is no open dead letter at offset {data.dead_offset}", leaf)
            return
        if data.tried_at != tried_at:
            self.bury(record, f"the dead letter at offset {data.dead_offset} was last tried at {tried_at}", leaf)
            return
        self._accept_on_book(record, event, leaf)
        too_early = record.offset < self.retried.get(data.dead_offset, 0)
        if data.replaced_by is None and (dead.event is None or dead.event.subject == BOOK or too_early):
            self.unit.tried[data.dead_offset] = record.offset
            return
        self.unit.settled.append((data.dead_offset, data.replaced_by or event.id))
        if data.replaced_by is None:
            assert dead.event is not None
            self._admit(data.dead_offset, dead.record, dead.event, dead.problem, leaf_of_dead, self.core.open_day)

    def _origin(self, record: Record, event: Attributes, leaf: bytes) -> Origin:
        day = self.core.open_day or 0
        return Origin(record.offset, event.id, day, leaf, day)

    def _accept_on_book(self, record: Record, event: Attributes, leaf: bytes) -> None:
        self.core.apply_to_book(event, self._origin(record, event, leaf))
        self.unit.seen[event.id] = record.value
        self.unit.accepted += 1
