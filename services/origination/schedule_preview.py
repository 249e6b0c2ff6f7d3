"""The schedule that an offer shows, by the formulas of the ledger's schedule (a property test compares the two).

Services share no code but `shared`: origination shows a schedule before there is a loan, the ledger folds the real one.
Every figure is an exact integer quotient, rounded once by the terms' rounding.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise

from shared.calendar import add_months, days_30_360, days_actual, due_dates
from shared.errors import Refusal
from shared.events.origination import Terms
from shared.money import divide, minor_units


class FirstDueNotAhead(Refusal):
    """The first instalment must fall due after the money is paid out."""


class NoSchedule(Refusal):
    """The terms give no schedule in which every instalment asks for something and no principal is negative."""


@dataclass(frozen=True, slots=True)
class Instalment:
    """What falls due on a date, in minor units."""

    due: date
    principal: int
    interest: int

    @property
    def total(self) -> int:
        """What the borrower pays."""
        return self.principal + self.interest


def preview(terms: Terms, *, disbursed_on: date) -> tuple[Instalment, ...]:
    """The instalments of a loan paid out whole on `disbursed_on`. Raises FirstDueNotAhead, NoSchedule, or a refusal
    of the amount."""
    if terms.first_due_date <= disbursed_on:
        detail = f"The first due date {terms.first_due_date} is not after {disbursed_on}."
        raise FirstDueNotAhead(detail, field="first_due_date")
    lent = minor_units(terms.principal, terms.currency)
    try:
        due = due_dates(terms.first_due_date, terms.instalments, terms.every, terms.unit)
    except OverflowError:
        raise NoSchedule("The last due date is past the year 9999.", field="instalments") from None
    whole, _, decimals = terms.annual_rate.partition(".")
    rate, year = int(whole + decimals), 10 ** len(decimals) * (360 if terms.day_count == "30/360" else 365)
    days = _days(terms, due, disbursed_on)
    principal, interest = _parts(terms, lent, rate, year, days)
    if min(principal) < 0 or any(part + charge == 0 for part, charge in zip(principal, interest, strict=True)):
        raise NoSchedule("An instalment would not pay its interest, or nothing at all.", field="instalments")
    return tuple(Instalment(*row) for row in zip(due, principal, interest, strict=True))


def _days(terms: Terms, due: list[date], start: date) -> tuple[int, ...]:
    """Interest days of each period; under 30/360 whole months count 30 days, whatever the month end clamps to."""
    if terms.day_count == "30/360" and terms.unit == "month":
        whole, first = 30 * terms.every, terms.first_due_date
        regular = add_months(start, terms.every) == first or add_months(first, -terms.every) == start
        return (whole if regular else days_30_360(start, first), *((whole,) * (len(due) - 1)))
    count = days_30_360 if terms.day_count == "30/360" else days_actual
    return tuple(count(begin, end) for begin, end in pairwise((start, *due)))


@lru_cache(maxsize=1024)
def _annuity(rate: int, year: int, days: tuple[int, ...]) -> tuple[int, int]:
    """Instalment per unit of principal as a fraction: 1 / sum over k of the product over i <= k of 1 / (1 + f_i)."""
    growth, worth, unit = 1, 0, 1
    for count in days:
        step = year + rate * count
        growth, worth, unit = growth * step, worth * step + unit, unit * year
    return growth, worth * year


def _parts(terms: Terms, lent: int, rate: int, year: int, days: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Principal and interest of every instalment; the last takes what rounding left."""
    level = rate > 0 and terms.kind == "equal-instalment"
    numerator, denominator = _annuity(rate, year, days) if level else (1, len(days))
    share = divide(lent * numerator, denominator, terms.rounding)
    principal, interest, balance = [], [], lent
    for count in days:
        charge = divide(balance * rate * count, year, terms.rounding)
        part = share - charge if level else share
        principal.append(part)
        interest.append(charge)
        balance -= part
    principal[-1] += balance
    return principal, interest
