"""The routes: parse, call, render. Commands answer 202 with the event that they became; readings show the books."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.bodies import (
    BookDate,
    NewDisbursement,
    NewLoan,
    NewPayment,
    NewRelease,
    NewRetry,
    NewReversal,
)
from services.ledger.api.serving import Calling, Services, accepted, record
from services.ledger.commands import (
    CloseDate,
    ConcludeContract,
    Disburse,
    OpenBook,
    ReceivePayment,
    ReleaseLoan,
    RetryDeadLetter,
    ReversePayment,
)
from shared.api import Day, Route
from shared.errors import Refusal
from shared.events.envelope import EventId, LoanId, new_event_id
from shared.problems import Problem

Loan = Annotated[LoanId, Path()]
Payment = Annotated[EventId, Path()]
After = Annotated[EventId | None, Query(description="Answer once this event is in the books.")]


class UnknownLoan(Refusal):
    """The books hold no such loan."""

    status = 404


class NotParked(Refusal):
    """The loan is not parked."""

    status = 409


class HeldElsewhere(Refusal):
    """The loan is held from another offset."""

    status = 409


class UnknownDeadLetter(Refusal):
    """There is no dead letter at this place."""

    status = 404


class DeadLetterSettled(Refusal):
    """The dead letter was settled before."""

    status = 409


async def open_book(call: Calling, body: BookDate) -> JSONResponse:
    """Open the book on its first business date."""
    return await record(call, OpenBook(body.business_date, new_event_id()), body, place="/v1/book")


async def close_date(call: Calling, body: BookDate) -> JSONResponse:
    """Close the open business date; the next calendar day opens."""
    return await record(call, CloseDate(body.business_date, new_event_id()), body, place="/v1/book")


async def contract_loan(call: Calling, body: NewLoan) -> JSONResponse:
    """Contract a loan on its complete terms."""
    command = ConcludeContract(body.loan_id, body.contract(), new_event_id())
    return await record(call, command, body, place=f"/v1/loans/{body.loan_id}", loan_id=body.loan_id)


async def disburse(call: Calling, loan_id: Loan, body: NewDisbursement) -> JSONResponse:
    """Pay out the whole principal."""
    command = Disburse(loan_id, body.amount, body.currency, body.effective_date, new_event_id())
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def receive_payment(call: Calling, loan_id: Loan, body: NewPayment) -> JSONResponse:
    """Record money that came in. It is accepted for a loan that is not known, too, and waits in suspense."""
    event_id = new_event_id()
    command = ReceivePayment(loan_id, body.amount, body.currency, body.effective_date, body.reference, event_id)
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def reverse_payment(call: Calling, loan_id: Loan, payment_id: Payment, body: NewReversal) -> JSONResponse:
    """Take a payment back; `payment_id` is the event id that recording it answered with."""
    command = ReversePayment(loan_id, payment_id, body.reason, new_event_id())
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def release_loan(call: Calling, loan_id: Loan, body: NewRelease) -> JSONResponse:
    """Let a parked loan go on from its first held offset."""
    place, once = f"/v1/loans/{loan_id}", call.once(body)
    if once is not None and (recorded := await call.services.commands.recorded(once)):
        return accepted(recorded, place=place, loan_id=loan_id)
    async with call.services.ledger.acquire() as connection:
        held = [row for row in await queries.parked_view(connection) if row["loan_id"] == loan_id]
    if not held:
        raise NotParked(f"Loan {loan_id} is not parked.", field="loan_id")
    parked = next((row for row in held if row["first_offset"] == body.first_held_offset), None)
    if parked is None:
        raise HeldElsewhere(f"Loan {loan_id} is held from {held[0]['first_offset']}.", field="first_held_offset")
    command = ReleaseLoan(
        loan_id, body.first_held_offset, parked["reason"], body.reason, new_event_id(), body.discard_first
    )
    return await record(call, command, body, place=place, loan_id=loan_id)


async def retry_dead_letter(
    call: Calling,
    partition: Annotated[int, Path(ge=0, lt=1 << 15)],
    offset: Annotated[int, Path(ge=0, lt=1 << 63)],
    body: NewRetry,
) -> JSONResponse:
    """Have a dead letter read again, or settle it by another event."""
    place, once = "/v1/dead-letters", call.once(body)
    if once is not None and (recorded := await call.services.commands.recorded(once)):
        return accepted(recorded, place=place)
    async with call.services.ledger.acquire() as connection:
        letters = await queries.dead_letters_view(connection)
    found = next((row for row in letters if (row["partition"], row["offset"]) == (partition, offset)), None)
    if found is None:
        raise UnknownDeadLetter(f"Partition {partition} has no dead letter at {offset}.")
    if found["settled_by"] is not None:
        raise DeadLetterSettled(f"Event {found['settled_by']} settled it.")
    command = RetryDeadLetter(partition, offset, body.replaced_by, body.reason, new_event_id(), found["tried_at"])
    return await record(call, command, body, place=place)


async def book(call: Calling, after: After = None) -> dict[str, Any]:
    """The open business date: as commands see it, and as far as each partition's books have come."""
    await _wait_for(call.services, after)
    open_date = await call.services.commands.open_date()
    async with call.services.ledger.acquire() as connection:
        rows = await connection.fetch(_POSITIONS)
    return {"open_date": open_date, "partitions": [dict(row) for row in rows]}


