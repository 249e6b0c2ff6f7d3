"""What one transaction adds to or changes in the ledger's own tables."""

from dataclasses import dataclass, field
from datetime import date

from services.ledger.engine.account import Loan

EventRow = tuple[int, str, int | None, date, date, bytes, int]
"""offset, event id, loan number, effective date, booking date, record, partition."""
Figures = tuple[Loan, str, int]
"""A changed loan, its account as JSON, and the open date of the change: what a snapshot is made of."""
PostingRow = tuple[int, int, int, date, date, int, int, int, int, int, date]
"""loan, offset, amount, effective date, booking date, n, debit, credit, currency, partition, open from."""
RateRow = tuple[str, date, str, int]
"""index, date from which it is in force, annual rate, offset."""


@dataclass(slots=True)
class Rows:
    """What one transaction adds to or changes in the ledger's own tables."""

    events: list[EventRow] = field(default_factory=list)
    filed: int = 0
    """How many of `events` are in `events_of`, which is brought up to date when it is asked for."""
    events_of: dict[int, list[EventRow]] = field(default_factory=dict)
    postings: list[PostingRow] = field(default_factory=list)
    loans: dict[str, Loan] = field(default_factory=dict)
    groups: set[int] = field(default_factory=set)
    suspense: set[str] = field(default_factory=set)
    periods: list[tuple[date, int]] = field(default_factory=list)
    """Period ends that were closed, with the offset of the close."""
    figures: dict[str, Figures] = field(default_factory=dict)
    rates: list[RateRow] = field(default_factory=list)
    """Published reference rates; of two with the same index and date the later holds."""
    due: dict[int, dict[int, Loan]] = field(default_factory=dict)
    """Changed loans by next action and number: what a later closing of the same transaction asks for."""
    due_through: int = 0
    """The last date whose due loans this transaction has fetched already."""

    def of_loan(self, number: int) -> list[EventRow]:
        """The events of one loan that this transaction has accepted, in order."""
        for event in self.events[self.filed :]:
            if event[2] is not None:
                self.events_of.setdefault(event[2], []).append(event)
        self.filed = len(self.events)
        return self.events_of.get(number, [])
