"""Commands that are tried out on the books before they are recorded, and previews, which record nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
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
from services.ledger.queries import Account
from shared.api import Call

Preview = Annotated[
    bool, Query(description="Record nothing: answer 200 with the loan before and after, and the difference.")
]


@dataclass(frozen=True, slots=True)
class Tried:
    """A command's loan as the books have it, its standing, the command's value date, and the preview."""

    account: Account
    standing: Standing
    on: date
    document: dict[str, Any]


ATTEMPTS = 3
"""How often a command is tried out when others come in between; after that the caller looks again."""


async def record_tried(
    call: Call[Services], command: LoanCommand, body: BaseModel, *, preview: bool, named: Sequence[str] = ()
) -> JSONResponse:
    """Try the command out, then record it and answer 202; with `preview` answer 200 with what it would change.

    It is tried out on books that have all that was recorded here for the loan, payments apart, and the events `named`.
    Raises the refusals of the command's rules, BreaksRule, UnknownLoan, LoanIsParked and ChangedMeanwhile.
    """
    return await record_together(call, [command], body, preview=preview, named=named)


def nothing_more(_trials: Sequence[Tried]) -> None:
    """The rules of the commands are all that there are."""


async def record_together(
    call: Call[Services],
    commands: Sequence[LoanCommand],
    body: BaseModel,
    *,
    preview: bool,
    named: Sequence[str] = (),
    check: Callable[[Sequence[Tried]], None] = nothing_more,
) -> JSONResponse:
    """The same for commands on several loans, one each, which are recorded together or not at all. `check` may refuse
    what the trials show. The preview of the first one has those of the others as `others`."""
    loan_id = commands[0].loan_id
    place, once = f"/v1/loans/{loan_id}", None if preview else call.once(body)
    recorder = call.services.commands
    if once is not None and (recorded := await recorder.recorded(once)):
        return accepted(recorded, place=place, loan_id=loan_id)
    for attempt in range(1, ATTEMPTS + 1):
        trials = await _tried(call.services, commands, named)
        check(trials)
        if preview:
            others = [one.document for one in trials[1:]]
            return JSONResponse(trials[0].document | ({"others": others} if others else {}))
        standings = {one.account.loan_id: one.standing for one in trials}
        try:
            recorded = await recorder.record_together(
                commands, correlation_id=call.correlation_id, once=once, standings=standings
            )
        except ChangedMeanwhile:
            if attempt == ATTEMPTS:
                raise
        else:
            return accepted(recorded, place=place, loan_id=loan_id)
    raise AssertionError("the last attempt returns or raises")


async def preview_of(call: Call[Services], command: LoanCommand, *, named: Sequence[str] = ()) -> JSONResponse:
    """The preview of a command that is recorded without a trial."""
    (tried,) = await _tried(call.services, [command], named)
    return JSONResponse(tried.document)


async def booked_account(services: Services, loan_id: str) -> Account | None:
    """The loan on books that have all that was recorded here of it, payments apart."""
    await wait_for(services, await services.commands.last_event(loan_id))
    async with services.ledger.acquire() as connection:
        return await queries.account(connection, loan_id)


async def _tried(services: Services, commands: Sequence[LoanCommand], named: Sequence[str]) -> list[Tried]:
    """Each command tried out on the books."""
    for event_id in named:
        if await services.commands.is_recorded(event_id):
            await wait_for(services, event_id)
    found = {command.loan_id: await _standing(services, command) for command in commands}
    standings = {loan_id: standing for loan_id, (_, standing) in found.items()}
    trials = []
    for command in commands:
        event, on = await services.commands.propose(command, standings)
        account, standing = found[command.loan_id]
        if account is None:
            raise unknown(command.loan_id)
        document = queries.preview(account, event, on, restructuring=standing.restructuring)
        trials.append(Tried(account, standing, on, document))
    return trials


async def _standing(services: Services, command: LoanCommand) -> tuple[Account | None, Standing]:
    """The command's loan on books that have all that was recorded here of it, payments apart, and what it stands on."""
    restructures = isinstance(command, ServiceLoan) and command.restructures
    last = await services.commands.last_event(command.loan_id)
    last_restructuring = await services.commands.last_event(RESTRUCTURINGS) if restructures else None
    for event_id in {last, last_restructuring}:
        await wait_for(services, event_id)
    async with services.ledger.acquire() as connection, queries.snapshot(connection):
        account = await queries.account(connection, command.loan_id)
        would = await queries.restructuring(connection, account) if account is not None and restructures else None
    standing = standing_of(account.facts if account is not None else (), last)
    return account, replace(standing, last_restructuring=last_restructuring, restructuring=would)
