"""Readings of the books: waiting until an event is in, and what is not there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query

from services.ledger import queries
from services.ledger.api.serving import Services
from shared.api import Day
from shared.errors import Refusal
from shared.events.envelope import EventId, LoanId
from shared.problems import Problem

Loan = Annotated[LoanId, Path()]
After = Annotated[EventId | None, Query(description="Answer once this event is in the books.")]

Known = Annotated[Day | None, Query(description="As booked on dates up to this one; by default the open date.")]
Effective = Annotated[Day | None, Query(description="Of value dates up to this one; by default the open date.")]
AsOf = Annotated[Day | None, Query(description="The same as `effective`.", deprecated=True)]

PAGE, PAGE_MAX = 500, 5_000
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[EventId | None, Query(description="`next_cursor` of the page before; its other filters again.")]


class UnknownLoan(Refusal):
    """The books hold no such loan."""

    status = 404


async def reading(
    services: Services, loan_id: str, after: str | None, view: Callable[[Any], Awaitable[dict[str, Any] | None]]
) -> dict[str, Any]:
    """The view of a loan once the event `after` is in the books. Raises UnknownLoan."""
    await wait_for(services, after)
    async with services.ledger.acquire() as connection:
        found = await view(connection)
    if found is None:
        raise unknown(loan_id)
    return found


def unknown(loan_id: str) -> UnknownLoan:
    """The refusal of a loan that the books don't hold."""
    return UnknownLoan(f"The books hold no loan {loan_id}; what was accepted may be on its way: use ?after=.")


def page(name: str, rows: Sequence[dict[str, Any]], key: str, limit: int) -> dict[str, Any]:
    """One page of rows, of which one more than `limit` were read to know whether it is the last; `next_cursor` is the
    id of its last row, null on the last page."""
    shown = list(rows[:limit])
    return {name: shown, "next_cursor": shown[-1][key] if len(rows) > limit else None}


def on_dates(known: date | None, effective: date | None, as_of: date | None = None) -> dict[str, Any]:
    """The dates as the queries take them. Raises DatesDiffer."""
    if effective is not None and as_of is not None and effective != as_of:
        raise queries.DatesDiffer(f"effective is {effective}, as_of {as_of}.", field="as_of")
    field = "effective" if as_of is None else "as_of"
    return {"known": known, "effective": as_of if effective is None else effective, "field": field}


async def wait_for(services: Services, event_id: str | None) -> None:
    """Until the event is in the books; a 504 problem when that takes longer than the services' `wait_seconds`.

    No connection is held in between: those who wait don't keep others from reading.
    """
    deadline, pause = time.monotonic() + services.wait_seconds, 0.004
    while event_id is not None:
        async with services.ledger.acquire() as connection:
            if await queries.event_is_in(connection, event_id):
                return
        if time.monotonic() > deadline:
            detail = f"Event {event_id} was not in the books within {services.wait_seconds:g} s."
            raise Problem(504, "not-in-the-books-yet", "The event is not in the books yet.", detail)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
