"""Routes of what is done at a period's end."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import JSONResponse

from services.ledger.api.serving import Calling
from services.ledger.valuation.policy import policy_on
from services.ledger.valuation.running import period_end, value_period
from shared.api import Route

Period = Annotated[str, Path(description="A month, as YYYY-MM.", max_length=20)]
Preview = Annotated[bool, Query(description="Record nothing: answer with what the valuation would be.")]


async def value(call: Calling, period: Period, preview: Preview = False) -> JSONResponse:
    """Value every loan that runs at the end of a month that is over, by the lender's policy; answer with the
    totals. Done twice it changes nothing, unless late facts changed a figure; cut short, it goes on from there."""
    end, services = period_end(period), call.services
    policy = policy_on(services.valuation_policy, end)
    record = None if preview else services.commands.record_many
    document = await value_period(services.ledger.acquire, end, policy, record)
    return JSONResponse(document, 200 if preview else 202)


PERIOD_ROUTES: tuple[Route, ...] = (("POST", "/v1/periods/{period}/valuation", value),)
