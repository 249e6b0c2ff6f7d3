"""How much of a loan is expected to be lost, as a share of its exposure: by matrix, or by stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.ledger.engine.account import PRINCIPAL, Loan
from services.ledger.valuation.policy import ExpectedLoss, Matrix, StageBucket
from shared.events.origination import Security
from shared.expected_loss import EXACT, LossPeriod, expected_loss
from shared.loan_classes import Marks, classed, non_performing, row_on

YEAR = 365


@dataclass(frozen=True, slots=True)
class Risk:
    """A loan's group, whether it is non-performing, and what follows from its group alone."""

    group: str
    non_performing: bool
    given_default: Decimal
    """By stage: the loss given default; by matrix: the share of the exposure that is set aside."""
    stage: int = 0
    default_probability: Decimal = Decimal(0)


def risk_of(policy: Matrix | ExpectedLoss, days: int, watched_until: int, security: Security, end: int) -> Risk:
    """The risk of a loan that is so many days past due at the end of the ordinal `end`."""
    if isinstance(policy, Matrix):
        day = date.fromordinal(end)
        row = row_on(day)
        marks = Marks(date.fromordinal(watched_until) if watched_until else None)
        name = classed(days, row, marks, day).name
        return Risk(name, non_performing(name, row), policy.rates[name][security])
    bucket = _bucket(policy, days, watched=watched_until >= end)
    loss = policy.loss_given_default[security]
    return Risk(f"stage-{bucket.stage}", bucket.stage == 3, loss, bucket.stage, bucket.default_probability)


def _bucket(policy: ExpectedLoss, days: int, *, watched: bool) -> StageBucket:
    found = next(bucket for bucket in reversed(policy.buckets) if days >= bucket.from_days)
    if watched and found.stage < policy.watched_at_least:
        return next(bucket for bucket in policy.buckets if bucket.stage >= policy.watched_at_least)
    return found


def expected_credit_loss(
    loan: Loan, risk: Risk, exposure: int, end: int, *, effective_rate: Decimal, life_days_min: int
) -> Decimal:
    """Minor units of `exposure` that are expected to be lost, unrounded, as of the end of the ordinal `end`.

    The default may come in any of the periods between the due dates to come, with the same conditional probability a
    day; what is then outstanding is the exposure less the principal due until then, and the loss given default is
    discounted from the end of the period at the effective rate (IFRS 9, B5.5.44).
    """
    if risk.stage == 3:
        return EXACT.multiply(Decimal(exposure), risk.given_default)
    last = max(loan.due[-1], end + life_days_min)
    until = min(last, end + YEAR) if risk.stage == 1 else last
    return expected_loss(_periods(loan, risk, exposure, end, until), effective_rate)


def _periods(loan: Loan, risk: Risk, exposure: int, end: int, until: int) -> Iterator[LossPeriod]:
    survives = EXACT.subtract(Decimal(1), risk.default_probability)
    a_day = EXACT.power(survives, EXACT.divide(Decimal(1), Decimal(YEAR)))
    alive, start, outstanding = Decimal(1), end, exposure
    principal: dict[int, int] = {}
    for due, left in zip(loan.due, loan.left[PRINCIPAL], strict=True):
        if due > end:
            principal[due] = principal.get(due, 0) + left
    for day in sorted({due for due in principal if due < until} | {until}):
        still = EXACT.power(a_day, day - start)
        default = EXACT.multiply(alive, EXACT.subtract(Decimal(1), still))
        years = EXACT.divide(Decimal(day - end), Decimal(YEAR))
        yield LossPeriod(default, risk.given_default, Decimal(max(0, outstanding)), years)
        alive, start = EXACT.multiply(alive, still), day
        outstanding -= principal.get(day, 0)
