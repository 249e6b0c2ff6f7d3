"""Routes of what is done at a period's end: valuation, and the close; and at a year's."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.entries import Approval
from services.ledger.api.reading import After, wait_for
from services.ledger.api.serving import Calling, accepted
from services.ledger.before_close import before_close
from services.ledger.commands import ClosePeriod
from services.ledger.commands.refusals import YearIsClosed
from services.ledger.periods import period_named
from services.ledger.valuation.policy import policy_on
from services.ledger.valuation.running import value_period
from services.ledger.year_end import closing_of_year, year_named
from shared.api import Route
from shared.events.entries import GENERAL_LEDGER
from shared.events.envelope import new_event_id

PeriodName = Annotated[str, Path(description="A month, as YYYY-MM.", max_length=20)]
YearName = Annotated[str, Path(description="A calendar year, as YYYY.", max_length=20)]
_GENERAL_LEDGER = f"/v1/loans/{GENERAL_LEDGER}/entries"
Preview = Annotated[bool, Query(description="Record nothing: answer with what the valuation would be.")]


async def value(call: Calling, period: PeriodName, preview: Preview = False) -> JSONResponse:
    """Value every loan that runs at the end of a month that is over, by the lender's policy; answer with the
    totals. Done twice it changes nothing, unless late facts changed a figure; cut short, it goes on from there."""
    end, services = period_named(period).last, call.services
    policy = policy_on(services.valuation_policy, end)
    record = None if preview else services.commands.record_many
    document = await value_period(services.ledger.acquire, end, policy, record)
    return JSONResponse(document, 200 if preview else 202)


async def close_period(call: Calling, period: PeriodName, body: Approval) -> JSONResponse:
    """Close an accounting period. Answers with what became final by it and what is still open."""
    month, once = period_named(period), call.once(body)
    commands = call.services.commands
    if once is not None and (recorded := await commands.recorded(once)):
        return accepted(recorded, place="/v1/periods")
    async with call.services.ledger.acquire() as connection:
        report = await before_close(commands, connection, call.services.bank.lender, month)
    command = ClosePeriod(month.last, call.caller.name, new_event_id())
    recorded = await commands.record(command, correlation_id=call.correlation_id, once=once)
    return accepted(recorded, place="/v1/periods", more=report)


async def close_year(call: Calling, year: YearName, body: Approval) -> JSONResponse:
    """Close a year whose last period is closed: its income and expense go to retained earnings. Answers with the
    lines."""
    end, once, services = year_named(year), call.once(body), call.services
    if once is not None and (recorded := await services.commands.recorded(once)):
        return accepted(recorded, place=_GENERAL_LEDGER)
    async with services.ledger.acquire() as connection:
        command = await closing_of_year(services.commands, connection, end, call.caller.name)
    recorded = await services.commands.record(command, correlation_id=call.correlation_id, once=once)
    if recorded.repeated:  # it is so by its id, whoever closed it
        raise YearIsClosed(f"{year} was closed before.", field="year")
    more = {"year": year, "lines": [line.model_dump() for line in command.lines]}
    return accepted(recorded, place=_GENERAL_LEDGER, more=more)


async def periods(call: Calling, after: After = None) -> dict[str, Any]:
    """Accounting periods that are closed: by whom, on which business date, at what time."""
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection:
        return {"periods": await queries.periods_view(connection)}


PERIOD_ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/periods", periods),
    ("POST", "/v1/periods/{period}/valuation", value),
    ("POST", "/v1/periods/{period}/close", close_period),
    ("POST", "/v1/years/{year}/close", close_year),
)
