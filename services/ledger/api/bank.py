"""Routes of reconciliation: a statement is sent as the bank gave it, and its lines are matched by people."""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field, StringConstraints, model_validator
from starlette.responses import JSONResponse

from services.ledger.api.reading import PAGE, After, Cursor, Limit, page, wait_for
from services.ledger.api.serving import Calling
from services.ledger.bank.desk import FILE_BYTES_MAX
from shared.api import Body, Route
from shared.events.bank import AccountId, Outcome
from shared.events.envelope import Amount, EventId, LoanId
from shared.events.ledger import Reason

BANK_BODIES = {"/v1/bank/statements": FILE_BYTES_MAX}
PARTS_MAX = 50
FACTS_MAX = 1_000
"""Payments that one line may be: the cash of a branch over several days."""
LineId = Annotated[EventId, Path()]
Profile = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] | None,
    Query(description="The CSV profile of a file that is no XML."),
]


class NewMatch(Body):
    """What a line is: a payment for `loan_id`, the fact `event_id` of the books, the payments `event_ids` together, a
    `transfer` from or to another account of the lender's own, or none of the book's business."""

    loan_id: LoanId | None = None
    event_id: EventId | None = None
    event_ids: Annotated[list[EventId], Field(min_length=1, max_length=FACTS_MAX)] | None = None
    transfer: AccountId | None = None
    outside: bool = False
    reason: Reason

    @model_validator(mode="after")
    def _one(self) -> "NewMatch":
        named = (self.loan_id, self.event_id, self.event_ids, self.transfer)
        if sum(one is not None for one in named) + self.outside != 1:
            raise ValueError("name one of loan_id, event_id, event_ids, transfer and outside")
        if self.event_ids is not None and len(set(self.event_ids)) < len(self.event_ids):
            raise ValueError("name each of event_ids once")
        return self


class NewPart(Body):
    """A part of a line, in its currency, that is a payment for a loan."""

    loan_id: LoanId
    amount: Amount


class NewSplit(Body):
    """Parts that add up to the line."""

    parts: Annotated[list[NewPart], Field(min_length=1, max_length=PARTS_MAX)]
    reason: Reason


class NewUnmatch(Body):
    """Why the line is not what it was matched to."""

    reason: Reason


async def take_statement(call: Calling, profile: Profile = None) -> JSONResponse:
    """Take in the statements of a file, all or none: camt.053, or CSV with `?profile=`. Sent again, it changes nothing,
    and says so (`repeated`)."""
    content = await call.request.body()
    return _accepted(await call.services.bank.take(content, profile, call.correlation_id))


async def statements(call: Calling, after: After = None) -> dict[str, Any]:
    """Statements that were taken, with how many of their lines are what."""
    await wait_for(call.services, after)
    return {"statements": await call.services.bank.statements()}


async def lines(
    call: Calling,
    outcome: Outcome | None = None,
    account: AccountId | None = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """Lines as they are now, those of one outcome or account where it is named, a page at a time."""
    await wait_for(call.services, after)
    found = await call.services.bank.lines(outcome, account, beyond=cursor, limit=limit + 1)
    return page("lines", found, "line_id", limit)


async def match_line(call: Calling, line_id: LineId, body: NewMatch) -> JSONResponse:
    """Say what a line is; what it was matched to before is taken back in the same transaction."""
    if body.event_ids is not None:
        return _accepted(await call.services.bank.match_all(line_id, body.event_ids, body.reason))
    found = await call.services.bank.match(
        line_id,
        loan_id=body.loan_id,
        event_id=body.event_id,
        transfer=body.transfer,
        outside=body.outside,
        reason=body.reason,
    )
    return _accepted(found)


async def split_line(call: Calling, line_id: LineId, body: NewSplit) -> JSONResponse:
    """Make a line several payments."""
    parts = [(part.loan_id, part.amount) for part in body.parts]
    return _accepted(await call.services.bank.split(line_id, parts, body.reason))


async def unmatch_line(call: Calling, line_id: LineId, body: NewUnmatch) -> JSONResponse:
    """Match a line to nothing: what came in waits in suspense again."""
    return _accepted(await call.services.bank.unmatch(line_id, body.reason))


def _accepted(document: dict[str, Any]) -> JSONResponse:
    """The answer, and where to wait for its last event; 200 where nothing was recorded."""
    if not (events := document["events"]):
        return JSONResponse(document, 200)
    return JSONResponse(document, 202, headers={"Location": f"/v1/bank/lines?after={events[-1]}"})


BANK_ROUTES: tuple[Route, ...] = (
    ("POST", "/v1/bank/statements", take_statement),
    ("GET", "/v1/bank/statements", statements),
    ("GET", "/v1/bank/lines", lines),
    ("POST", "/v1/bank/lines/{line_id}/match", match_line),
    ("POST", "/v1/bank/lines/{line_id}/split", split_line),
    ("POST", "/v1/bank/lines/{line_id}/unmatch", unmatch_line),
)
