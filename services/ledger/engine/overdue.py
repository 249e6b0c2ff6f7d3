"""Penalty interest: what an instalment costs that is not paid when it is due (see `PenaltyInterest` in the terms).

It is exact: for each instalment a fraction grows day by day with what is overdue, and is rounded once for what is
charged of it in all. It is booked when the loan is looked at: when a fact arrives, when an instalment falls due.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from services.ledger.engine.account import INTEREST, PENALTY, PRINCIPAL
from services.ledger.engine.accounts import PENALTIES_RECEIVABLE, PENALTY_INCOME
from services.ledger.engine.charges import agreed, agreed_id
from services.ledger.engine.journal import post
from services.ledger.engine.rows import Row
from shared.events.terms import PenaltyInterest
from shared.money import divide
from shared.schedules.accrual import exact_rate

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing

NAME = "penalty-interest"


def grow(s: Servicing, terms: PenaltyInterest, until: int) -> None:
    """Let penalty interest grow over the days from the last one counted up to the ordinal `until`, without it."""
    since, s.overdue_until = s.overdue_until, max(s.overdue_until, until)
    if until <= since or s.loan.charged_off:
        return
    late = [row for row in s.rows.take(s.loan) if row.due < until and (row.left[PRINCIPAL] or row.left[INTEREST])]
    rate, scale = exact_rate(terms.annual_rate)
    year = scale * (360 if terms.day_count == "actual/360" else 365)
    changed = False
    for n, row in enumerate(late):
        first = row.due + (terms.grace_days if terms.grace == "after-grace" else 0)
        days = until - max(since, first)
        if days > 0:
            base = _base(s, terms, row, oldest=n == 0)
            s.overdue[row.key] = s.overdue.get(row.key, Fraction()) + Fraction(base * rate * days, year)
        if until > row.due + terms.grace_days:
            changed |= _charge(s, terms, row, until - 1)
    if changed:
        s.rows.put(s.loan, s.rows.take(s.loan), until)


def _base(s: Servicing, terms: PenaltyInterest, row: Row, *, oldest: bool) -> int:
    match terms.base:
        case "overdue-principal":
            return row.left[PRINCIPAL]
        case "overdue":
            return row.left[PRINCIPAL] + row.left[INTEREST]
        case "outstanding-principal":
            return s.loan.principal_outstanding if oldest else 0


def _charge(s: Servicing, terms: PenaltyInterest, row: Row, day: int) -> bool:
    """Bring the charge of one instalment up to what has grown; whether it changed."""
    assert s.terms is not None
    loan = s.loan
    grown = s.overdue.get(row.key, Fraction())
    whole = divide(grown.numerator, grown.denominator, s.terms.rounding)
    what = f"{NAME}/{row.kind}/{row.number}"
    charge_id = agreed_id(s, what)
    charge = next((one for one in loan.charges if one.event_id == charge_id), None)
    more = whole - (charge.amount if charge is not None else 0)
    if terms.cap is not None:
        share, scale = exact_rate(terms.cap)
        room = divide(loan.principal * share, scale, s.terms.rounding)
        more = min(more, room - sum(one.amount for one in loan.charges if one.part == PENALTY))
    if more <= 0:
        return False
    if charge is None:
        charge = agreed(s, what, NAME, PENALTY, row.due, 0)
    charge.amount += more
    charge.left += more
    post(s.journal, PENALTIES_RECEIVABLE, PENALTY_INCOME, more, loan.currency, day)
    return True
