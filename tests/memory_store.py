"""The database in memory, behind the processor's and the ledger's own words: rows change at commit or not at all.

`fault(moment)` is called at "begin", "write", "commit" and "committed"; what it raises is what the database would have.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.ledger.book import Book
from services.ledger.book_rows import RateRow, Rows
from services.ledger.digest import Digest, Line
from services.ledger.engine.account import (
    GENERAL_NUMBER,
    AccrualGroup,
    Loan,
    decode_group,
    decode_loan,
    decode_state,
    encode_loan,
    group_id,
)
from services.ledger.store.set_aside import rates_of
from shared.merkle import record_of
from shared.money import code_of
from shared.schedules.resets import Published
from shared.streams.ports import FencedError, Message
from shared.streams.positions import Advance, DuplicateEvents, Position
from shared.streams.unit import Held, Parked, Unit


class MemoryStore:
    """The tables of one partition."""

    def __init__(self, partition: int, fault: Callable[[str], None] = lambda _: None) -> None:
        self.fault = fault
        self.row = Position(partition, 0, 0, None, None, None, 0, b"", 0, None)
        self.events: dict[str, tuple[int, int | None, date, bytes]] = {}
        self.postings: dict[tuple[int, int, int], tuple[Any, ...]] = {}
        self.periods: dict[date, int] = {}
        self.states: dict[int, tuple[str, bytes]] = {}
        self.parked: dict[str, Parked] = {}
        self.held: dict[int, Held] = {}
        self.dead: dict[int, bytes] = {}
        self.tried: dict[int, int] = {}
        self.conflicts: list[str] = []
        self.rates: list[RateRow] = []
        self.outbox: dict[int, list[Message]] = {}

    async def claim(self, partitions: Sequence[int]) -> list[Position]:
        """Epoch + 1."""
        self.row = replace(self.row, epoch=self.row.epoch + 1, halted=None)
        return [replace(self.row)]

    async def position(self, partition: int) -> Position:
        """As committed."""
        self.fault("position")
        return replace(self.row)

    async def halt(self, partition: int, reason: str) -> None:
        """Note it."""
        self.row = replace(self.row, halted=reason)

    @asynccontextmanager
    async def transaction(self, partition: int, epoch: int) -> AsyncIterator["MemoryTransaction"]:
        """What it writes becomes visible at its end."""
        self.fault("begin")
        if self.row.epoch != epoch:
            raise FencedError("another epoch")
        transaction = MemoryTransaction(self)
        yield transaction
        self.fault("commit")
        for step in transaction.steps:
            step()
        self.fault("committed")

    def digest(self) -> Digest:
        """What the digest is made of."""
        digest = Digest()
        ids = {event[0]: event_id for event_id, event in self.events.items()}
        lines: dict[int, list[Line]] = {}
        for (loan, offset, _), row in sorted(self.postings.items()):
            _, _, amount, effective, booking, _, debit, credit, currency, _, since = row
            line = Line(ids[offset], debit, credit, amount, currency, effective, booking, since)
            lines.setdefault(loan, []).append(line)
        for number, (loan_id, state) in self.states.items():
            digest.add(loan_id, decode_state(number, state), lines.get(number, []))
        digest.events = len(self.events)
        digest.periods.extend(map(str, self.periods))
        for index, since, rate, offset in self.rates:
            digest.add_rate(ids[offset], index, since, rate)
        digest.parked.extend(held.event_id for held in self.held.values())
        for leaf in self.dead.values():
            digest.add_dead(leaf)
        return digest

    def loans(self) -> list[Loan]:
        """Every loan's state."""
        return [decode_loan(state) for number, (_, state) in self.states.items() if number >= GENERAL_NUMBER]

    def groups(self) -> list[AccrualGroup]:
        """Every accrual group's state."""
        return [decode_group(state) for number, (_, state) in sorted(self.states.items()) if number < GENERAL_NUMBER]

    def derived(self) -> list[bytes]:
        """Every message's value, in order."""
        return [message.value or b"" for sequence in sorted(self.outbox) for message in self.outbox[sequence]]


