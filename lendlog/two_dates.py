"""The dates that commands on figures take, and the lines in which reports tell them."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal

import typer

from lendlog.books import reading
from lendlog.signals import run_to_end
from lendlog.tables import table

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
From = Annotated[datetime, typer.Option("--from", formats=_DAY, help="The first date of the period.")]
To = Annotated[datetime, typer.Option(formats=_DAY, help="Its last date.")]
By = Annotated[
    Literal["booking", "value"],
    typer.Option(help="A period of booking dates, which once closed never changes, or of value dates."),
]
LATE = ("booking_date", "counts_from", "loan_id", "type", "event_id")


Figures = Callable[..., Awaitable[dict[str, Any]]]


def of_period(
    figures: Figures, opens: datetime, closes: datetime, by: str, known: datetime | None, effective: datetime | None
) -> dict[str, Any]:
    """A report of `services.ledger.queries` on a period, from the books at hand."""

    async def read() -> dict[str, Any]:
        async with reading() as (_, connection):
            dates = {"opens": opens.date(), "closes": closes.date(), "known": day(known), "effective": day(effective)}
            return await figures(connection, by=by, **dates)

    return run_to_end(read())


def day(given: datetime | None) -> date | None:
    """The date of an option."""
    return given.date() if given else None


def head(document: dict[str, Any]) -> str:
    """The dates that a report is of, in one line."""
    period = ""
    if "from" in document:
        period = f"from {document['from']} to {document['to']} by {document['by']} date, "
    return f"{period}known on {document['known']}, effective on {document['effective']}"


def late_lines(document: dict[str, Any]) -> Iterator[str]:
    """The late facts of a report."""
    if document["late_facts"]:
        yield ""
        yield "late facts:"
        yield from table(document["late_facts"], LATE, left=len(LATE))
        if document["late_facts_left_off"]:
            yield f"and {document['late_facts_left_off']} more"
