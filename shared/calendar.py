"""Due dates, day counts and business days: functions of dates alone, no clock and no time zone."""

from collections.abc import Collection
from datetime import MAXYEAR, date, timedelta
from typing import Literal

Unit = Literal["day", "week", "month"]

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_in_month(year: int, month: int) -> int:
    """28 to 31, in the Gregorian calendar."""
    if month == 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        return 29
    return _MONTH_DAYS[month - 1]


def add_months(day: date, n: int) -> date:
    """The same day of the month `n` months later (earlier if negative); a day that the month lacks is its last day.

    Chains drift (31 Jan, 28 Feb, 28 Mar): count from the anchor instead. Raises OverflowError outside years 1-9999.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    if not 1 <= year <= MAXYEAR:
        raise OverflowError(f"{day} and {n} months is outside the years 1-9999")
    month += 1
    return date(year, month, day.day if day.day <= 28 else min(day.day, days_in_month(year, month)))


def due_dates(first: date, n: int, every: int, unit: Unit) -> list[date]:
    """`n` dates: `first`, then `every` units apart, each counted from `first`, so that month ends don't drift.

    Raises OverflowError past the year 9999.
    """
    if unit == "month":
        return [add_months(first, every * k) for k in range(n)]
    step = timedelta(days=every * 7 if unit == "week" else every)
    return [first + step * k for k in range(n)]


def days_30_360(start: date, end: date) -> int:
    """Days from `start` to `end`, each month counted as 30: ISDA 2006 Definitions 4.16(f), 30/360 (Bond Basis)."""
    first, last = min(start.day, 30), end.day
    if last == 31 and first == 30:
        last = 30
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def days_actual(start: date, end: date) -> int:
    """Calendar days from `start` to `end`; over 365 they are ISDA 2006 Definitions 4.16(d), Actual/365 (Fixed)."""
    return (end - start).days


def is_weekend(day: date) -> bool:
    """Saturday or Sunday (ISO 8601 weekdays 6 and 7)."""
    return day.weekday() >= 5


def next_business_day(day: date, holidays: Collection[date] = ()) -> date:
    """`day` or the first day after it that is neither a weekend nor in `holidays` (ISDA 2006 4.12, Following)."""
    while is_weekend(day) or day in holidays:
        day += timedelta(days=1)
    return day
