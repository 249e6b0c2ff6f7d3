"""Instants by the borrower's own clock: when a local day begins, and when a daily window opens, clock changes included.

Instants are aware datetimes in UTC. Clocks change at night; a window lies in the day (see `contact_policy.Window`), so
that it opens exactly once a day and no change falls into it.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def local_date(at: datetime, zone: ZoneInfo) -> date:
    """The date on the borrower's calendar."""
    return at.astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day. Where the clock jumps over midnight, or over the whole day, that of the jump:
    `fold=0` reads a wall time that does not exist by the clock of before (PEP 495)."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def within(at: datetime, zone: ZoneInfo, opens: time, closes: time) -> bool:
    """Whether the borrower's clock shows `opens` or later, and earlier than `closes`."""
    return opens <= at.astimezone(zone).time() < closes


def next_within(at: datetime, zone: ZoneInfo, opens: time, closes: time) -> datetime:
    """The first instant at or after `at` inside of the window."""
    if within(at, zone, opens, closes):
        return at
    day = local_date(at, zone)
    while True:
        start = datetime.combine(day, opens, zone).astimezone(UTC)
        if start >= at and within(start, zone, opens, closes):
            return start
        day += DAY  # today's window is over; or the calendar of the zone has no such day


def next_minute(at: datetime) -> datetime:
    """`at`, or the full minute after it."""
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE
