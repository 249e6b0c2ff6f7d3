"""The original effective interest rate of a loan, and what its upfront fees have not earned yet by it.

A loan's plan is what its terms made of the money paid out, without anything that was agreed or paid since (unless money
was paid out that the terms alone have no instalments for). Discounted
at the plan's own yield its payments are worth the money paid out; at the effective rate (IFRS 9, appendix A: fees that
are an integral part of it included) they are worth the money less the fees. On any later day the two values differ by
the fees that are not earned yet (B5.4.1): all of them on the first day, nothing after the last payment. Where less of
the principal is outstanding than was planned, so much less is deferred: a prepayment earns its part of the fees at once
(B5.4.6). Gains and losses on changed terms (5.4.3) are not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from services.ledger.engine.servicing import Servicing
from shared.errors import Refusal
from shared.money import Rounding, divide
from shared.schedules import schedule
from shared.time_value import EXACT, NoRate

DAYS_A_YEAR = 365
STEPS_MAX = 60
"""Newton doubles the correct digits a step once near; from 0 loans take some eight."""
CLOSE = Decimal("1e-25")
SMALLEST = Decimal("1e-12")
"""Of a minor unit; smaller fractions are what arithmetic left."""
FORCE_MAX = 120
"""Above the force of 9,999.99 % a year, counted daily, which terms can say."""

Flow = tuple[int, int]
"""Days since the first disbursement, and minor units: what the lender receives, less what it pays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A loan's payments as its terms made them: (days since the first disbursement, principal, total) each."""

    start: int
    payments: tuple[tuple[int, int, int], ...]
    own: Decimal
    """Yield without fees, as a force of interest a year: ln(1 + rate)."""
    effective: Decimal
    """The same with the fees."""

    @property
    def effective_rate(self) -> Decimal:
        """The effective interest rate a year, compounded."""
        return EXACT.subtract(EXACT.exp(self.effective), Decimal(1))


def plan_of(servicing: Servicing, fees: Sequence[Flow]) -> Plan:
    """The plan of a loan that was paid out; `fees` are (ordinal, minor units) withheld. Raises NoRate."""
    assert servicing.terms is not None
    start = servicing.loan.start
    try:
        instalments = schedule(servicing.terms, servicing.paid_out).instalments
    except Refusal:
        instalments = schedule(servicing.terms, servicing.paid_out, servicing.changes).instalments
    payments = tuple((one.due.toordinal() - start, one.principal, one.total) for one in instalments)
    out = [(one.on.toordinal() - start, -one.amount) for one in servicing.paid_out]
    flows = [*out, *((day, total) for day, _, total in payments)]
    own = force_of_interest(tuple(flows))
    kept = [(day - start, amount) for day, amount in fees]
    return Plan(start, payments, own, force_of_interest((*flows, *kept)) if kept else own)


@lru_cache(maxsize=4096)
def force_of_interest(flows: tuple[Flow, ...]) -> Decimal:
    """The force at which the flows are worth nothing: sum of amount x exp(-force x days / 365) = 0, by Newton from 0.

    Of a loan, money out first and then in, the sum is convex in the force and Newton comes from below. Raises NoRate
    where it finds none: money that never comes back.
    """
    force = Decimal(0)
    for _ in range(STEPS_MAX):
        worth = slope = Decimal(0)
        a_day = _discount_of_a_day(force)
        for day, amount in flows:
            part = EXACT.multiply(Decimal(amount), EXACT.power(a_day, day))
            worth = EXACT.add(worth, part)
            slope = EXACT.subtract(slope, EXACT.multiply(part, Decimal(day)))
        if slope == 0:
            break
        step = EXACT.divide(EXACT.multiply(worth, Decimal(DAYS_A_YEAR)), slope)
        force = EXACT.subtract(force, step)
        if abs(force) > FORCE_MAX:
            break
        if abs(step) < CLOSE:
            return force
    raise NoRate("What was paid out and what is to come back balance at no rate.")


def deferred_fees(plan: Plan, fees: int, end: int, outstanding: int, rounding: Rounding) -> int:
    """What of `fees` is not earned at the end of the ordinal `end`, with `outstanding` principal; both minor units."""
    day = end - plan.start
    to_come = [(due - day, principal, total) for due, principal, total in plan.payments if due > day]
    planned = sum(principal for _, principal, _ in to_come)
    if not planned:
        return 0
    value, own, effective = Decimal(0), _discount_of_a_day(plan.own), _discount_of_a_day(plan.effective)
    for days, _, total in to_come:
        between = EXACT.subtract(EXACT.power(own, days), EXACT.power(effective, days))
        value = EXACT.add(value, EXACT.multiply(Decimal(total), between))
    share = EXACT.divide(Decimal(min(outstanding, planned)), Decimal(planned))
    return max(0, min(fees, whole_units(EXACT.multiply(value, share), rounding)))


def whole_units(amount: Decimal, rounding: Rounding) -> int:
    """Minor units rounded once as the policy says; digits that only 34-digit arithmetic left are no fraction."""
    numerator, denominator = EXACT.quantize(amount, SMALLEST).as_integer_ratio()
    return divide(numerator, denominator, rounding)


def _discount_of_a_day(force: Decimal) -> Decimal:
    """The discount factor of one day; whole powers of it are cheap, and exact to some thirty digits."""
    return EXACT.exp(EXACT.divide(EXACT.minus(force), Decimal(DAYS_A_YEAR)))
