"""Due dates, day counts and business days."""

from datetime import date

import pytest

from shared.calendar import (
    add_months,
    days_30_360,
    days_actual,
    days_in_month,
    due_dates,
    is_weekend,
    next_business_day,
)


@pytest.mark.parametrize(
    ("day", "n", "later"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 1, 31), 3, date(2024, 4, 30)),
        (date(2024, 3, 31), -1, date(2024, 2, 29)),
        (date(2024, 12, 12), 1, date(2025, 1, 12)),
        (date(2024, 1, 12), -1, date(2023, 12, 12)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2024, 5, 5), 0, date(2024, 5, 5)),
    ],
)
def test_months_are_added_with_the_month_end_clamped(day: date, n: int, later: date) -> None:
    assert add_months(day, n) == later


def test_a_date_outside_the_calendar_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        add_months(date(9999, 12, 1), 1)
    with pytest.raises(OverflowError):
        due_dates(date(9999, 12, 1), 6, 1, "week")


def test_month_ends_do_not_drift() -> None:
    assert due_dates(date(2024, 1, 31), 4, 1, "month") == [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
        date(2024, 4, 30),
    ]


def test_days_and_weeks_are_steps() -> None:
    assert due_dates(date(2024, 2, 26), 3, 2, "week") == [date(2024, 2, 26), date(2024, 3, 11), date(2024, 3, 25)]
    assert due_dates(date(2024, 2, 26), 3, 3, "day") == [date(2024, 2, 26), date(2024, 2, 29), date(2024, 3, 3)]


def test_centuries_are_leap_every_fourth() -> None:
    assert [days_in_month(year, 2) for year in (1900, 2000, 2023, 2024, 2100)] == [28, 29, 28, 29, 28]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (date(2007, 1, 15), date(2007, 1, 30), 15),
        (date(2007, 1, 15), date(2007, 2, 15), 30),
        (date(2007, 1, 15), date(2007, 7, 15), 180),
        (date(2007, 9, 30), date(2008, 3, 31), 180),
        (date(2007, 9, 30), date(2007, 10, 31), 30),
        (date(2007, 9, 30), date(2008, 9, 30), 360),
        (date(2007, 1, 15), date(2007, 1, 31), 16),
        (date(2007, 1, 31), date(2007, 2, 28), 28),
        (date(2007, 2, 28), date(2007, 3, 31), 33),
        (date(2006, 8, 31), date(2007, 2, 28), 178),
        (date(2007, 2, 28), date(2007, 8, 31), 183),
        (date(2008, 2, 29), date(2008, 3, 31), 32),
    ],
)
def test_30_360_is_the_bond_basis(start: date, end: date, days: int) -> None:
    """The rule by hand: D1 = 31 becomes 30; D2 = 31 becomes 30 only if D1 is 30 or 31; February is not special."""
    assert days_30_360(start, end) == days


def test_actual_counts_the_leap_day() -> None:
    assert days_actual(date(2024, 2, 28), date(2024, 3, 1)) == 2


def test_business_days_skip_weekends_and_holidays() -> None:
    assert is_weekend(date(2024, 6, 1))
    assert not is_weekend(date(2024, 6, 3))
    assert next_business_day(date(2024, 6, 3)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 1)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 1), {date(2024, 6, 3)}) == date(2024, 6, 4)
