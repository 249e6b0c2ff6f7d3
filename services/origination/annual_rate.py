"""What a loan costs in a year, all charges included: the rate at which its payments are worth what was paid out.

The equation is the actuarial method of 12 CFR 1026 (Regulation Z) Appendix J (b)(8): the advance equals the sum of
payment / ((1 + f i) (1 + i)^t), with i the rate of a unit-period, t whole unit-periods and f the fraction of one
between advance and payment. `nominal` is i times the unit-periods of a year (the US APR); `effective` compounds it:
(1 + i)^periods - 1. The two differ: 22 % nominal paid monthly is 24.36 % effective, so a cap says which one it means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from shared.calendar import add_months, days_in_month, due_dates
from shared.errors import Refusal
from shared.schedules import Instalment
from shared.time_value import rate_nearest_zero

Method = Literal["nominal", "effective"]
Unit = Literal["day", "week", "semimonth", "month"]

EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
"""34 digits (IEEE 754 decimal128): the rate shown has six decimals."""
STEP_MIN = Decimal("1e-24")
STEPS_MAX = 200
"""Newton doubles the correct digits a step once near; a rate of 1,000,000 % needs some forty."""
DAYS_A_YEAR = 365


class NoAnnualRate(Refusal):
    """The payments are worth less than what was paid out: no rate, or a negative one, makes them equal."""


@dataclass(frozen=True, slots=True)
class Payment:
    """`amount` minor units, paid `whole` unit-periods and the `fraction` of one after the advance."""

    whole: int
    fraction: Decimal
    amount: int


@dataclass(frozen=True, slots=True)
class UnitPeriod:
    """The period that the payments are counted in: `every` units, a year at most (Appendix J (b)(4))."""

    every: int
    unit: Unit

    def per_year(self) -> Decimal:
        """How many make a year."""
        in_a_year = {"day": DAYS_A_YEAR, "week": 52, "semimonth": 24, "month": 12}[self.unit]
        return EXACT.divide(Decimal(in_a_year), Decimal(self.every))


YEAR = UnitPeriod(12, "month")


def periodic_rate(advance: int, payments: Sequence[Payment]) -> Decimal:
    """The rate i of a unit-period that solves the equation; 0 where payments only give back the advance.

    Every term is log-convex in i, so the sum is convex and falling: Newton from 0 comes from the left and never passes
    the root. Raises NoAnnualRate if the payments sum to less than the advance.
    """
    total = sum(payment.amount for payment in payments)
    if advance <= 0 or total < advance:
        raise NoAnnualRate(f"{total} is paid for {advance}, in minor units.")
    rate, one = Decimal(0), Decimal(1)
    if total == advance:
        return rate
    for _ in range(STEPS_MAX):
        growth = EXACT.add(one, rate)
        value, slope = Decimal(-advance), Decimal(0)
        for payment in payments:
            odd = EXACT.add(one, EXACT.multiply(payment.fraction, rate))
            divisor = EXACT.multiply(odd, EXACT.power(growth, payment.whole))
            worth = EXACT.divide(Decimal(payment.amount), divisor)
            fall = EXACT.add(
                EXACT.divide(Decimal(payment.whole), growth), EXACT.divide(payment.fraction, odd)
            )  # minus the derivative of the logarithm
            value = EXACT.add(value, worth)
            slope = EXACT.add(slope, EXACT.multiply(worth, fall))
        step = EXACT.divide(value, slope)
        rate = EXACT.add(rate, step)
        if abs(step) < STEP_MIN:
            break
    return rate


def periodic_rate_of_several(advances: Sequence[Payment], payments: Sequence[Payment]) -> Decimal:
    """The rate i of a unit-period at which payments are worth what is advanced in several parts (Appendix J (b)(8)).

    Times count from the first advance. Advances after payments may allow several rates: the one nearest to 0 is meant.
    Raises NoAnnualRate if the payments sum to less than the advances.
    """
    given, paid = (sum(one.amount for one in flows) for flows in (advances, payments))
    if given <= 0 or paid < given:
        raise NoAnnualRate(f"{paid} is paid for {given}, in minor units.")

    def gap(growth: Decimal) -> Decimal:
        rate = EXACT.subtract(growth, Decimal(1))
        worths = (sum(_worth(one, rate, growth) for one in flows) for flows in (payments, advances))
        return EXACT.subtract(*map(Decimal, worths))

    return rate_nearest_zero(gap)


def _worth(flow: Payment, rate: Decimal, growth: Decimal) -> Decimal:
    odd = EXACT.add(Decimal(1), EXACT.multiply(flow.fraction, rate))
    return EXACT.divide(Decimal(flow.amount), EXACT.multiply(odd, EXACT.power(growth, flow.whole)))


def annual(rate: Decimal, period: UnitPeriod, method: Method) -> Decimal:
    """A unit-period's rate for a year, by the method."""
    if method == "nominal":
        return EXACT.multiply(rate, period.per_year())
    growth = EXACT.power(EXACT.add(Decimal(1), rate), period.per_year())
    return EXACT.subtract(growth, Decimal(1))


