"""`lendlog close-year YYYY`: take the result of a year to retained earnings."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, recording
from lendlog.entry_command import By
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.commands.refusals import YearIsClosed
from services.ledger.year_end import closing_of_year, year_named


def command(
    year: Annotated[str, typer.Argument(metavar="YYYY", help="The calendar year, whose last period is closed.")],
    by: By = "the command line",
    as_json: AsJson = False,
) -> None:
    """Close a year: its income and expense go to retained earnings, on its last date. Return once that is booked."""
    document = run_to_end(_close(year_named(year), by))
    emit(document, _lines(document), as_json=as_json)


async def _close(year_end: date, by: str) -> dict[str, Any]:
    async with recording() as desk:
        asked = await closing_of_year(desk.commands, desk.books, year_end, by)
        (recorded,) = await desk.record([asked])
        if recorded.repeated:
            raise YearIsClosed(f"{year_end.year} was closed before.")
        lines = [line.model_dump() for line in asked.lines]
        return {"closed": f"{year_end:%Y}", "closed_by": by, "event_id": asked.event_id, "lines": lines}


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"{document['closed']} is closed, by {document['closed_by']}"
    if document["lines"]:
        yield ""
        yield from table(document["lines"], ("debit", "credit", "amount", "currency"))
