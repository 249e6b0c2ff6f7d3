"""What the checks look at: one partition's tables and its stretch of the log, read whole."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from services.ledger.engine.account import AccrualGroup, Loan
from services.ledger.proofs.heads_check import SignedHeads
from services.ledger.store.set_aside import rates_of
from shared.merkle import Tree
from shared.schedules.resets import Rates
from shared.streams.ports import Record


class LogReader(Protocol):
    """Gives the committed records of [start, end) of a partition that the log holds, in order."""

    def __call__(self, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Record]]: ...


class Mark(NamedTuple):
    """Where a partition was when it was audited."""

    next_offset: int
    last_offset: int | None
    last_leaf: bytes | None
    tree_size: int
    tree_frontier: bytes

    @classmethod
    def of(cls, position: Any) -> "Mark":
        """Of a position row."""
        return cls(*(position[name] for name in cls._fields))

    def document(self) -> list[Any]:
        """As JSON keeps it."""
        leaf = None if self.last_leaf is None else self.last_leaf.hex()
        return [self.next_offset, self.last_offset, leaf, self.tree_size, self.tree_frontier.hex()]

    @classmethod
    def read(cls, kept: list[Any]) -> "Mark":
        """What `document` gave."""
        following, last, leaf, size, frontier = kept
        return cls(following, last, None if leaf is None else bytes.fromhex(leaf), size, bytes.fromhex(frontier))


UNFINISHED = "the check could not be finished"
"""How the problem begins of a finding that names no row."""


class Finding(NamedTuple):
    """The first bad row of a check: its table, its key, and what is wrong."""

    table: str
    key: Mapping[str, int | str]
    problem: str
    column: str | None = None
    """The bad column, where the rest of the row is right."""

    def document(self) -> dict[str, Any]:
        """As it stands in `verify --json`."""
        column = {} if self.column is None else {"column": self.column}
        return {"table": self.table, "key": dict(self.key), **column, "problem": self.problem}


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
    open_from: date = date.min


class LoanRow(NamedTuple):
    """A row of `loan`; `state` is None where it can't be decoded. `raw`: its bytes."""

    number: int
    loan_id: str
    next_action: date | None
    as_of: int
    state: Loan | AccrualGroup | None
    raw: bytes = b""


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
    reference_rates: list[Any]
    outbox: list[Any]
    periods: list[Any] = field(default_factory=list)


@dataclass
class Books:
    """One partition: its tables, and the log below its position as (offset, canonical record)."""

    partition: int
    partitions: int
    tables: Tables
    log: list[tuple[int, bytes]] = field(default_factory=list)
    mark: Mark | None = None
    """Where the last audit ended, if these are only the rows that were touched since."""
    following: bytes | None = None
    """The record at the position, where a closing is under way there."""
    prefix: str | None = None
    """What stands before the names of topics; None: not known."""
    signed: SignedHeads | None = None
    """The heads that were signed of the log; None: they are not looked at."""
    held: Mapping[str, Collection[int]] = field(default_factory=dict)
    """Partitions of which each table holds rows; empty: nobody has looked."""
    folds: dict[Any, Any] = field(default_factory=dict)
    """What was recomputed of the log already, by what the fold was told (see `of_replay`)."""
    compared: Any = None
    """The fold that these tables agree with best, and where they differ (see `of_replay`)."""

    def at(self, offset: int) -> dict[str, int | str]:
        """The key of a row that has an offset of its own."""
        return {"partition": self.partition, "offset": offset}

    def of(self, loan_id: str) -> dict[str, int | str]:
        """The key of a loan's row."""
        return {"partition": self.partition, "loan_id": loan_id}

    def line(self, posting: Posting) -> dict[str, int | str]:
        """The key of a posting."""
        return {"partition": self.partition, "loan": posting.loan, "offset": posting.offset, "n": posting.n}

    @property
    def start(self) -> int:
        """The offset from which on the log is here."""
        return 0 if self.mark is None else self.mark.next_offset

    def tree_before(self) -> Tree:
        """The tree of the records before those that are here."""
        return Tree() if self.mark is None else Tree(self.mark.tree_size, self.mark.tree_frontier)

    @cached_property
    def events_by_offset(self) -> dict[int, Event]:
        """Accepted events."""
        return {event.offset: event for event in self.tables.events}

    @cached_property
    def sound_events(self) -> list[Event]:
        """Accepted events whose record is not another than the log's: it can be read. `records` names the others."""
        log = dict(self.log)
        return [event for event in self.tables.events if log.get(event.offset, event.record) == event.record]

    @cached_property
    def events_by_loan(self) -> dict[int, list[Event]]:
        """Accepted events in the order in which they were folded: a released one on its booking date."""
        found: dict[int, list[Event]] = defaultdict(list)
        for event in sorted(self.sound_events, key=lambda event: (event.booked, event.offset)):
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
    def rates(self) -> Rates:
        """What was published of reference rates."""
        return rates_of(
            (row["rate_index"], row["from_date"], row["annual_rate"], row["offset"])
            for row in self.tables.reference_rates
        )

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
        resume: int | None = self.tables.position["resume_loan"]
        return self.open_day + (resume is not None and loan.number <= resume)