async def loan(call: Calling, loan_id: Loan, as_of: Day | None = None, after: After = None) -> dict[str, Any]:
    """Balance and state of a loan, now or effective on a date."""
    return await _reading(call.services, loan_id, after, lambda c: queries.loan_view(c, loan_id, as_of=as_of))


async def loan_schedule(call: Calling, loan_id: Loan, after: After = None) -> dict[str, Any]:
    """The loan's instalments."""
    return await _reading(call.services, loan_id, after, lambda c: queries.schedule_view(c, loan_id))


async def loan_entries(call: Calling, loan_id: Loan, after: After = None) -> dict[str, Any]:
    """Every posting of the loan, with the event that caused it and both dates."""
    return await _reading(call.services, loan_id, after, lambda c: queries.entries_view(c, loan_id))


async def parked(call: Calling) -> dict[str, Any]:
    """Loans that stopped at an event that breaks an invariant."""
    async with call.services.ledger.acquire() as connection:
        return {"parked": await queries.parked_view(connection)}


async def dead_letters(call: Calling, after: After = None) -> dict[str, Any]:
    """Messages that could not be read, and what became of them."""
    await _wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection:
        return {"dead_letters": await queries.dead_letters_view(connection)}


_POSITIONS = "SELECT partition, open_date, next_offset, halted FROM position ORDER BY partition"


async def _reading(services: Services, loan_id: str, after: str | None, view: Callable[[Any], Any]) -> dict[str, Any]:
    await _wait_for(services, after)
    async with services.ledger.acquire() as connection:
        found: dict[str, Any] | None = await view(connection)
    if found is None:
        raise UnknownLoan(f"The books hold no loan {loan_id}; what was accepted may be on its way: use ?after=.")
    return found


async def _wait_for(services: Services, event_id: str | None) -> None:
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


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/book", book),
    ("POST", "/v1/book", open_book),
    ("POST", "/v1/book/closings", close_date),
    ("POST", "/v1/loans", contract_loan),
    ("POST", "/v1/loans/{loan_id}/disbursement", disburse),
    ("POST", "/v1/loans/{loan_id}/payments", receive_payment),
    ("POST", "/v1/loans/{loan_id}/payments/{payment_id}/reversal", reverse_payment),
    ("GET", "/v1/loans/{loan_id}", loan),
    ("GET", "/v1/loans/{loan_id}/schedule", loan_schedule),
    ("GET", "/v1/loans/{loan_id}/entries", loan_entries),
    ("GET", "/v1/parked", parked),
    ("POST", "/v1/parked/{loan_id}/release", release_loan),
    ("GET", "/v1/dead-letters", dead_letters),
    ("POST", "/v1/dead-letters/{partition}/{offset}/retry", retry_dead_letter),
)
