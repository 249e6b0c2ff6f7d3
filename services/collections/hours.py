"""What time mends: hours by the borrower's clock, counts, and figures that are new enough; the gate's other half."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.collections.contact import Attempt, PartyFacts, PastContact
from services.collections.contact_policy import (
    ContactPolicy,
    Count,
    Counted,
    Freshness,
    Kind,
    ProductKind,
    Rest,
    Row,
    Scope,
    Window,
    permitted,
)
from services.collections.dated import in_force, next_change
from services.collections.local_time import DAY, local_date, next_minute, next_within, start_of_day

TRIES_MAX = 2_000
"""Steps of the search for the earliest time: one passes at least to the next change, window or day."""


def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name; None: there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def product_kind(party: PartyFacts) -> ProductKind:
    """Under whose rules a borrower's loans fall."""
    return "business" if party.kind == "business" else "personal"


class Clock:
    """The rows that concern one kind of contact, asked at any instant."""

    def __init__(
        self,
        policy: ContactPolicy,
        party: PartyFacts,
        log: Sequence[PastContact],
        closed_through: date | None,
        attempt: Attempt,
    ) -> None:
        zone = zone_of(party.time_zone)
        assert zone is not None
        self._zone, self._party, self._attempt, self._closed = zone, party, attempt, closed_through
        kind = Kind(product_kind(party), attempt.by, attempt.purpose, attempt.channel)
        self._rows = kind.rows(policy)
        self._log = [(local_date(one.at, zone), one) for one in log if one.outcome != "failed"]

    def denial(self, at: datetime) -> tuple[str, str] | None:
        """(rule, reason) that forbids the attempt at this instant; None: nothing does."""
        day = local_date(at, self._zone)
        rows = in_force(self._rows, day)
        if not permitted(rows):
            return "no-policy", f"No row of the contact policy permits this on {day}."
        for row in rows:
            if isinstance(row, Freshness) and (stale := self._stale(row, day)):
                return row.name, stale
        for row in rows:
            if self._next(row, at) > at:
                return row.name, f"{_words(row)}. {row.basis}"
        return None

    def earliest(self, at: datetime) -> datetime | None:
        """The first full minute, `at` included, at which nothing forbids the attempt; None: there is none."""
        at = next_minute(at)
        for _ in range(TRIES_MAX):
            day = local_date(at, self._zone)
            change = next_change(self._rows, day)
            limit = start_of_day(change, self._zone) if change else None
            rows = in_force(self._rows, day)
            if not permitted(rows):
                if limit is None:
                    return None
                at = limit
                continue
            if any(isinstance(row, Freshness) and self._stale(row, day) for row in rows):
                return None  # figures only grow older
            later = max((self._next(row, at) for row in rows), default=at)
            if later == at:
                return at
            at = later if limit is None else min(later, limit)
        return None

    def _stale(self, row: Freshness, day: date) -> str | None:
        if self._closed is None:
            return "The ledger has closed no date yet."
        behind = (day - self._closed).days - 1
        if behind <= row.days:
            return None
        return (
            f"The ledger's last closed date is {self._closed}, {behind} days behind; at most {row.days} are let pass."
        )

    def _next(self, row: Row, at: datetime) -> datetime:
        """The first instant from `at` on at which this row, taken alone, lets the attempt pass."""
        match row:
            case Window():
                if row.unless_consent in self._party.consents:
                    return at
                return next_within(at, self._zone, row.opens, row.closes)
            case Count():
                return self._next_counted(row, at)
            case Rest():
                return self._next_rested(row, at)
            case _:
                return at

    def _next_counted(self, row: Count, at: datetime) -> datetime:
        counted = sorted(day for day, one in self._log if self._counts(row, one))
        day = first = local_date(at, self._zone)
        while _fullest(counted, day, row.days) >= row.most:
            day += DAY
        return at if day == first else start_of_day(day, self._zone)

    def _counts(self, row: Count, one: PastContact) -> bool:
        return self._concerns(row, one) and (row.counts == "attempts" or _talked(one))

    def _next_rested(self, row: Rest, at: datetime) -> datetime:
        talked = {
            day
            for day, one in self._log
            if one.channel in row.channels
            and one.purpose in row.purposes
            and self._same(row.scope, one)
            and _talked(one)
        }
        day = first = local_date(at, self._zone)
        while any(0 <= (day - other).days < row.days for other in talked):
            day += DAY
        return at if day == first else start_of_day(day, self._zone)

    def _concerns(self, row: Count | Rest, one: PastContact) -> bool:
        return one.channel in row.channels and one.purpose in row.purposes and self._same(row.scope, one)

    def _same(self, scope: Scope, one: PastContact) -> bool:
        """Whether a past contact is about the same as the attempt. The vault holds one number for each channel."""
        match scope:
            case "borrower":
                return True
            case "number":
                return one.channel == self._attempt.channel
            case "debt":
                return None in (one.loan_id, self._attempt.loan_id) or one.loan_id == self._attempt.loan_id


def _talked(one: PastContact) -> bool:
    """Whether it was a conversation, or may have been one: of what is not concluded the outcome is not known."""
    return one.outcome in ("answered", "reserved", "unclear")


def _fullest(days: Sequence[date], day: date, span: int) -> int:
    """The most of `days` that any `span` consecutive days hold, `day` among them."""
    near = [(other - day).days for other in days if abs((other - day).days) < span]
    return max(sum(start <= distance < start + span for distance in near) for start in range(1 - span, 1))


_ABOUT: dict[tuple[Counted, Scope], str] = {
    ("attempts", "borrower"): "to reach the borrower",
    ("attempts", "number"): "to reach one number or address",
    ("attempts", "debt"): "about one debt",
    ("conversations", "borrower"): "with the borrower",
    ("conversations", "number"): "over one number or address",
    ("conversations", "debt"): "about one debt",
}


def _words(row: Row) -> str:
    """What a row asks for, without the full stop."""
    match row:
        case Window():
            consent = ", unless the borrower agrees to other hours" if row.unless_consent else ""
            return f"Only from {row.opens:%H:%M} until {row.closes:%H:%M} by the borrower's clock{consent}"
        case Count():
            span = "a day" if row.days == 1 else f"in {row.days} days"
            counted = row.counts if row.most > 1 else row.counts.removesuffix("s")
            return f"At most {row.most} {counted} {span} {_ABOUT[row.counts, row.scope]}"
        case Rest():
            return f"None within {row.days} days of a conversation, whose own day is the first of them"
        case _:
            return row.name
