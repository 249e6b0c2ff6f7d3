"""Commands that are tried out on the books before they are recorded, and previews, which record nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.reading import unknown, wait_for
from services.ledger.api.serving import Services, accepted
from services.ledger.commands import (
    RESTRUCTURINGS,
    ChangedMeanwhile,
    LoanCommand,
    ServiceLoan,
    Standing,
    standing_of,
)
from shared.api import Call

Preview = Annotated[
    bool, Query(description="Record nothing: answer 200 with the loan before and after, and the difference.")
]
ATTEMPTS = 3
"""How often a command is tried out when others come in between; after that the caller looks again."""


async def record_tried(
    call: Call[Services], command: LoanCommand, body: BaseModel, *, preview: bool, named: Sequence[str] = ()
) -> JSONResponse:
    """Try the command out, then record it and answer 202; with `preview` answer 200 with what it would change.

    It is tried out on books that have all that was recorded here for the loan, payments apart, and the events `named`.
    Raises the refusals of the command's rules, BreaksRule, UnknownLoan, LoanIsParked and ChangedMeanwhile.
    """
    place, once = f"/v1/loans/{command.loan_id}", None if preview else call.once(body)
    commands = call.services.commands
    if once is not None and (recorded := await commands.recorded(once)):
        return accepted(recorded, place=place, loan_id=command.loan_id)
    for attempt in range(1, ATTEMPTS + 1):
        standing, document = await _tried(call.services, command, named)
        if preview:
            return JSONResponse(document)
        try:
            recorded = await commands.record(command, correlation_id=call.correlation_id, once=once, standing=standing)
        except ChangedMeanwhile:
            if attempt == ATTEMPTS:
                raise
        else:
            return accepted(recorded, place=place, loan_id=command.loan_id)
    raise AssertionError("the last attempt returns or raises")


async def preview_of(call: Call[Services], command: LoanCommand, *, named: Sequence[str] = ()) -> JSONResponse:
    """The preview of a command that is recorded without a trial."""
    _, document = await _tried(call.services, command, named)
    return JSONResponse(document)


async def _tried(services: Services, command: LoanCommand, named: Sequence[str]) -> tuple[Standing, dict[str, Any]]:
    """The loan's standing on which the command was tried out, and the preview."""
    restructures = isinstance(command, ServiceLoan) and command.restructures
    last = await services.commands.last_event(command.loan_id)
    last_restructuring = await services.commands.last_event(RESTRUCTURINGS) if restructures else None
    for event_id in {last, last_restructuring}:
        await wait_for(services, event_id)
    for event_id in named:
        if await services.commands.is_recorded(event_id):
            await wait_for(services, event_id)
    would = None
    async with services.ledger.acquire() as connection, queries.snapshot(connection):
        found = await queries.account(connection, command.loan_id)
        if found is not None and restructures:
            would = await queries.restructuring(connection, found)
    standing = replace(
        standing_of(found.facts if found is not None else (), last),
        last_restructuring=last_restructuring,
        restructuring=would,
    )
    event, on = await services.commands.propose(command, standing)
    if found is None:
        raise unknown(command.loan_id)
    return standing, queries.preview(found, event, on, restructuring=would)
