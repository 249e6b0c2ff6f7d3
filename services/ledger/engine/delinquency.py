"""Delinquency of a loan and of each instalment on a date: since when, how many days, how much.

Days past due count from the oldest due date with something unpaid. Delinquent days are fewer: the loan's by the terms'
grace, both by the days of every pause up to the date, wherever they lie (as Apache Fineract counts: a pause sets
delinquency back by its length). Amounts in minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.ledger.engine.account import WRITTEN_OFF
from services.ledger.engine.facts import Fact, key_of
from services.ledger.engine.folding import service


@dataclass(frozen=True, slots=True)
class Overdue:
    """One instalment past its due date: unpaid `amount`, days past due, and those less the paused days."""

    due: date
    amount: int
    past_due_days: int
    delinquent_days: int


@dataclass(frozen=True, slots=True)
class Delinquency:
    """A loan's delinquency on a date; days are 0 and dates None where nothing is past due."""

    past_due_since: date | None
    past_due_days: int
    past_due_amount: int
    delinquent_since: date | None
    delinquent_days: int
    delinquent_amount: int
    paused: bool
    instalments: tuple[Overdue, ...]


def delinquency(loan_id: str, facts: Sequence[Fact], *, on: int) -> Delinquency:
    """The delinquency of a loan on the ordinal `on`, from its facts with a value date up to then."""
    known = [fact for fact in facts if key_of(fact) <= 2 * on]
    servicing = service(0, loan_id, known, before=on)
    loan, terms = servicing.loan, servicing.terms
    grace = terms.arrears_grace_days if terms is not None else 0
    paused = sum(min(end, on) - start for start, end in loan.pauses if start < on)
    overdue: list[Overdue] = []
    if loan.status != WRITTEN_OFF:
        for k in range(loan.first_open, len(loan.due)):
            due = loan.due[k]
            if due < on and (amount := loan.unpaid(k)):
                overdue.append(Overdue(date.fromordinal(due), amount, on - due, max(0, on - due - paused)))
    oldest = overdue[0] if overdue else None
    days = max(0, oldest.past_due_days - grace - paused) if oldest else 0
    return Delinquency(
        past_due_since=oldest.due if oldest else None,
        past_due_days=oldest.past_due_days if oldest else 0,
        past_due_amount=sum(one.amount for one in overdue),
        delinquent_since=date.fromordinal(oldest.due.toordinal() + grace) if oldest and days else None,
        delinquent_days=days,
        delinquent_amount=sum(one.amount for one in overdue) if days else 0,
        paused=any(start <= on <= end for start, end in loan.pauses),
        instalments=tuple(overdue),
    )
