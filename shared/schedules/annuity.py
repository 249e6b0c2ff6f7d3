"""The level instalment that repays a principal together with its interest, as an exact fraction."""

from functools import lru_cache
from typing import NamedTuple

from shared.money import Rounding, divide
from shared.schedules.accrual import Factor


class Annuity(NamedTuple):
    """The instalment per unit of principal is growth / worth; one of `left` principal at the end takes unit / worth
    off it."""

    growth: int
    worth: int
    unit: int

    def instalment(self, principal: int, left: int, multiple: int, rounding: Rounding) -> int:
        """The level instalment on `principal`, of which `left` stays for the last; a multiple of `multiple`."""
        return divide(principal * self.growth - left * self.unit, self.worth * multiple, rounding) * multiple


@lru_cache(maxsize=4096)
def annuity(factors: tuple[Factor, ...]) -> Annuity:
    """Of periods with these interest factors f_i: Π (1+f_i) / fn, with fn_1 = 1 and fn_i = 1 + fn_(i-1) × (1+f_i), the
    value at the last due date of one paid at each.

    For equal periods that is the textbook f / (1 - (1+f)^-n), without interest 1 / n. Source of the recurrence: the
    future value of an annuity-immediate with varying rates.
    """
    growth, worth, unit = 1, 0, 1
    for number, of in factors:
        step = of + number
        worth = worth * step + unit * of
        growth *= step
        unit *= of
    return Annuity(growth, worth, unit)


def nominal_months(rate: Factor, days: int, every: int, count: int) -> Annuity:
    """Of `count` periods of thirty-day months: each bears rate / days × 30 × every, whatever its days.

    Source: Apache Fineract's cumulative schedules with daily interest (commit 4198b0b, 2024-10-24) reckon so.
    """
    return annuity(((rate[0] * 30 * every, rate[1] * days),) * count)


def level_step(last: int, level: int, count: int, rounding: Rounding) -> int:
    """By how much to move a level instalment so that the last of `count` comes closer to it; 0 if it is close enough.

    Close enough is a difference of half as many minor units as there are instalments. Source: the progressive schedules
    of Apache Fineract (commit 4198b0b, 2024-10-24).
    """
    difference = last - level
    if count < 2 or abs(difference) <= count // 2:
        return 0
    return divide(difference, count, rounding)
