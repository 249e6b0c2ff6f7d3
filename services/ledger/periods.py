"""Accounting periods: calendar months."""

import re
from dataclasses import dataclass
from datetime import date

from shared.calendar import days_in_month
from shared.errors import Refusal

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


class NotAPeriod(Refusal):
    """A period is a month, written YYYY-MM."""


class PeriodNotNamed(Refusal):
    """A period is named, or given by its first and last date."""


@dataclass(frozen=True, slots=True)
class Period:
    """A month, by its first and last date."""

    first: date
    last: date

    @property
    def name(self) -> str:
        """YYYY-MM."""
        return f"{self.last:%Y-%m}"


def period_named(text: str) -> Period:
    """The period of this name. Raises NotAPeriod."""
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) not in range(1900, 2200):
        raise NotAPeriod(f"{text[:20]!r} is not written YYYY-MM, such as 2025-01.", field="period")
    year, month = int(found[1]), int(found[2])
    return Period(date(year, month, 1), date(year, month, days_in_month(year, month)))


def period_or_dates(name: str | None, opens: date | None, closes: date | None) -> tuple[date, date, bool]:
    """First and last date of a period that was named, or given by both dates, and whether it was named. Raises
    NotAPeriod, PeriodNotNamed."""
    if (name is None) == (opens is None and closes is None) or (name is None and (opens is None or closes is None)):
        raise PeriodNotNamed("Name a period, such as 2025-01, or its first and last date.", field="period")
    if name is not None:
        period = period_named(name)
        return period.first, period.last, True
    assert opens is not None
    assert closes is not None
    return opens, closes, False
