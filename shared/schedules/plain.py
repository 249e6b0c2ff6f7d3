"""Plain loans, quickly: what nearly every loan asks for, from what all loans of its rate and dates have in common.

The figures are those of `Course`, which gives what is common once (`_common`) and everything else about loans that are
not plain; a property holds the two together.
"""

from datetime import date
from typing import NamedTuple

from shared.events.terms import Terms
from shared.money import divide
from shared.schedules.accrual import Factor
from shared.schedules.annuity import Annuity, annuity
from shared.schedules.course import Course
from shared.schedules.model import Instalment, PaidOut, Schedule


class Common(NamedTuple):
    """Of loans that differ in their principal alone: start, due date and interest factor of each period."""

    periods: tuple[tuple[date, date, Factor], ...]
    level: Annuity | None
    """None for equal principal."""


COMMON_MAX = 4096
_common_of: dict[tuple[object, ...], Common] = {}


def plain(terms: Terms, paid: PaidOut) -> Schedule | None:
    """The schedule of a loan whose terms `is_plain`, paid out once; None if an instalment would ask for no principal,
    which may have to be refused. Raises what `Course` raises."""
    common = _common(terms, paid.on)
    balance, rounding, last = paid.amount, terms.rounding, len(common.periods) - 1
    if common.level is not None:
        asked = common.level.instalment(balance, 0, 1, rounding)
    else:
        asked = divide(balance, len(common.periods), rounding)
    made = []
    for number, (start, due, (numerator, denominator)) in enumerate(common.periods):
        charge = divide(balance * numerator, denominator, rounding) if numerator else 0
        part = balance if number == last else asked if common.level is None else asked - charge
        if part <= 0:
            return None
        balance -= part
        made.append(Instalment(start, due, part, charge))
    return Schedule(tuple(made))


def _common(terms: Terms, start: date) -> Common:
    key = (
        terms.kind,
        terms.annual_rate,
        terms.instalments,
        terms.every,
        terms.unit,
        terms.first_due_date,
        terms.day_count,
        start,
    )
    found = _common_of.get(key)
    if found is None:
        course = Course(terms, start)
        factors = tuple(course.factors(0))
        dates = [(period.start, period.due) for period in course.periods]
        level = annuity(factors) if terms.kind == "equal-instalment" else None
        found = Common(tuple((*pair, factor) for pair, factor in zip(dates, factors, strict=True)), level)
        if len(_common_of) >= COMMON_MAX:
            _common_of.clear()
        _common_of[key] = found
    return found
