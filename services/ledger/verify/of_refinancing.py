"""A check across partitions: a refinancing has two sides, of two loans, and both stand or neither.

Then refinancing clearing is zero over the book, since each loan's postings are those of its facts (`folds`). The two
loans may be on two partitions, of which one is ahead. They are told apart for certain once each partition has closed
the date on which the other's loan was changed last: whatever was recorded together is in the log before that closing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from services.ledger.commands.refinancing import refinanced
from services.ledger.fact_reading import stored_facts
from services.ledger.verify.rows import Books, Finding
from shared.errors import InvariantBroken
from shared.merkle import record_of
from shared.partitioner import partition_for
from shared.streams.intake import NotUnderstood, Unreadable

NAME = "refinancings"
_MARKS = (b'"settles"', b'"refinanced_by"')


class Side(NamedTuple):
    """What stands of a refinancing in one loan: the id of the disbursement, the loan, the other loan, and what goes
    through clearing (credits positive, in minor units)."""

    disbursement_id: str
    loan_id: str
    other: str
    amount: int


@dataclass(slots=True)
class Refinancings:
    """What is gathered from the partitions."""

    sides: list[Side] = field(default_factory=list)
    changed: dict[str, date] = field(default_factory=dict)
    """When a loan was changed last that ever was in a refinancing."""
    open_dates: list[date | None] = field(default_factory=list)
    """By partition."""
    parked: set[str] = field(default_factory=set)


def take(found: Refinancings, books: Books) -> None:
    """Gather what the next partition has."""
    found.open_dates.append(books.tables.position["open_date"])
    found.parked.update(row["loan_id"] for row in books.tables.parked_loans)
    for loan in books.loans:
        events = books.events_by_loan.get(loan.number, [])
        if not any(mark in event.record for event in events for mark in _MARKS):
            continue
        try:
            stored = ((event.offset, event.effective, record_of(event.record)) for event in events)
            facts = stored_facts(stored, books.rates)
        except (InvariantBroken, NotUnderstood, Unreadable):
            continue  # `folds` names the loan
        found.changed[loan.loan_id] = max(event.booked for event in events)
        for disbursement_id, other, amount in filter(None, map(refinanced, facts)):
            found.sides.append(Side(disbursement_id, loan.loan_id, other, amount))


def one_sided(found: Refinancings) -> Iterator[Finding]:
    """Sides whose other one does not stand, though it must be in the books by now; of a parked loan it may be held."""
    sums: Counter[str] = Counter()
    for side in found.sides:
        sums[side.disbursement_id] += side.amount
    partitions = len(found.open_dates)
    for side in found.sides:
        if not sums[side.disbursement_id] or found.parked & {side.loan_id, side.other}:
            continue
        here, there = (partition_for(loan_id.encode(), partitions) for loan_id in (side.loan_id, side.other))
        if _closed(found, there, side.loan_id) and _closed(found, here, side.other):
            problem = f"a refinancing with loan {side.other} stands here and not there"
            yield Finding("loan", {"partition": here, "loan_id": side.loan_id}, problem)


def _closed(found: Refinancings, partition: int, loan_id: str) -> bool:
    """Whether the partition has closed the date on which the loan was changed last, if it ever was in a refinancing."""
    opened, changed = found.open_dates[partition], found.changed.get(loan_id)
    return changed is None or (opened is not None and opened > changed)
