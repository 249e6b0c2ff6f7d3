"""The host of a `Fold`: what a transaction fetches before it folds a partition of an inbox, and what it writes after.

Implements `shared.streams.positions.Hosted` for the batch processor and `shared.streams.intake.Core` for the intake.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from shared.errors import InvariantBroken
from shared.events.envelope import BOOK, Envelope
from shared.events.inbox import ParkedSubjectReleased
from shared.events.ledger import LedgerDateClosed
from shared.merkle import record_of
from shared.streams.dead_letters import dead_letter, dead_letter_headers
from shared.streams.fold import Context, Fold
from shared.streams.inbox_reading import read
from shared.streams.intake import Hold, Intake, Item, Origin, decode
from shared.streams.ordered_state import require_ordered
from shared.streams.ports import Message, Record
from shared.streams.unit import Parked, Unit

UNKNOWN_DAY = 1
"""Ordinal that stands for the open date before the ledger has told one."""


class Shared(msgspec.Struct):
    """What the borrowers of a partition share: the fold's group, and up to where each ledger partition has closed."""

    closed: dict[int, int]
    """Ledger partition → ordinal of the last date that it closed."""
    group: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_decode_shared = msgspec.msgpack.Decoder(Shared).decode


class SubjectPartition:
    """Fold, states and intake of one partition."""

    def __init__(
        self,
        partition: int,
        *,
        fold: Fold,
        inbox: str,
        dead_letters: str,
        topics: Mapping[str, str],
        partitions: int,
        cached: int = 50_000,
        holds: Mapping[Hold, str] | None = None,
        retried: Mapping[int, int] | None = None,
    ) -> None:
        require_ordered(fold.state_type, fold.group_type)
        self.fold = fold
        self.inbox, self.dead_letters = inbox, dead_letters
        self.intake = Intake(self, holds=holds or {}, retried=retried or {})
        self.context = Context(fold.service, partition, partitions, topics)
        self.cached = cached
        self.states: dict[str, Any] = {}
        self.changed: dict[str, int] = {}
        """Subjects that this transaction changed → offset of the last event that did."""
        self.accepted: list[tuple[int, str, str, int, bytes]] = []
        """(offset, event id, subject, open day, leaf) of this transaction's events."""
        self.closed: dict[int, int] = {}
        self.open_day: int | None = UNKNOWN_DAY
        self._decode_state = msgspec.msgpack.Decoder(fold.state_type).decode
        self._decode_group = msgspec.msgpack.Decoder(fold.group_type).decode

    @property
    def cached_count(self) -> int:
        """States in memory."""
        return len(self.states)

    # Hosted: around a transaction ---------------------------------------------------------------------------------

    def decode(self, record: Record) -> Item:
        """Read a record; whatever is wrong with it comes along."""
        return decode(self, record)

    def forget(self) -> None:
        """Drop every state in memory."""
        self.states.clear()
        self.changed.clear()
        self.accepted.clear()
        self.intake.parked.clear()

    async def load(self, transaction: Any) -> None:
        """Open date, what the borrowers share, and who is parked."""
        self._open(transaction.position.open_day or UNKNOWN_DAY)
        shared = await transaction.shared()
        if shared is None:
            self.closed, self.context.group = {}, self.fold.new_group()
        else:
            stored = _decode_shared(shared)
            self.closed, self.context.group = stored.closed, self._decode_group(stored.group)
        self.intake.parked.clear()
        self.intake.parked.update({parked.loan_id: parked for parked in await transaction.parked()})

    async def begin(self, transaction: Any, items: Sequence[Item], known: Mapping[str, bytes | None] | None) -> Unit:
        """Fetch the borrowers whom the batch names."""
        unit = self.intake.begin(known)
        self.context.messages = unit.messages
        self.context.puts = []
        self.changed, self.accepted = {}, []
        await self._fetch(transaction, {item.event.subject for item in items if item.event is not None})
        return unit

    async def _fetch(self, transaction: Any, subjects: set[str]) -> None:
        missing = sorted(subjects.difference(self.states) - {BOOK})
        for subject, state in await transaction.subjects(missing) if missing else ():
            self.states[subject] = self._decode_state(state)

    def take_at_once(self, item: Item) -> bool:
        """Fold whatever needs nothing more from the store: all but dates that end, and releases."""
        if isinstance(item.event, LedgerDateClosed | ParkedSubjectReleased):
            return False
        self.intake.take(item)
        return True

    async def take(self, transaction: Any, item: Item, resume: int | None) -> int | None:  # noqa: ARG002 - the port's
        """Fold one of the others; always in one transaction."""
        event = item.event
        if isinstance(event, LedgerDateClosed) and item.problem is None:
            if days := self._ending(event):
                for subject, state in await transaction.due(days[-1]):
                    if subject not in self.states:
                        self.states[subject] = self._decode_state(state)
            self.intake.take(item)
        elif isinstance(event, ParkedSubjectReleased) and item.problem is None:
            await self._release(transaction, item, event.subject)
        else:
            self.intake.take(item)
        return None

    async def _release(self, transaction: Any, item: Item, subject: str) -> None:
        unit = self.intake.unit
        stored = [one for one in await transaction.held(subject) if one.offset not in unit.released]
        held = sorted([*stored, *(one for one in unit.held if one.loan_id == subject)])
        items = [self.decode(record_of(one.leaf)) for one in held]
        if self.intake.known is not None:
            ids = [one.event.id for one in items if one.event is not None]
            self.intake.known = {**self.intake.known, **await transaction.known(ids)}
        self.intake.release(item, held, items)

    async def write(self, transaction: Any) -> None:
        """Everything of this transaction."""
        shared = _encode(Shared(self.closed, msgspec.Raw(_encode(self.context.group))))
        await transaction.write(self.fold, self.intake.unit, self.accepted, self._changed(), self.context.puts, shared)

    def _changed(self) -> list[tuple[str, date | None, int, bytes, Any]]:
        """(subject, next action, as of, encoded state, state) of every changed borrower, in order."""
        return [
            (subject, self.fold.next_action(state), offset, _encode(state), state)
            for subject, offset in sorted(self.changed.items())
            for state in (self.states[subject],)
        ]

    def committed(self, next_offset: int) -> None:  # noqa: ARG002 - the port's
        """Let the oldest cached states go."""
        self.changed, self.accepted, self.context.puts = {}, [], []
        for subject in list(self.states)[: max(0, len(self.states) - self.cached)]:
            del self.states[subject]

    # Core: one event ----------------------------------------------------------------------------------------------

    def read(self, record: Record) -> Envelope:
        """The event of a record. Raises Unreadable or NotUnderstood."""
        return read(record, self.fold, self.context.partitions)

    def apply(self, event: Any, origin: Origin) -> None:
        """Fold one event of a borrower; a state that broke a rule is as it was before."""
        if event.type in self.fold.events:
            with self._about(event.subject, event) as state:
                self.fold.apply(state, event, self.context)
            self.changed[event.subject] = origin.offset
        self._accept(event, origin)

    def apply_to_book(self, event: Any, origin: Origin) -> None:
        """Fold one event that concerns the whole partition."""
        context = self.context
        context.about(BOOK, event)
        if isinstance(event, LedgerDateClosed):
            self._close(event, origin)
        elif event.type in self.fold.events:
            self.fold.apply_to_group(event, context)
        self._accept(event, origin)

    def _accept(self, event: Envelope, origin: Origin) -> None:
        self.accepted.append((origin.offset, event.id, event.subject, origin.arrived or UNKNOWN_DAY, origin.leaf))

    def _about(self, subject: str, cause: Envelope) -> "_Undoing":
        if subject not in self.states:
            self.states[subject] = self.fold.new_state(subject)
        self.context.about(subject, cause)
        return _Undoing(self, subject)

    # Dates --------------------------------------------------------------------------------------------------------

    def _through(self, event: LedgerDateClosed) -> int:
        """The last date that every partition of the ledger has closed once `event` is taken in; 0: none yet."""
        closed = self.closed | {event.data.partition: event.data.business_date.toordinal()}
        return min(closed.values()) if len(closed) == event.data.partitions else 0

    def _ending(self, event: LedgerDateClosed) -> list[date]:
        """The dates that end with this event, in order; before the first one there is none to end."""
        through = self._through(event)
        first = self.open_day if self.open_day and self.open_day != UNKNOWN_DAY else through
        return [date.fromordinal(day) for day in range(first, through + 1)] if through else []

    def _close(self, event: LedgerDateClosed, origin: Origin) -> None:
        for day in self._ending(event):
            self.fold.close_group(day, self.context)
            for subject in self._due(day):
                self._close_one(subject, day, event, origin)
            self._open(day.toordinal() + 1)
            self.context.about(BOOK, event)
        self.closed[event.data.partition] = event.data.business_date.toordinal()

    def _close_one(self, subject: str, day: date, event: LedgerDateClosed, origin: Origin) -> None:
        """One borrower's date. A rule that breaks here leaves the borrower as he was, to be tried at the next date."""
        try:
            with self._about(subject, event) as state:
                self.fold.close(state, day, self.context)
        except InvariantBroken as broken:
            self.context.messages.append(self._note(subject, origin.offset, event, f"closing of {day}: {broken}"))
            return
        self.changed[subject] = origin.offset

    def _due(self, day: date) -> Iterator[str]:
        due = [
            subject
            for subject, state in self.states.items()
            if (action := self.fold.next_action(state)) is not None and action <= day
        ]
        return (subject for subject in sorted(due) if subject not in self.intake.parked)

    def _open(self, day: int) -> None:
        self.open_day = day
        self.context.today = None if day == UNKNOWN_DAY else date.fromordinal(day)

    def catch_up(self, loan_id: str, cause: Envelope, origin: Origin) -> None:
        """A released borrower misses what the dates would have done meanwhile: the last one that ended does it."""
        if self.context.today is None or loan_id not in self.states:
            return
        last = date.fromordinal(self.context.today.toordinal() - 1)
        action = self.fold.next_action(self.states[loan_id])
        if action is not None and action <= last:
            with self._about(loan_id, cause) as state:
                self.fold.close(state, last, self.context)
            self.changed[loan_id] = origin.offset

    # What is set aside --------------------------------------------------------------------------------------------

    def parked_message(self, parked: Parked, cause: Envelope) -> Message:
        """For the operators who read the dead letters: a borrower stopped here."""
        return self._note(parked.loan_id, parked.first_offset, cause, f"parked: {parked.reason}")

    def unparked_message(self, parked: Parked, cause: Envelope) -> Message:
        """… and goes on."""
        return self._note(parked.loan_id, parked.first_offset, cause, "released")

    def _note(self, subject: str, offset: int, cause: Envelope, reason: str) -> Message:
        record = Record(self.inbox, self.context.partition, offset, 0, subject.encode(), None)
        headers = (*dead_letter_headers(record, reason, self.inbox), ("lendlog-cause", cause.id.encode()))
        return Message(self.dead_letters, self.context.partition, record.key, None, headers)

    def dead_message(self, record: Record, reason: str) -> Message:
        """An unreadable record, whole."""
        return dead_letter(record, reason, source=self.inbox, topic=self.dead_letters)


class _Undoing:
    """Puts a borrower's state back, and takes back what it left, when a rule was broken while it was folded."""

    __slots__ = ("before", "messages", "partition", "puts", "subject")

    def __init__(self, partition: SubjectPartition, subject: str) -> None:
        self.partition, self.subject = partition, subject

    def __enter__(self) -> Any:
        state = self.partition.states[self.subject]
        self.before = _encode(state)
        self.messages, self.puts = len(self.partition.context.messages), len(self.partition.context.puts)
        return state

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, InvariantBroken):
            partition = self.partition
            partition.states[self.subject] = partition._decode_state(self.before)  # noqa: SLF001 - the same module
            del partition.context.messages[self.messages :], partition.context.puts[self.puts :]
