"""Routes about contacts: the gate, reservations and what became of them, reminders, lessons."""

from typing import Any

from fastapi.responses import JSONResponse

from services.collections import metrics
from services.collections.api.bodies import ConclusionBody, ContactBody, DispatchBody, Instant
from services.collections.api.serving import Calling, instant
from services.collections.commands import contacts
from services.collections.commands.contacts import Reservation
from services.collections.commands.memory import borrower_key
from services.collections.commands.refusals import ContactDenied, UnknownContact
from services.collections.contact import Attempt, Denied
from services.collections.contact_policy import Actor
from services.collections.letters import Stage, language_for, lessons_for
from services.collections.queries import verdict_document
from shared.api import Route
from shared.events.collections import ContactPurpose
from shared.events.envelope import BorrowerId, EventId, LoanId
from shared.events.parties import Channel

LISTED_MOST = 500


async def check(
    call: Calling,
    borrower_id: BorrowerId,
    channel: Channel,
    purpose: ContactPurpose,
    at: Instant | None = None,
    loan_id: LoanId | None = None,
    by: Actor = "lender",
) -> dict[str, Any]:
    """What the gate says; nothing is reserved, so by the time of an attempt it may say something else."""
    moment = at or instant(call, None)
    attempt = Attempt(moment, channel, purpose, by, loan_id)
    async with call.services.commands.unit(reading=(borrower_key(borrower_id),)) as unit:
        verdict = await contacts.verdict_on(unit, call.services.books, borrower_id, attempt)
    return {"borrower_id": borrower_id} | verdict_document(attempt, verdict)


async def reserve(call: Calling, borrower_id: BorrowerId, body: ContactBody) -> JSONResponse:
    """Ask the gate and reserve the attempt. Who gets an id makes the attempt, and says afterwards what became of it."""
    attempt = Attempt(instant(call, body.at), body.channel, body.purpose, loan_id=body.loan_id)
    once = call.once(body)
    async with call.services.commands.unit(
        borrower_key(borrower_id), once=once, correlation_id=call.correlation_id
    ) as unit:
        if unit.answered is None:
            wanted = Reservation(attempt, call.caller.name, about=body.about)
            reserved = await contacts.reserve(unit, call.services.books, call.services.inbox, borrower_id, wanted)
            if isinstance(reserved, Denied):
                metrics.DENIED.labels(reserved.rule).inc()
                raise _denied(reserved)
            unit.answer(reserved.model_dump(mode="json"))
    return call.accepted(unit, place=f"/v1/contacts/{(unit.document or {})['contact_id']}")


def _denied(verdict: Denied) -> ContactDenied:
    when = f" Not before {verdict.earliest.isoformat()}." if verdict.earliest else ""
    return ContactDenied(f"{verdict.rule}: {verdict.reason}{when}")


async def conclude(call: Calling, contact_id: EventId, body: ConclusionBody) -> JSONResponse:
    """Say what became of an attempt; also of one that is `unclear`, once somebody found out."""
    found = await contacts.find(call.services.api, contact_id)
    if found is None:
        raise UnknownContact(f"{contact_id} was not reserved.", field="contact_id")
    contacts.require_own(found, call.caller)
    borrower, once = borrower_key(found["borrower_id"]), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            ended = await contacts.conclude(unit, call.services.inbox, contact_id, body.outcome, body.detail)
            unit.answer(ended)
            metrics.CONTACTS.labels(found["channel"], body.outcome).inc()
    return call.accepted(unit, place=f"/v1/contacts/{contact_id}")


async def show(call: Calling, contact_id: EventId) -> dict[str, Any]:
    """One contact."""
    found = await contacts.find(call.services.api, contact_id)
    if found is None:
        raise UnknownContact(f"{contact_id} was not reserved.", field="contact_id")
    return found


async def of_borrower(call: Calling, borrower_id: BorrowerId) -> dict[str, Any]:
    """Whatever was tried to reach the borrower, the latest first; the borrower sees it as well."""
    call.own(borrower_id)
    return {"contacts": await contacts.of_borrower(call.services.api, borrower_id, LISTED_MOST)}


async def by_outcome(call: Calling, outcome: str = "unclear") -> dict[str, Any]:
    """Contacts of an outcome, the oldest first: the `unclear` ones wait for somebody who finds out."""
    return {"contacts": await contacts.by_outcome(call.services.api, outcome, LISTED_MOST)}


async def dispatch(call: Calling, body: DispatchBody) -> JSONResponse:
    """One pass over the reminders that are due; answered when it is through."""
    return JSONResponse(await call.services.dispatcher.run_pass(instant(call, body.at)))


async def lessons(call: Calling, stage: Stage, language: str = "en") -> dict[str, Any]:  # noqa: ARG001 - who calls
    """What a borrower should know at a stage."""
    written = language_for(language)
    found = [
        {"name": lesson.name, "version": lesson.version, "text": lesson.texts[written]} for lesson in lessons_for(stage)
    ]
    return {"stage": stage, "language": written, "lessons": found}


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/borrowers/{borrower_id}/contact-check", check),
    ("GET", "/v1/borrowers/{borrower_id}/contacts", of_borrower),
    ("POST", "/v1/borrowers/{borrower_id}/contacts", reserve),
    ("GET", "/v1/contacts", by_outcome),
    ("GET", "/v1/contacts/{contact_id}", show),
    ("POST", "/v1/contacts/{contact_id}/conclusion", conclude),
    ("POST", "/v1/reminders/dispatch", dispatch),
    ("GET", "/v1/lessons/{stage}", lessons),
)
