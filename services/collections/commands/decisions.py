"""Promises and plans: what may be recorded, given what is known of the loan. Pure: dates and figures come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from services.collections.commands import refusals
from services.collections.strategy import PromiseRule
from shared.errors import Refusal
from shared.events.collections import PlanPart
from shared.money import decimal_text, minor_units

PLAN_DAYS_MOST = 731
"""A plan for arrears ends within two years; what takes longer is a new contract."""


@dataclass(frozen=True, slots=True)
class LoanStanding:
    """A loan as promises see it. Amounts in minor units; `broken` counts those of the policy's days."""

    borrower_id: str
    loan_id: str
    currency: str
    past_due: int
    debt: int
    active: int = 0
    """Promises of the borrower that stand, over all loans."""
    broken: int = 0


def check_promise(
    loan: LoanStanding, *, amount: str, currency: str, due_date: date, today: date, rule: PromiseRule
) -> int:
    """The promise in minor units; raises what it breaks."""
    promised = _amount(loan, amount, currency)
    if loan.past_due == 0:
        raise refusals.NothingPastDue(f"Loan {loan.loan_id} owes nothing that is past due.", field="loan_id")
    if promised > loan.debt:
        raise refusals.PromiseAboveDebt(
            f"The whole debt is {decimal_text(loan.debt, currency)} {currency}.", field="amount"
        )
    if due_date < today:
        raise refusals.DatePassed(f"The open date is {today}.", field="due_date")
    if due_date > today + timedelta(days=rule.ahead_days_most):
        raise refusals.DateTooFarAhead(f"At most {rule.ahead_days_most} days after {today}.", field="due_date")
    if loan.active >= rule.active_most:
        raise refusals.TooManyActivePromises(f"{loan.active} promises stand.")
    if loan.broken >= rule.broken_most:
        raise refusals.TooManyBrokenPromises(f"{loan.broken} were broken in {rule.broken_within_days} days.")
    return promised


def check_plan(loan: LoanStanding, *, parts: Sequence[PlanPart], currency: str, today: date) -> int:
    """The plan's sum in minor units; raises what it breaks."""
    total = sum(_amount(loan, part.amount, currency) for part in parts)
    if loan.past_due == 0:
        raise refusals.NothingPastDue(f"Loan {loan.loan_id} owes nothing that is past due.", field="loan_id")
    if total > loan.debt:
        raise refusals.PlanAboveDebt(
            f"{decimal_text(total, currency)} of {decimal_text(loan.debt, currency)} {currency}.", field="parts"
        )
    dates = [part.due_date for part in parts]
    if dates[0] < today or any(day >= after for day, after in pairwise(dates)):
        raise refusals.PlanNotInOrder(f"Each part is later than the one before, the first on {today} or later.")
    if dates[-1] > today + timedelta(days=PLAN_DAYS_MOST):
        raise refusals.DateTooFarAhead(f"A plan ends within {PLAN_DAYS_MOST} days.", field="parts")
    return total


def _amount(loan: LoanStanding, amount: str, currency: str) -> int:
    if currency != loan.currency:
        raise refusals.OtherCurrency(f"Loan {loan.loan_id} is in {loan.currency}.", field="currency")
    try:
        minor = minor_units(amount, currency)
    except Refusal as refusal:
        refusal.field = refusal.field or "amount"
        raise
    if minor == 0:
        raise refusals.AmountZero(f"{amount} {currency} is nothing.", field="amount")
    return minor
