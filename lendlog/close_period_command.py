"""`lendlog close-period YYYY-MM`: make the figures of an accounting period final."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, recording
from lendlog.entry_command import By
from lendlog.reconcile_command import lender
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.before_close import before_close
from services.ledger.commands import ClosePeriod
from services.ledger.periods import Period, period_named
from shared.events.envelope import new_event_id


def command(
    period: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month, whose last date has been closed.")],
    by: By = "the command line",
    as_json: AsJson = False,
) -> None:
    """Close an accounting period: what is booked from now on counts in a later one. Tells what is still open."""
    document = run_to_end(_close(period_named(period), by))
    emit(document, _lines(document), as_json=as_json)


async def _close(period: Period, by: str) -> dict[str, Any]:
    known = lender()
    async with recording() as desk:
        report = await before_close(desk.commands, desk.books, known, period)
        event_id = new_event_id()
        await desk.record([ClosePeriod(period.last, by, event_id)])
        return {"closed": period.name, "closed_by": by, "event_id": event_id} | report


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"{document['closed']} is closed, by {document['closed_by']}"
    for code, one in document["currencies"].items():
        yield f"{code}: debits {one['debits']}, credits {one['credits']}, difference {one['difference']}"
    yield f"adjustments of earlier periods in it: {document['adjustments']}"
    for name, found in document["open_issues"].items():
        if found["count"]:
            rows = found["examples"]
            yield ""
            yield f"still open, {name.replace('_', ' ')}: {found['count']}" + _shown(found)
            columns = [column for column, value in rows[0].items() if not isinstance(value, list)]
            yield from table(rows, columns, left=len(columns))


def _shown(found: dict[str, Any]) -> str:
    shown = len(found["examples"])
    return f", of which {shown} are" if shown < found["count"] else ""
