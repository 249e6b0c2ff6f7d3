"""The two dates of every figure (D12): as known on a booking date, effective on a value date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.commands.refusals import BookNotOpen
from services.ledger.engine.facts import ContractFact, Fact, PaymentFact
from services.ledger.fact_reading import stored_facts
from shared.errors import Refusal
from shared.merkle import record_of
from shared.schedules.resets import Rates


class AsOfAhead(Refusal):
    """The books know nothing of a date that is still to come."""


class DatesDiffer(Refusal):
    """One value date was named twice, and not the same."""


class PeriodReversed(Refusal):
    """The period ends before it begins."""


@dataclass(frozen=True, slots=True)
class Dates:
    """What was booked on dates up to `known`, of value dates up to `effective`; both included."""

    known: date
    effective: date

    @property
    def day(self) -> date:
        """The date that figures are told on. A value date after `known` lets in what was booked for it already; nobody
        knew more of the time between, so that no instalment falls due in it."""
        return min(self.known, self.effective)

    def document(self) -> dict[str, str]:
        """Both, as every report tells them."""
        return {"known": self.known.isoformat(), "effective": self.effective.isoformat()}


def dates_within(opened: date | None, known: date | None, effective: date | None, *, field: str = "effective") -> Dates:
    """The dates asked for, each the open date where it was not. Raises AsOfAhead for a date after the open one (of the
    value date at `field`), BookNotOpen."""
    if opened is None:
        raise BookNotOpen("Open the book on its first business date.")
    for name, day in (("known", known), (field, effective)):
        if day is not None and day > opened:
            raise AsOfAhead(f"{day} is after the open date {opened}.", field=name)
    return Dates(known or opened, effective or opened)


# The open date of all partitions: while a closing is under way, the one that is still open somewhere.
_OPEN = "SELECT CASE WHEN count(*) = count(open_date) THEN min(open_date) END FROM position"


async def open_date(connection: Any) -> date | None:
    """The open date of all partitions, None before the book is open."""
    opened: date | None = await connection.fetchval(_OPEN)
    return opened


async def dates_of_book(connection: Any, known: date | None, effective: date | None) -> Dates:
    """As `dates_within`, of the whole book."""
    return dates_within(await open_date(connection), known, effective)


async def period_of_book(
    connection: Any, opens: date, closes: date, known: date | None, effective: date | None
) -> Dates:
    """The same for a period that is over or under way. Raises PeriodReversed besides."""
    opened = await open_date(connection)
    if closes < opens:
        raise PeriodReversed(f"{closes} is before {opens}.", field="to")
    dates_within(opened, None, closes, field="to")
    return dates_within(opened, known, effective)


def known_rows(rows: Sequence[Any], dates: Dates) -> list[Any]:
    """Rows of `event` that were in the books on `known`: at the end of that date, where it is closed."""
    return [row for row in rows if row["booking_date"] <= dates.known]


def facts_at(rows: Sequence[Any], dates: Dates, rates: Rates) -> list[Fact]:
    """What stood on `known` of a loan's facts, given as all its rows of `event` in order, with value dates up to
    `effective`. A contract of a later value date counts where more than payments depends on it. `rates` may be those of
    now: what was published later concerns later resets."""
    known = known_rows(rows, dates)
    value_dates = {str(row["event_id"]): row["effective_date"] for row in known}
    facts = facts_of_rows(known, rates)
    counted = {fact.event_id for fact in facts if value_dates[fact.event_id] <= dates.effective}
    begun = any(fact.event_id in counted and not isinstance(fact, ContractFact | PaymentFact) for fact in facts)
    return [fact for fact in facts if fact.event_id in counted or (begun and isinstance(fact, ContractFact))]


def facts_of_rows(rows: Sequence[Any], rates: Rates) -> list[Fact]:
    """The facts of rows of `event`, of a partition that has these reference rates."""
    return stored_facts(((row["offset"], row["effective_date"], record_of(row["record"])) for row in rows), rates)
