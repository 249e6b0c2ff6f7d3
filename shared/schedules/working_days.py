"""Working days by country, and where a due date moves that is none.

China's are those of the State Council's yearly notice, exchanged working days (调休) included; the data of the library
`chinesecalendar` ends with the last notice. Other countries' are those of `holidays`. Beyond the data the statutory
days that can be computed still count, and the year is flagged.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from shared.events.terms import DueDateShift
from shared.schedules.refusals import UnknownHolidayCalendar

CHINA = "CN"
T2 = "ECB"
"""The business days of T2, on which euro payments settle between banks; no country's."""


@lru_cache(maxsize=64)
def _calendar(country: str) -> Any:
    import holidays

    try:
        return holidays.financial_holidays(T2) if country == T2 else holidays.country_holidays(country)
    except NotImplementedError:
        raise UnknownHolidayCalendar(f"There is no holiday calendar for {country}.", field="holidays") from None


def require_calendar(country: str) -> None:
    """Raises UnknownHolidayCalendar."""
    _calendar(country)


@lru_cache(maxsize=4096)
def has_data(country: str, year: int) -> bool:
    """Whether the calendar knows the year's holidays rather than computing them."""
    if country == CHINA:
        from chinese_calendar.constants import holidays as notices

        return bool(min(notices).year <= year <= max(notices).year)
    calendar = _calendar(country)
    return bool(calendar.start_year <= year <= calendar.end_year)


@lru_cache(maxsize=65536)
def is_working_day(day: date, country: str) -> bool:
    """Whether banks and offices of the country work on the day. Raises UnknownHolidayCalendar."""
    if country == CHINA and has_data(country, day.year):
        import chinese_calendar

        return bool(chinese_calendar.is_workday(day))
    return bool(_calendar(country).is_working_day(day))


def moved(day: date, shift: DueDateShift) -> date:
    """`day`, or the working day that it moves to (ISDA 2006 Definitions 4.12)."""
    if shift.roll == "preceding":
        return _roll(day, -1, shift.country)
    following = _roll(day, 1, shift.country)
    if shift.roll == "modified-following" and following.month != day.month:
        return _roll(day, -1, shift.country)
    return following


def _roll(day: date, step: int, country: str) -> date:
    try:
        while not is_working_day(day, country):
            day += timedelta(days=step)
    except OverflowError:
        return day
    return day
