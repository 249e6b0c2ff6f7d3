"""One partition's tables as a fold of its log gives them: every row, with every column that a replay computes.

The fold is the workers' own. What a live fold cannot know it is not told either; where the books were filled by a
replay, or an earlier version of the fold has set something aside that this one would not, see `Told`.
"""

from collections import defaultdict, deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from services.ledger.book import Book
from services.ledger.book_rows import Rows
from services.ledger.engine.account import AccrualGroup, Loan, encode_loan, group_id
from services.ledger.messages import Topics
from services.ledger.processor import LedgerPartition
from services.ledger.replay import note
from services.ledger.store.set_aside import date_of
from services.ledger.verify.rows import Tables
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.intake import Hold, hold_of
from shared.streams.ports import Message
from shared.streams.replay import Holds
from shared.streams.unit import Held, Parked, Unit

BATCH = 1000
"""Records in one go. The result does not depend on it."""
NO_LIMIT = 1 << 40
Log = Sequence[tuple[int, bytes]]


class Told(NamedTuple):
    """What a fold is told beforehand, as a replay is: the parkings that were released, the dead letters that were read
    again; and what the books have set aside though this version of the fold would not."""

    holds: Mapping[Hold, str] = {}
    retried: Mapping[int, int] = {}

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells one from another."""
        return tuple(sorted(self.holds.items(), key=str)), tuple(sorted(self.retried.items()))


NOTHING = Told()


@dataclass
class Recomputed:
    """The rows by key. Serves the fold as its own transaction, in the words of `LedgerTransaction`."""

    partition: int
    topics: Topics
    told: Told = NOTHING
    messages_kept: int = 0
    """How many of the last derived messages are wanted."""
    events: dict[int, tuple[str, int | None, date, date]] = field(default_factory=dict)
    """offset → (event id, loan, effective date, booking date)."""
    postings: dict[tuple[int, int, int], tuple[Any, ...]] = field(default_factory=dict)
    """(loan, offset, n) → (debit, credit, amount, currency, effective date, booking date, open from)."""
    states: dict[int, tuple[str, date | None, int | None, bytes]] = field(default_factory=dict)
    """number → (loan id, next action, as of, state). `as_of` of a group is the end of a transaction: None."""
    parked_loans: dict[str, Parked] = field(default_factory=dict)
    parked_events: dict[int, Held] = field(default_factory=dict)
    suspense: dict[int, list[tuple[int, str, int, int]]] = field(default_factory=dict)
    """loan → what waits: (offset, event id, amount, currency)."""
    dead_letters: dict[int, str] = field(default_factory=dict)
    """offset → reason."""
    tried: dict[int, int] = field(default_factory=dict)
    settled: dict[int, str] = field(default_factory=dict)
    conflicts: dict[int, str] = field(default_factory=dict)
    periods: dict[date, int] = field(default_factory=dict)
    """last date → offset of its close."""
    rates: dict[int, tuple[str, date, str]] = field(default_factory=dict)
    """offset → (index, date from which it is in force, annual rate)."""
    accepted: int = 0
    duplicates: int = 0
    resume: int | None = None
    open_date: date | None = None

    def __post_init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=self.messages_kept)
        self._leaves: dict[int, bytes] = {}
        self._offsets: dict[str, int] = {}
        self._of_loan: dict[int, list[int]] = defaultdict(list)
        self._due: dict[int, set[str]] = defaultdict(set)
        self._host = LedgerPartition(
            self.partition,
            topics=self.topics,
            closing_chunk=NO_LIMIT,
            cached_loans=NO_LIMIT,
            holds=self.told.holds,
            retried=self.told.retried,
        )

    def fold(self, log: Log, *, batch: int = BATCH) -> None:
        """Take these records in."""
        for start in range(0, len(log), batch):
            _at_once(self._take(log[start : start + batch]))
        self.open_date = date_of(self._host.open_day)

    def close_up_to(self, offset: int, leaf: bytes, loan: int) -> None:
        """Take in a closing as far as it got: up to the loan of this number."""
        host, day = self._host, self._host.open_day or 0
        host.closing_chunk = sum(
            one.number <= loan and (action := one.next_action()) is not None and action <= day
            for one in host.book.loans.values()
            if one.loan_id not in host.intake.parked
        )
        if host.closing_chunk:
            _at_once(self._take([(offset, leaf)]))
        self.open_date = date_of(host.open_day)

    async def _take(self, stretch: Log) -> None:
        host: Any = self._host
        self._leaves.update(stretch)
        items = [host.decode(record_of(leaf, self.topics.lifecycle)) for _, leaf in stretch]
        known = await self.known([item.event.id for item in items if item.event is not None])
        unit = await host.begin(self, items, known)
        for item in items:
            if not host.take_at_once(item):
                self.resume = await host.take(self, item, None)
        await host.write(self)
        self.accepted += unit.accepted
        self.duplicates += unit.duplicates
        self.messages.extend(unit.messages)
        host.committed(stretch[-1][0] + 1)

    # What a transaction reads -----------------------------------------------------------------------------------------

    async def loans(self, loan_ids: Sequence[str]) -> list[Loan]:  # noqa: ARG002 - the port's
        """Nothing is ever evicted, so an absent loan is unknown."""
        return []

    async def groups(self) -> list[AccrualGroup]:
        """None to load."""
        return []

    async def history(self, numbers: Sequence[int]) -> list[tuple[int, int, date, bytes]]:
        """(loan, offset, effective date, record) of accepted events, in order of offset."""
        return [
            (number, offset, self.events[offset][2], self._leaves[offset])
            for number in sorted(numbers)
            for offset in sorted(self._of_loan.get(number, ()))
        ]

    async def due(self, through: int, day: int, after: int, limit: int) -> list[Loan]:
        """Loans whose next action comes after the ordinal `through` up to `day`, numbers above `after`, in order."""
        loans = self._host.book.loans
        found: dict[int, Loan] = {}
        for key in [key for key in self._due if key <= day]:
            for loan_id in list(self._due[key]):
                loan = loans[loan_id]
                if loan.next_action() != key:
                    self._due[key].discard(loan_id)
                elif key > through and loan.number > after:
                    found[loan.number] = loan
            if not self._due[key]:
                del self._due[key]
        return [found[number] for number in sorted(found)][:limit]

    async def held(self, loan_id: str) -> list[Held]:
        """What is held behind a parked loan, in order."""
        return sorted(held for held in self.parked_events.values() if held.loan_id == loan_id)

    async def dead(self, offset: int) -> tuple[bytes | None, int | None]:
        """(record of an unsettled dead letter, offset of the last retry that left it dead)."""
        if offset not in self.dead_letters or offset in self.settled:
            return None, None
        return self._leaves[offset], self.tried.get(offset)

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Which of these ids are accepted already, with the accepted value."""
        return {i: record_of(self._leaves[self._offsets[i]]).value for i in event_ids if i in self._offsets}

    # What a transaction writes ----------------------------------------------------------------------------------------

    async def write(self, rows: Rows, unit: Unit, book: Book) -> None:
        """Every row of the unit."""
        for offset, event_id, loan, effective, booked, _leaf, _partition in rows.events:
            self.events[offset] = (event_id, loan, effective, booked)
            self._offsets[event_id] = offset
            if loan is not None:
                self._of_loan[loan].append(offset)
        for loan, offset, amount, effective, booked, n, debit, credit, currency, _partition, since in rows.postings:
            self.postings[loan, offset, n] = (debit, credit, amount, currency, effective, booked, since)
        self.periods.update(rows.periods)
        for index, since, rate, offset in rows.rates:
            self.rates[offset] = (index, since, rate)
        self._write_states(rows, book)
        self._write_aside(unit)

    def _write_states(self, rows: Rows, book: Book) -> None:
        for loan in rows.loans.values():
            action = loan.next_action()
            self.states[loan.number] = (loan.loan_id, date_of(action), loan.as_of, encode_loan(loan))
            if action is not None:
                self._due[action].add(loan.loan_id)
        for number in rows.groups:
            group = book.groups[number]
            name = group_id(self.partition, group, code_of(group.currency))
            self.states[number] = (name, None, None, encode_loan(group))
        for loan_id in rows.suspense:
            self.suspense[book.loans[loan_id].number] = list(book.loans[loan_id].waiting)

    def _write_aside(self, unit: Unit) -> None:
        for offset in unit.released:
            self.parked_events.pop(offset, None)
        for loan_id in (*unit.unparked, *unit.parked):
            self.parked_loans.pop(loan_id, None)
        self.parked_loans.update(unit.parked)
        self.parked_events.update({held.offset: held for held in unit.held})
        self.dead_letters.update({dead.offset: dead.reason for dead in unit.dead})
        self.tried.update(unit.tried)
        self.settled.update(unit.settled)
        self.conflicts.update({conflict.offset: conflict.event_id for conflict in unit.conflicts})


def _at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end: nothing in memory waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the fold waited for something")


def told_by(log: Log, tables: Tables, plain: Recomputed) -> Told:
    """What a replay of the log would be told, and what the tables have set aside though `plain` has not: a parked loan
    that holds a record from its first offset on, an open dead letter."""
    found = Holds()
    for _, leaf in log:
        if b"ParkedLoanReleased" in leaf or b"DeadLetterRetried" in leaf:
            note(record_of(leaf), found)
    held = {(row["loan_id"], row["offset"]) for row in tables.parked_events}
    for row in tables.parked_loans:
        loan_id, first = row["loan_id"], row["first_offset"]
        ours = plain.parked_loans.get(loan_id)
        if (loan_id, first) in held and (ours is None or ours.first_offset != first):
            found.released.setdefault(hold_of(first, loan_id, row["reason"]), row["reason"])
    for row in tables.dead_letters:
        if row["settled_by"] is None and row["offset"] not in plain.dead_letters:
            found.retried.setdefault(row["offset"], 0)
    return Told(found.released, found.retried)
