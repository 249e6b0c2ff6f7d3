"""Routes of direct debits: mandates, runs and what the bank answers to them. A run's file is made on the command line,
where borrowers' accounts may be read."""

from typing import Annotated, Any

from fastapi import Path
from starlette.responses import JSONResponse

from services.ledger.api.reading import After, Loan, wait_for
from services.ledger.api.serving import Calling, accepted
from services.ledger.bank.pain002 import FILE_BYTES_MAX
from shared.api import Body, Day, Route
from shared.events.debits import Mandate, MandateReference, MandateWord, RunId, Scheme
from shared.events.ledger import Reason

REPORTS = "/v1/debit-runs/status-reports"
DEBIT_BODIES = {REPORTS: FILE_BYTES_MAX}
Run = Annotated[RunId, Path()]


class NewMandate(Body):
    """A mandate as the borrower signed it."""

    reference: MandateReference
    signed_on: Day
    scheme: Scheme


class WordOnMandate(Body):
    """Which of the loan's mandates, and why."""

    reference: MandateReference
    reason: Reason


class NewVoid(Body):
    """Why the run was never sent."""

    reason: Reason


async def sign_mandate(call: Calling, loan_id: Loan, body: NewMandate) -> JSONResponse:
    """Note a mandate to debit the borrower's account for the loan; it takes the place of an earlier one."""
    mandate = Mandate.model_validate(body.model_dump())
    recorded = await call.services.debits.sign(loan_id, mandate, once=call.once(body))
    return accepted(recorded, place=f"/v1/loans/{loan_id}/mandates", loan_id=loan_id)


async def revoke_mandate(call: Calling, loan_id: Loan, body: WordOnMandate) -> JSONResponse:
    """Take a mandate back: nothing is debited by it any more."""
    word = MandateWord(reference=body.reference, reason=body.reason)
    recorded = await call.services.debits.revoke(loan_id, word, once=call.once(body))
    return accepted(recorded, place=f"/v1/loans/{loan_id}/mandates", loan_id=loan_id)


async def resume_mandate(call: Calling, loan_id: Loan, body: WordOnMandate) -> JSONResponse:
    """Use a mandate again that a returned debit had suspended."""
    word = MandateWord(reference=body.reference, reason=body.reason)
    recorded = await call.services.debits.resume(loan_id, word, once=call.once(body))
    return accepted(recorded, place=f"/v1/loans/{loan_id}/mandates", loan_id=loan_id)


async def mandates_of(call: Calling, loan_id: Loan, after: After = None) -> dict[str, Any]:
    """The mandates of a loan, each with its state."""
    await wait_for(call.services, after)
    return {"mandates": await call.services.debits.mandates(loan_id)}


async def runs(call: Calling, after: After = None) -> dict[str, Any]:
    """The runs of direct debits, with how many of their items are what."""
    await wait_for(call.services, after)
    return {"runs": await call.services.debits.runs()}


async def run(call: Calling, run_id: Run, after: After = None) -> dict[str, Any]:
    """A run with its items, and what becomes of each."""
    await wait_for(call.services, after)
    return await call.services.debits.run(run_id)


async def void_run(call: Calling, run_id: Run, body: NewVoid) -> JSONResponse:
    """Take back a run that was never sent: its instalments may stand in another."""
    recorded = await call.services.debits.void(run_id, body.reason, once=call.once(body))
    return accepted(recorded, place=f"/v1/debit-runs/{run_id}")


async def take_report(call: Calling) -> JSONResponse:
    """Take in a status report (pain.002) of a run: what it rejects is noted, all or nothing; the same again changes
    nothing."""
    found = await call.services.debits.report(await call.request.body(), call.correlation_id)
    if not (events := found["events"]):
        return JSONResponse(found, 200)
    place = f"/v1/debit-runs/{found['run_id']}?after={events[-1]}"
    return JSONResponse(found, 202, headers={"Location": place})


DEBIT_ROUTES: tuple[Route, ...] = (
    ("POST", "/v1/loans/{loan_id}/mandates", sign_mandate),
    ("GET", "/v1/loans/{loan_id}/mandates", mandates_of),
    ("POST", "/v1/loans/{loan_id}/mandates/revocation", revoke_mandate),
    ("POST", "/v1/loans/{loan_id}/mandates/resumption", resume_mandate),
    ("GET", "/v1/debit-runs", runs),
    ("POST", REPORTS, take_report),
    ("GET", "/v1/debit-runs/{run_id}", run),
    ("POST", "/v1/debit-runs/{run_id}/void", void_run),
)
