"""What the checks look at: one partition's tables and its stretch of the log, read whole."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from services.ledger.engine.account import AccrualGroup, Loan, decode_group, decode_loan
from shared.merkle import canonical
from shared.streams.ports import Record

LogReader = Callable[[int, int], AsyncIterator[Sequence[Record]]]
"""(partition, end) → the committed records of [0, end) that the log holds, in order."""


class Finding(NamedTuple):
    """The first bad row of a check: its table, its key, and what is wrong."""

    table: str
    key: Mapping[str, int | str]
    problem: str

    def document(self) -> dict[str, Any]:
        """As it stands in `verify --json`."""
        return {"table": self.table, "key": dict(self.key), "problem": self.problem}


class Event(NamedTuple):
    """A row of `event`."""

    offset: int
    event_id: str
    loan: int | None
    effective: date
    booked: date
    record: bytes


class Posting(NamedTuple):
    """A row of `posting`."""

    loan: int
    offset: int
    n: int
    debit: int
    credit: int
    amount: int
    currency: int
    effective: date
    booked: date


class LoanRow(NamedTuple):
    """A row of `loan`; `state` is None where it can't be decoded."""

    number: int
    loan_id: str
    next_action: date | None
    as_of: int
    state: Loan | AccrualGroup | None


@dataclass(slots=True)
class Tables:
    """Rows of one partition in order of their keys."""

    position: Any
    relay: Any
    events: list[Event]
    postings: list[Posting]
    loans: list[LoanRow]
    parked_loans: list[Any]
    parked_events: list[Any]
    suspense: list[Any]
    dead_letters: list[Any]
    conflicts: list[Any]
    outbox: list[int]


@dataclass
class Books:
    """One partition: its tables, and the log below its position as (offset, canonical record)."""

    partition: int
    partitions: int
    tables: Tables
    log: list[tuple[int, bytes]] = field(default_factory=list)

    def at(self, offset: int) -> dict[str, int | str]:
        """The key of a row that has an offset of its own."""
        return {"partition": self.partition, "offset": offset}

    def of(self, loan_id: str) -> dict[str, int | str]:
        """The key of a loan's row."""
        return {"partition": self.partition, "loan_id": loan_id}

    def line(self, posting: Posting) -> dict[str, int | str]:
        """The key of a posting."""
        return {"partition": self.partition, "loan": posting.loan, "offset": posting.offset, "n": posting.n}

    @cached_property
    def events_by_offset(self) -> dict[int, Event]:
        """Accepted events."""
        return {event.offset: event for event in self.tables.events}

    @cached_property
    def events_by_loan(self) -> dict[int, list[Event]]:
        """Accepted events in the order in which they were folded: a released one on its booking date."""
        found: dict[int, list[Event]] = defaultdict(list)
        for event in sorted(self.tables.events, key=lambda event: (event.booked, event.offset)):
            if event.loan is not None:
                found[event.loan].append(event)
        return found

    @cached_property
    def postings_by_loan(self) -> dict[int, list[Posting]]:
        """Postings of each loan and accrual group, by number."""
        found: dict[int, list[Posting]] = defaultdict(list)
        for posting in self.tables.postings:
            found[posting.loan].append(posting)
        return found

    @cached_property
    def loans(self) -> list[Loan]:
        """The states of loans."""
        return [row.state for row in self.tables.loans if isinstance(row.state, Loan)]

    @cached_property
    def groups(self) -> dict[int, AccrualGroup]:
        """The accrual groups by number."""
        return {row.number: row.state for row in self.tables.loans if isinstance(row.state, AccrualGroup)}

    @cached_property
    def parked_since(self) -> dict[str, date | None]:
        """The business date on which each parked loan stopped."""
        return {row["loan_id"]: row["since"] for row in self.tables.parked_loans}

    @property
    def open_day(self) -> int:
        """The open date's ordinal; 0 where the book is not open."""
        opened: date | None = self.tables.position["open_date"]
        return opened.toordinal() if opened else 0

    def horizon(self, loan: Loan) -> int:
        """The day before which the loan's instalments have fallen due: the open date, or the next one where a closing
        under way has passed the loan; for a parked loan the date on which it parked."""
        if (since := self.parked_since.get(loan.loan_id)) is not None:
            return since.toordinal()
        resume = self.tables.position["resume_loan"]
        return self.open_day + (resume is not None and loan.number <= resume)


_EVENTS = """
SELECT "offset", event_id, loan, effective_date, booking_date, record FROM event WHERE partition = $1 ORDER BY "offset"
"""
_POSTINGS = """
SELECT loan, "offset", n, debit, credit, amount, currency, effective_date, booking_date
FROM posting WHERE partition = $1 ORDER BY loan, "offset", n
"""
_LOANS = "SELECT loan, loan_id, next_action, as_of, state FROM loan WHERE partition = $1 ORDER BY loan"
_OTHERS = {
    "parked_loans": "SELECT * FROM parked_loan WHERE partition = $1 ORDER BY loan_id",
    "parked_events": 'SELECT * FROM parked_event WHERE partition = $1 ORDER BY "offset"',
    "suspense": 'SELECT * FROM suspense WHERE partition = $1 ORDER BY loan, "offset"',
    "dead_letters": 'SELECT * FROM dead_letter WHERE partition = $1 ORDER BY "offset"',
    "conflicts": 'SELECT * FROM conflict WHERE partition = $1 ORDER BY "offset"',
}
_OUTBOX = "SELECT sequence FROM outbox WHERE partition = $1 ORDER BY sequence"


async def read_tables(connection: Any, partition: int) -> Tables:
    """Every row of one partition."""
    others = {name: await connection.fetch(query, partition) for name, query in _OTHERS.items()}
    return Tables(
        position=await connection.fetchrow("SELECT * FROM position WHERE partition = $1", partition),
        relay=await connection.fetchrow("SELECT * FROM relay WHERE partition = $1", partition),
        events=[
            Event(offset, str(event_id), loan, effective, booked, record)
            for offset, event_id, loan, effective, booked, record in await connection.fetch(_EVENTS, partition)
        ],
        postings=[Posting(*row) for row in await connection.fetch(_POSTINGS, partition)],
        loans=[
            LoanRow(number, loan_id, next_action, as_of, _decoded(number, state))
            for number, loan_id, next_action, as_of, state in await connection.fetch(_LOANS, partition)
        ],
        outbox=[row["sequence"] for row in await connection.fetch(_OUTBOX, partition)],
        **others,
    )


def _decoded(number: int, state: bytes) -> Loan | AccrualGroup | None:
    try:
        return decode_group(state) if number < 0 else decode_loan(state)
    except msgspec.MsgspecError:
        return None


async def read_books(connection: Any, partition: int, partitions: int, log: LogReader) -> Books:
    """Tables and log of one partition; the log up to the position that the tables have."""
    books = Books(partition, partitions, await read_tables(connection, partition))
    stored = books.events_by_offset
    async for records in log(partition, books.tables.position["next_offset"]):
        for record in records:
            leaf = canonical(record)
            event = stored.get(record.offset)
            # The stored bytes stand for equal ones of the log, so that memory holds them once.
            books.log.append((record.offset, event.record if event is not None and event.record == leaf else leaf))
    return books