def unit_period(every: int, unit: Literal["day", "week", "month"]) -> UnitPeriod:
    """The unit-period of payments that are `every` units apart: that interval, or a year where it is longer."""
    longest = {"day": 365, "week": 52, "month": 12}[unit]
    return UnitPeriod(min(every, longest), unit)


def unit_period_of_single_payment(start: date, end: date) -> UnitPeriod:
    """The unit-period of one advance and one payment: the term itself, a year at most (Appendix J (b)(4)(ii)).

    It is counted in months where the term is a whole number of them, else in days ((b)(5)(vi) and (vii)).
    """
    months, days = _months_back(start, end)
    if months >= 12:
        return YEAR
    return UnitPeriod(months, "month") if days == 0 else UnitPeriod((end - start).days, "day")


def time_between(start: date, end: date, period: UnitPeriod, *, last_day: bool = False) -> tuple[int, Decimal]:
    """Whole unit-periods, counted back from `end`, and the fraction that is left at `start` (Appendix J (b)(5)).

    Months: 30 days a month in the fraction; semimonths: days over 15; weeks and days: days over the period's days.
    A year: what is left is months over 12 if it is whole months, else days over 365. last_day: payments fall on the
    last day of each month, and months are measured from last day to last day ((b)(3)).
    """
    if period == YEAR:
        months, days = _months_back(start, end, last_day=last_day)
        years, rest = divmod(months, 12)
        if days == 0:
            return years, EXACT.divide(Decimal(rest), Decimal(12))
        left = _back(end, 12 * years, last_day=last_day) - start
        return years, EXACT.divide(Decimal(left.days), Decimal(DAYS_A_YEAR))
    if period.unit == "semimonth":  # months hold two; what is under a month may hold one more
        months, days = _months_back(start, end, last_day=last_day)
        return 2 * months + days // 15, EXACT.divide(Decimal(days % 15), Decimal(15))
    if period.unit == "month":
        months, days = _months_back(start, end, last_day=last_day)
        whole, rest = divmod(months, period.every)
        return whole, EXACT.divide(Decimal(30 * rest + days), Decimal(30 * period.every))
    size = period.every * (7 if period.unit == "week" else 1)
    whole, days = divmod((end - start).days, size)
    return whole, EXACT.divide(Decimal(days), Decimal(size))


def _months_back(start: date, end: date, *, last_day: bool = False) -> tuple[int, int]:
    """Whole months from `end` back to not before `start`, and the days between."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if _back(end, months, last_day=last_day) < start:
        months -= 1
    return months, (_back(end, months, last_day=last_day) - start).days


def _back(end: date, months: int, *, last_day: bool) -> date:
    day = add_months(end, -months)
    return day.replace(day=days_in_month(day.year, day.month)) if last_day else day


def all_in_rate(
    advance: int,
    instalments: Sequence[Instalment],
    *,
    disbursed_on: date,
    every: int,
    unit: Literal["day", "week", "month"],
    method: Method,
) -> Decimal:
    """The annual rate of a loan, as a fraction with six decimals (half to even).

    `advance`: what the borrower really got, in minor units: principal less charges taken in advance (Civil Code of the
    PRC, 670). Charges paid later are part of the instalments. Raises NoAnnualRate.
    """
    due = [instalment.due for instalment in instalments]
    last_day = len(due) > 1 and all(day.day == days_in_month(day.year, day.month) for day in due)
    period = unit_period_of_single_payment(disbursed_on, due[0]) if len(due) == 1 else unit_period(every, unit)
    regular = due_dates(due[0], len(due), every, unit)
    if last_day and unit == "month":
        regular = [day.replace(day=days_in_month(day.year, day.month)) for day in regular]
    steps = every == period.every and due == regular
    whole, fraction = time_between(disbursed_on, due[0], period, last_day=last_day)
    payments = []
    for number, instalment in enumerate(instalments):
        if steps:
            payments.append(Payment(whole + number, fraction, instalment.total))
        else:
            payments.append(Payment(*time_between(disbursed_on, instalment.due, period), instalment.total))
    rate = annual(periodic_rate(advance, payments), period, method)
    return rate.quantize(Decimal("0.000001"), context=EXACT)
