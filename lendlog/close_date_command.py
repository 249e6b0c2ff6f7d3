"""`lendlog close-date DATE`: end business dates."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, recording, tell
from lendlog.signals import run_to_end
from services.ledger.commands import BookNotOpen, CloseDate
from shared.events.envelope import new_event_id

CLOSINGS_A_TRANSACTION = 100


def command(
    through: Annotated[
        datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The last date that is closed.")
    ],
    as_json: AsJson = False,
) -> None:
    """Close every business date from the open one through DATE; return once that is in the books."""
    document = run_to_end(_close(through.date()))
    emit(document, fields(document), as_json=as_json)


async def _close(through: date) -> dict[str, Any]:
    async with recording() as desk:
        day = await desk.commands.open_date()
        if day is None:
            raise BookNotOpen("Open the book on its first business date.")
        closings = [CloseDate(day + timedelta(days=n), new_event_id()) for n in range((through - day).days + 1)]
        for start in range(0, len(closings), CLOSINGS_A_TRANSACTION):
            part = closings[start : start + CLOSINGS_A_TRANSACTION]
            await desk.record(part)
            tell(f"closed {part[-1].business_date}")
        return {"closed": len(closings), "open_date": str(await desk.commands.open_date())}
