"""The time value of money: annuities, present values and rates of return, in 34-digit decimal arithmetic.

Signs are those of one party: what it receives is positive, what it pays is negative. An annuity obeys, with r the rate
of a period, n periods and `due` 1 where payments come at the beginning of a period,

    present (1 + r)^n + payment (1 + r due) ((1 + r)^n - 1) / r + future = 0

(for r = 0: present + payment n + future = 0). Source: OASIS OpenFormula 1.2, 6.12 (PV, PMT, NPER).
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Literal

from shared.errors import Refusal

When = Literal["end", "beginning"]

EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
"""34 digits (IEEE 754 decimal128), whatever the process is set to."""
ONE, ZERO = Decimal(1), Decimal(0)
DAYS_A_YEAR = Decimal(365)
RATIO = Decimal("1.03125")
"""Growth factors are tried in powers of this, so that two rates closer than some 3 % of growth may be told apart."""
FINE, COARSE = 64, 5
"""Powers tried on either side of no growth: every one up to FINE (growth by 7), then doublings: up to 5e13, 2e-14."""
REFINEMENTS = 160
"""Halvings of a bracket: its width falls below 1e-30 of itself long before."""


class NoRate(Refusal):
    """No rate makes what is paid worth what is received."""


class NoTerm(Refusal):
    """No number of payments settles the sum: they do not even cover its interest."""


def growth(rate: Decimal, periods: Decimal | int) -> Decimal:
    """(1 + rate)^periods; periods need not be whole."""
    return EXACT.power(EXACT.add(ONE, rate), Decimal(periods))


def annuity_factor(rate: Decimal, periods: Decimal | int, when: When = "end") -> Decimal:
    """What payments of 1 in each period have grown to at the end of the last one."""
    if rate == 0:
        return Decimal(periods)
    grown = EXACT.divide(EXACT.subtract(growth(rate, periods), ONE), rate)
    return grown if when == "end" else EXACT.multiply(grown, EXACT.add(ONE, rate))


def future_value(
    rate: Decimal, periods: Decimal | int, payment: Decimal, present: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """What is received at the end (FV)."""
    paid = EXACT.multiply(payment, annuity_factor(rate, periods, when))
    return EXACT.minus(EXACT.add(EXACT.multiply(present, growth(rate, periods)), paid))


def present_value(
    rate: Decimal, periods: Decimal | int, payment: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """What is received at the beginning (PV)."""
    owed = EXACT.add(future, EXACT.multiply(payment, annuity_factor(rate, periods, when)))
    return EXACT.minus(EXACT.divide(owed, growth(rate, periods)))


def payment(
    rate: Decimal, periods: Decimal | int, present: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """The level payment of each period (PMT)."""
    owed = EXACT.add(EXACT.multiply(present, growth(rate, periods)), future)
    return EXACT.minus(EXACT.divide(owed, annuity_factor(rate, periods, when)))


def interest_part(
    rate: Decimal, number: int, periods: int, present: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """The interest in payment `number`, counted from 1 (IPMT); what is paid in advance at once bears none."""
    if when == "beginning" and number == 1:
        return ZERO
    level = payment(rate, periods, present, future, when)
    interest = EXACT.multiply(future_value(rate, number - 1, level, present, when), rate)
    return interest if when == "end" else EXACT.divide(interest, EXACT.add(ONE, rate))


def principal_part(
    rate: Decimal, number: int, periods: int, present: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """The principal in payment `number`, counted from 1 (PPMT)."""
    interest = interest_part(rate, number, periods, present, future, when)
    return EXACT.subtract(payment(rate, periods, present, future, when), interest)


def number_of_payments(
    rate: Decimal, payment: Decimal, present: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """How many payments settle the sum (NPER), a fraction included. Raises NoTerm."""
    if rate == 0:
        if payment == 0:
            raise NoTerm("Without payments and interest nothing is settled.")
        return EXACT.minus(EXACT.divide(EXACT.add(present, future), payment))
    due = payment if when == "end" else EXACT.multiply(payment, EXACT.add(ONE, rate))
    perpetuity = EXACT.divide(due, rate)
    above, below = EXACT.subtract(perpetuity, future), EXACT.add(perpetuity, present)
    if below == 0 or EXACT.divide(above, below) <= 0:
        raise NoTerm(f"Payments of {payment} do not settle {present} at {rate} a period.")
    return EXACT.divide(EXACT.ln(EXACT.divide(above, below)), EXACT.ln(EXACT.add(ONE, rate)))


def rate_of_annuity(
    periods: Decimal | int, payment: Decimal, present: Decimal, future: Decimal = ZERO, when: When = "end"
) -> Decimal:
    """The rate of a period at which the payments settle the sum (RATE), above -1. Raises NoRate."""

    def rest(grown: Decimal) -> Decimal:
        rate = EXACT.subtract(grown, ONE)
        return EXACT.add(present_value(rate, periods, payment, future, when), EXACT.minus(present))

    return rate_nearest_zero(rest)


def net_present_value(rate: Decimal, flows: Sequence[Decimal]) -> Decimal:
    """The value today of flows that are a period apart, the first of them today (NPV as numpy-financial counts).

    A spreadsheet's NPV has its first flow a period from today: it is this one, divided by 1 + rate.
    """
    return _worth(EXACT.add(ONE, rate), flows)


def dated_net_present_value(rate: Decimal, flows: Sequence[tuple[date, Decimal]]) -> Decimal:
    """The value on the first date of flows on dates (XNPV): discounted by actual days over 365."""
    return _dated_worth(EXACT.add(ONE, rate), flows)


def internal_rate(flows: Sequence[Decimal]) -> Decimal:
    """The rate of a period at which flows a period apart are worth nothing (IRR), above -1. Raises NoRate.

    Where flows change their sign more than once, several rates may do: the one nearest to 0 is meant.
    """
    return rate_nearest_zero(lambda grown: _worth(grown, flows))


def dated_internal_rate(flows: Sequence[tuple[date, Decimal]]) -> Decimal:
    """The annual rate at which flows on dates are worth nothing (XIRR): days over 365, compounded. Raises NoRate."""
    return rate_nearest_zero(lambda grown: _dated_worth(grown, flows))


def modified_internal_rate(flows: Sequence[Decimal], *, finance: Decimal, reinvest: Decimal) -> Decimal:
    """The rate at which what is paid, discounted at `finance`, grows to what is received, reinvested at `reinvest`
    (MIRR). Raises NoRate unless something is paid and something received."""
    paid = [min(flow, ZERO) for flow in flows]
    received = [max(flow, ZERO) for flow in flows]
    if not any(paid) or not any(received):
        raise NoRate("A rate of return needs flows in both directions.")
    periods = len(flows) - 1
    grown = EXACT.multiply(net_present_value(reinvest, received), growth(reinvest, periods))
    factor = EXACT.divide(grown, EXACT.minus(net_present_value(finance, paid)))
    return EXACT.subtract(EXACT.power(factor, EXACT.divide(ONE, Decimal(periods))), ONE)


def _worth(grown: Decimal, flows: Sequence[Decimal]) -> Decimal:
    worth = ZERO
    for flow in reversed(flows):
        worth = EXACT.add(flow, EXACT.divide(worth, grown))
    return worth


def _dated_worth(grown: Decimal, flows: Sequence[tuple[date, Decimal]]) -> Decimal:
    if not flows:
        return ZERO
    start, pace = flows[0][0], EXACT.ln(grown)
    worth = ZERO
    for day, amount in flows:
        years = EXACT.divide(Decimal((day - start).days), DAYS_A_YEAR)
        worth = EXACT.add(worth, EXACT.multiply(amount, EXACT.exp(EXACT.minus(EXACT.multiply(pace, years)))))
    return worth


def rate_nearest_zero(worth: Callable[[Decimal], Decimal]) -> Decimal:
    """The rate r above -1, nearest to 0, at which worth(1 + r) changes its sign.

    Brackets a change of sign on a grid of growth factors, then halves it: a fixed number of evaluations, so it ends
    whatever the flows are. Raises NoRate where the grid shows no change of sign.
    """
    if worth(ONE) == 0:
        return ZERO
    powers = [*range(FINE + 1), *(FINE << doubling for doubling in range(1, COARSE))]
    sides = ([EXACT.power(RATIO, side * power) for power in powers] for side in (1, -1))
    roots = [root for grid in sides if (root := _first_root(worth, grid)) is not None]
    if not roots:
        raise NoRate("What is paid and what is received balance at no rate.")
    return min((EXACT.subtract(root, ONE) for root in roots), key=abs)


def _first_root(worth: Callable[[Decimal], Decimal], grid: Sequence[Decimal]) -> Decimal | None:
    before = worth(grid[0])
    for start, end in pairwise(grid):
        after = worth(end)
        if after == 0:
            return end
        if (before > 0) != (after > 0):
            return _halve(worth, start, end, rising=after > 0)
        before = after
    return None


def _halve(worth: Callable[[Decimal], Decimal], start: Decimal, end: Decimal, *, rising: bool) -> Decimal:
    for _ in range(REFINEMENTS):
        middle = EXACT.divide(EXACT.add(start, end), Decimal(2))
        if middle in (start, end):
            break
        if (worth(middle) > 0) == rising:
            end = middle
        else:
            start = middle
    return EXACT.divide(EXACT.add(start, end), Decimal(2))
