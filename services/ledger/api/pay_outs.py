"""Routes of money that goes out by file: what is due, files that were made of it, and what the bank says of them.

The file itself never comes here: it holds names and account numbers. `lendlog pay-out` makes it.
"""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import JSONResponse

from services.ledger.api.reading import After, wait_for
from services.ledger.api.serving import Calling
from services.ledger.bank.pain002 import FILE_BYTES_MAX
from shared.api import Body, Day, Route
from shared.events.bank import AccountId
from shared.events.envelope import EventId, Total
from shared.events.ledger import Reason
from shared.events.payment_files import ITEMS_MAX

PAY_OUT_BODIES = {"/v1/pay-outs": 1 << 20, "/v1/pay-outs/statuses": FILE_BYTES_MAX}
FileId = Annotated[EventId, Path()]


class NewPaymentFile(Body):
    """A file that was made. `file_id`, of the maker's choice, gives its message id; `disbursements` are in its order,
    `total` is its control sum."""

    file_id: EventId
    account: AccountId
    execution_date: Day
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    total: Total
    disbursements: Annotated[list[EventId], Field(min_length=1, max_length=ITEMS_MAX)]


class Voiding(Body):
    """Why a file is not sent."""

    reason: Reason


async def due(
    call: Calling,
    account: AccountId,
    until: Day,
    since: Annotated[
        Day | None, Query(description="The first value date; by default the account's pays_out_from.")
    ] = None,
    after: After = None,
) -> dict[str, Any]:
    """Disbursements of value dates up to `until` that a file out of the account would pay, and what it would leave out,
    with why."""
    await wait_for(call.services, after)
    return await call.services.pay_outs.due(account, until, since)


async def make(call: Calling, body: NewPaymentFile) -> JSONResponse:
    """State that a file was made which pays these disbursements; before it is sent. A disbursement stands in one live
    file alone. With the same `file_id` and hash again, nothing changes."""
    found = await call.services.pay_outs.make(
        body.file_id,
        body.account,
        execution_date=body.execution_date,
        sha256=body.sha256,
        total=body.total,
        disbursement_ids=body.disbursements,
        by=call.caller.name,
        correlation_id=call.correlation_id,
    )
    return _accepted(found)


async def files(call: Calling, after: After = None) -> dict[str, Any]:
    """The files, in order, with what became of their items."""
    await wait_for(call.services, after)
    return {"files": await call.services.pay_outs.files()}


async def void(call: Calling, file_id: FileId, body: Voiding) -> JSONResponse:
    """Say that a file is not sent: its disbursements are free for another one."""
    return _accepted(await call.services.pay_outs.void(file_id, body.reason, call.caller.name))


async def take_status(call: Calling) -> JSONResponse:
    """Take in a pain.002: what the bank says of a file is noted, and the disbursements that it rejects are undone, all
    or nothing. Sent again, it changes nothing, and says so (`repeated`)."""
    content = await call.request.body()
    return _accepted(await call.services.pay_outs.take_status(content, call.correlation_id))


def _accepted(document: dict[str, Any]) -> JSONResponse:
    """The answer, and where to wait for its last event; 200 where nothing was recorded."""
    if not (events := document["events"]):
        return JSONResponse(document, 200)
    return JSONResponse(document, 202, headers={"Location": f"/v1/pay-outs?after={events[-1]}"})


PAY_OUT_ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/pay-outs/due", due),
    ("GET", "/v1/pay-outs", files),
    ("POST", "/v1/pay-outs", make),
    ("POST", "/v1/pay-outs/statuses", take_status),
    ("POST", "/v1/pay-outs/{file_id}/void", void),
)