class MemoryTransaction:
    """One transaction: reads what is committed, keeps its changes as steps."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.position = replace(store.row)
        self.steps: list[Callable[[], None]] = []

    async def loans(self, loan_ids: Sequence[str]) -> list[Loan]:
        """Stored states of these loans."""
        return [loan for loan in self.store.loans() if loan.loan_id in set(loan_ids)]

    async def groups(self) -> list[AccrualGroup]:
        """The accrual groups."""
        return self.store.groups()

    async def open_from(self) -> date:
        """The first date of the periods that are open."""
        return max((end + timedelta(days=1) for end in self.store.periods), default=date.min)

    async def rates(self) -> dict[str, Published]:
        """What was published of reference rates."""
        return rates_of(self.store.rates)

    async def due(self, through: int, day: int, after: int, limit: int) -> list[Loan]:
        """Loans due after `through` up to `day`, numbers above `after`, in order."""
        found = sorted(self.store.loans(), key=lambda loan: loan.number)
        return [
            loan
            for loan in found
            if (action := loan.next_action()) is not None and through < action <= day and loan.number > after
        ][:limit]

    async def history(self, numbers: Sequence[int]) -> list[tuple[int, int, date, bytes]]:
        """Accepted events of these loans."""
        return sorted((e[1], e[0], e[2], e[3]) for e in self.store.events.values() if e[1] in numbers)  # type: ignore[type-var, return-value]

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Accepted values of these ids."""
        return {i: record_of(self.store.events[i][3]).value for i in event_ids if i in self.store.events}

    async def parked(self) -> list[Parked]:
        """Parked loans."""
        return list(self.store.parked.values())

    async def held(self, loan_id: str) -> list[Held]:
        """What is held behind one, in order."""
        return sorted(held for held in self.store.held.values() if held.loan_id == loan_id)

    async def dead(self, offset: int) -> tuple[bytes | None, int | None]:
        """An unsettled dead letter, and its last retry."""
        return self.store.dead.get(offset), self.store.tried.get(offset)

    async def write(self, rows: Rows, unit: Unit, book: Book) -> None:
        """The unit's rows."""
        store = self.store
        store.fault("write")
        if any(event[1] in store.events for event in rows.events):
            raise DuplicateEvents
        events = {e[1]: (e[0], e[2], e[3], e[5]) for e in rows.events}
        assert len(events) == len(rows.events)
        postings = {(row[0], row[1], row[5]): row for row in rows.postings}
        states = {loan.number: (loan.loan_id, encode_loan(loan)) for loan in rows.loans.values()}
        for number in rows.groups:
            group = book.groups[number]
            states[number] = (group_id(book.partition, group, code_of(group.currency)), encode_loan(group))
        self.steps += [lambda: store.events.update(events), lambda: store.states.update(states)]
        periods, published = dict(rows.periods), list(rows.rates)
        self.steps += [lambda: store.postings.update(postings), lambda: store.periods.update(periods)]
        self.steps += [lambda: store.rates.extend(published), lambda: self._aside(unit)]

    def _aside(self, unit: Unit) -> None:
        store = self.store
        for offset in unit.released:
            store.held.pop(offset, None)
        for loan_id in (*unit.unparked, *unit.parked):
            store.parked.pop(loan_id, None)
        store.parked.update(unit.parked)
        store.held.update({held.offset: held for held in unit.held})
        store.dead.update({dead.offset: dead.leaf for dead in unit.dead})
        store.tried.update(unit.tried)
        for offset, _ in unit.settled:
            store.dead.pop(offset, None)
        store.conflicts.extend(conflict.event_id for conflict in unit.conflicts)

    async def advance(self, step: Advance) -> None:
        """The position row and the outbox."""
        row = self.store.row
        moved = replace(
            row, next_offset=step.next_offset, resume=step.resume, last_offset=step.last_offset,
            last_leaf=step.last_leaf, tree_size=step.tree_size, frontier=step.frontier,
            outbox_next=step.outbox_next, open_day=step.open_day,
        )  # fmt: skip
        outgoing = list(step.messages)

        def apply() -> None:
            self.store.row = moved
            if outgoing:
                assert row.outbox_next not in self.store.outbox
                self.store.outbox[row.outbox_next] = outgoing

        self.steps.append(apply)
