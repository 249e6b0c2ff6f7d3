"""Periods: when interest is earned and when it is paid."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from shared.calendar import Unit, add_months, days_in_month, due_dates
from shared.events.terms import Terms
from shared.schedules.refusals import UnschedulableTerms
from shared.schedules.working_days import moved


class Period(NamedTuple):
    """Interest is earned on [start, end) and paid on `due`, which differs from `end` only if a holiday moved it.

    `whole`: where the period would have begun had it its full length; equal to `start` in a regular period.
    """

    start: date
    end: date
    due: date
    whole: date


def back(day: date, count: int, every: int, unit: Unit) -> date:
    """`count` periods before `day`."""
    if unit == "month":
        return add_months(day, -every * count)
    return day - timedelta(days=(7 if unit == "week" else 1) * every * count)


def whole_from(start: date, end: date, every: int, unit: Unit) -> date:
    """Where a full period that ends on `end` begins; `start` itself if a month's end only clamped it."""
    try:
        begins = back(end, 1, every, unit)
        if unit == "month" and begins != start and add_months(start, every) == end:
            return start
    except OverflowError:
        return date.min
    return begins


@lru_cache(maxsize=4096)
def on_grid(first: date, count: int, every: int, unit: Unit, month_end: str) -> tuple[date, ...]:
    """`count` dates from `first` on. Raises UnschedulableTerms past the year 9999."""
    try:
        days = due_dates(first, count, every, unit)
    except OverflowError:
        raise UnschedulableTerms("The last due date is past the year 9999.", field="instalments") from None
    if month_end == "last-day" and unit == "month":
        return tuple(day.replace(day=days_in_month(day.year, day.month)) for day in days)
    return tuple(days)


def planned(terms: Terms) -> tuple[date, ...]:
    """The due dates that the terms name, before any of them moves."""
    if terms.kind == "irregular":
        return tuple(one.due for one in terms.plan)
    return on_grid(terms.first_due_date, terms.instalments, terms.every, terms.unit, terms.month_end)


def periods(terms: Terms, start: date, days: tuple[date, ...], *, regular: bool = True) -> list[Period]:
    """Consecutive periods from `start` that end on `days`; after the first they are regular if `days` are a grid.

    A due date that is no working day moves as the terms say.
    """
    made: list[Period] = []
    every, unit, shift = terms.every, terms.unit, terms.holidays
    begin = start
    regular = regular and (shift is None or not shift.with_interest)
    for number, day in enumerate(days):
        due = end = day
        if shift is not None:
            due = moved(day, shift)
            if shift.with_interest:
                end = due
        whole = begin if number and regular else whole_from(begin, end, every, unit)
        made.append(Period(begin, end, due, whole))
        begin = end
    return made
