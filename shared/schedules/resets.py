"""When the rate of a loan that follows a published one is reset, and to what: functions of dates and decimals."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Context, Decimal

from shared.calendar import add_months
from shared.events.terms import ReferenceRate, ResetEveryMonths

Published = Mapping[date, str]
"""The values of one index, by the date from which each is in force."""
Rates = Mapping[str, Published]
"""All that was published, by index."""
_EXACT = Context(prec=20)
"""Two rates of one digit and eight decimals add up to less."""


def next_reset(reference: ReferenceRate, *, start: date, after: date) -> date | None:
    """The first reset date after both dates, of a loan whose first money was paid out on `start`; None past the year
    9999."""
    resets = reference.resets
    try:
        if isinstance(resets, ResetEveryMonths):
            passed = (after.year - start.year) * 12 + after.month - start.month
            count = max(1, passed // resets.months)
            while (day := add_months(start, count * resets.months)) <= after:
                count += 1
            return day
        since = max(start, after)
        day = date(since.year, resets.month, resets.day)
        return day if day > since else day.replace(year=since.year + 1)
    except (OverflowError, ValueError):
        return None


def in_force(published: Published, on: date) -> str | None:
    """The value of an index on a day, if one was published for it or for a day before."""
    since = max((day for day in published if day <= on), default=None)
    return None if since is None else published[since]


def index_value(reference: ReferenceRate, published: Published, reset_on: date) -> str | None:
    """The value that a reset looks at."""
    lookback = timedelta(days=reference.lookback_days)
    return in_force(published, reset_on - lookback) if reset_on - date.min >= lookback else None


def reset_rate(reference: ReferenceRate, value: str) -> str:
    """The annual rate by an index of this value: with the spread, no less than the floor or zero, no more than the
    cap."""
    rate = _EXACT.add(Decimal(value), Decimal(reference.spread))
    rate = max(rate, Decimal(reference.floor or "0"))
    if reference.cap is not None:
        rate = min(rate, Decimal(reference.cap))
    return f"{rate.normalize():f}"
