"""The dates that commands on figures take, and the lines in which reports tell them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import typer

from lendlog.books import reading
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.periods import period_or_dates

_DAY = ["%Y-%m-%d"]
Known = Annotated[
    datetime | None, typer.Option(formats=_DAY, help="As booked on dates up to this one; else the open date.")
]
Effective = Annotated[
    datetime | None, typer.Option(formats=_DAY, help="Of value dates up to this one; else the open date.")
]
AsOf = Annotated[
    datetime | None, typer.Option("--as-of", formats=_DAY, help="Of value dates up to this one; else the open date.")
]
From = Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="The first date of the period.")]
To = Annotated[datetime | None, typer.Option(formats=_DAY, help="Its last date.")]
Named = Annotated[
    str | None,
    typer.Option("--period", metavar="YYYY-MM", help="An accounting period: once closed, its figures never change."),
]
By = Annotated[
    Literal["booking", "value", "accounting"] | None,
    typer.Option(help="A period of booking dates, value dates, or accounting dates; --period is of accounting dates."),
]
Placed = Annotated[
    bool, typer.Option("--bank-accounts", help="Also cash by the lender's bank accounts, as their lines stand for it.")
]
LATE = ("booking_date", "counts_from", "loan_id", "type", "event_id")


Figures = Callable[..., Awaitable[dict[str, Any]]]


def of_period(
    figures: Figures,
    name: str | None,
    opens: datetime | None,
    closes: datetime | None,
    by: str | None,
    known: datetime | None,
    effective: datetime | None,
) -> dict[str, Any]:
    """A report of `services.ledger.queries` on a period, named or from one date to another, from the books at hand.
    Raises PeriodNotNamed, NotAPeriod."""
    first, last, named = period_or_dates(name, day(opens), day(closes))
    axis = by or ("accounting" if named else "booking")

    async def read() -> dict[str, Any]:
        async with reading() as (_, connection):
            dates = {"opens": first, "closes": last, "known": day(known), "effective": day(effective)}
            return await figures(connection, by=axis, **dates)

    return run_to_end(read())


def day(given: datetime | None) -> date | None:
    """The date of an option."""
    return given.date() if given else None


def head(document: dict[str, Any]) -> str:
    """The dates that a report is of, in one line."""
    period = ""
    if "from" in document:
        period = f"from {document['from']} to {document['to']} by {document['by']} date, "
    if "through" in document:
        period = f"accounted through {document['through']}, "
    if "closed" in document:
        return period + ("closed" if document["closed"] else "open: figures can still change")
    return f"{period}known on {document['known']}, effective on {document['effective']}"


def late(document: dict[str, Any]) -> str:
    """What is late in a report, in words."""
    return "adjustments of earlier periods" if document["by"] == "accounting" else "late"


def placed_lines(one: dict[str, Any], columns: Sequence[str]) -> Iterator[str]:
    """Cash of a currency by bank account, where that was asked for."""
    if "bank_accounts" in one:
        yield ""
        named = [row | {"cash": row["bank_account"] or "not at a known account"} for row in one["bank_accounts"]]
        yield from table(named, ("cash", *columns))


def late_lines(document: dict[str, Any]) -> Iterator[str]:
    """The late facts of a report."""
    if document["late_facts"]:
        yield ""
        yield "late facts:" if document["by"] != "accounting" else "facts that adjust earlier periods:"
        yield from table(document["late_facts"], LATE, left=len(LATE))
        if document["late_facts_left_off"]:
            yield f"and {document['late_facts_left_off']} more"
