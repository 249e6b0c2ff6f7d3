"""The routes: parse, call, render. Commands answer 202 with the event that they became; readings show the books."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.bank import BANK_ROUTES
from services.ledger.api.bodies import (
    BookDate,
    NewDisbursement,
    NewLoan,
    NewPayment,
    NewRate,
    NewRetry,
    NewReversal,
    NewSchedule,
    NewTakeOver,
)
from services.ledger.api.debits import DEBIT_ROUTES
from services.ledger.api.entries import ENTRY_ROUTES
from services.ledger.api.pay_outs import PAY_OUT_ROUTES
from services.ledger.api.periods import PERIOD_ROUTES
from services.ledger.api.proofs import PROOF_ROUTES
from services.ledger.api.reading import After, AsOf, Effective, Known, Loan, on_dates, reading, wait_for
from services.ledger.api.reports import REPORT_ROUTES
from services.ledger.api.servicing import SERVICING_ROUTES
from services.ledger.api.serving import Calling, accepted, record
from services.ledger.api.trying import Preview, preview_of, record_tried
from services.ledger.commands import (
    CloseDate,
    ConcludeContract,
    Disburse,
    OpenBook,
    PublishRate,
    ReceivePayment,
    ReleaseLoan,
    RetryDeadLetter,
    ReversePayment,
    TakeOver,
)
from services.ledger.commands.receipts import receipt_event_id
from shared.api import Day, Route
from shared.api.aside import NewRelease
from shared.errors import Refusal
from shared.events.envelope import EventId, new_event_id
from shared.events.ledger import Branch, Receipt
from shared.events.terms import RateIndex

Payment = Annotated[EventId, Path()]
BranchName = Annotated[Branch, Path()]
OnDate = Annotated[Day, Query(description="The value date of receipts, and the booking date of what is taken back.")]
Index = Annotated[RateIndex | None, Query(description="Only this reference rate, such as CN-LPR-1Y.")]


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


async def publish_rate(call: Calling, body: NewRate) -> JSONResponse:
    """State the value of a reference rate from a date on."""
    command = PublishRate(body.index, body.from_date, body.annual_rate, new_event_id())
    return await record(call, command, body, place="/v1/reference-rates")


async def reference_rates(call: Calling, index: Index = None, after: After = None) -> dict[str, Any]:
    """What is published of reference rates."""
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection:
        return {"rates": await queries.rates_view(connection, index)}


async def contract_loan(call: Calling, body: NewLoan) -> JSONResponse:
    """Contract a loan on its complete terms."""
    command = ConcludeContract(body.loan_id, body.contract(), new_event_id())
    return await record(call, command, body, place=f"/v1/loans/{body.loan_id}", loan_id=body.loan_id)


async def disburse(call: Calling, loan_id: Loan, body: NewDisbursement, preview: Preview = False) -> JSONResponse:
    """Pay out the principal, or a tranche of it; after the first it is tried out on the books."""
    command = Disburse(loan_id, body.amount, body.currency, body.effective_date, new_event_id())
    if preview or await call.services.commands.is_disbursed(loan_id):
        return await record_tried(call, command, body, preview=preview)
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def take_over(call: Calling, loan_id: Loan, body: NewTakeOver, preview: Preview = False) -> JSONResponse:
    """Let a contracted loan go on that another system carried until the cut-over date."""
    command = TakeOver(loan_id, body.positions(), body.cut_over, new_event_id())
    if preview:
        return await preview_of(call, command)
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def receive_payment(call: Calling, loan_id: Loan, body: NewPayment, preview: Preview = False) -> JSONResponse:
    """Record money that came in. It is accepted for a loan that is not known, too, and waits in suspense."""
    event_id, receipt = new_event_id(), None
    if (given := body.receipt) is not None:
        event_id = receipt_event_id(given.branch, given.number)
        receipt = Receipt(branch=given.branch, number=given.number, cashier=call.caller.name)
    money = body.amount, body.currency, body.effective_date, body.reference
    command = ReceivePayment(loan_id, *money, event_id, receipt)
    if preview:
        return await preview_of(call, command)
    return await record(call, command, body, place=f"/v1/loans/{loan_id}", loan_id=loan_id)


async def branch_cash(call: Calling, branch: BranchName, on: OnDate, after: After = None) -> dict[str, Any]:
    """The cash of a branch on a date: its receipts, what was taken back on it, and the totals per currency."""
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection, queries.snapshot(connection):
        return await queries.branch_cash(connection, branch, on)


async def reverse_payment(
    call: Calling, loan_id: Loan, payment_id: Payment, body: NewReversal, preview: Preview = False
) -> JSONResponse:
    """Take a payment back; `payment_id` is the event id that recording it answered with. It is tried out on the books
    where the payment is in them."""
    command = ReversePayment(loan_id, payment_id, body.reason, new_event_id())
    async with call.services.ledger.acquire() as connection:
        booked = await queries.event_is_in(connection, payment_id)
    if preview or booked:
        return await record_tried(call, command, body, preview=preview, named=[payment_id])
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
    await wait_for(call.services, after)
    open_date = await call.services.commands.open_date()
    async with call.services.ledger.acquire() as connection:
        rows = await connection.fetch(_POSITIONS)
    return {"open_date": open_date, "partitions": [dict(row) for row in rows]}


async def loan(
    call: Calling,
    loan_id: Loan,
    known: Known = None,
    effective: Effective = None,
    as_of: AsOf = None,
    after: After = None,
) -> dict[str, Any]:
    """Figures and state of a loan: now, or as known on one date and effective on another."""
    dates = on_dates(known, effective, as_of)
    return await reading(call.services, loan_id, after, lambda c: queries.loan_view(c, loan_id, **dates))


async def loan_schedule(
    call: Calling,
    loan_id: Loan,
    known: Known = None,
    effective: Effective = None,
    as_of: AsOf = None,
    after: After = None,
) -> dict[str, Any]:
    """The loan's instalments: now, or as known on one date and effective on another."""
    dates = on_dates(known, effective, as_of)
    return await reading(call.services, loan_id, after, lambda c: queries.schedule_view(c, loan_id, **dates))


async def loan_entries(call: Calling, loan_id: Loan, after: After = None) -> dict[str, Any]:
    """Every posting of the loan, with the event that caused it and both dates."""
    return await reading(call.services, loan_id, after, lambda c: queries.entries_view(c, loan_id))


async def parked(call: Calling) -> dict[str, Any]:
    """Loans that stopped at an event that breaks an invariant."""
    async with call.services.ledger.acquire() as connection:
        return {"parked": await queries.parked_view(connection)}


async def dead_letters(call: Calling, after: After = None) -> dict[str, Any]:
    """Messages that could not be read, and what became of them."""
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection:
        return {"dead_letters": await queries.dead_letters_view(connection)}


async def preview_schedule(body: NewSchedule) -> JSONResponse:
    """The instalments of terms whose principal is paid out whole on a date; nothing is contracted."""
    return JSONResponse(queries.schedule_of_terms(body.terms, disbursed_on=body.disbursed_on))


_POSITIONS = "SELECT partition, open_date, next_offset, halted FROM position ORDER BY partition"


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/book", book),
    ("POST", "/v1/book", open_book),
    ("POST", "/v1/book/closings", close_date),
    ("GET", "/v1/reference-rates", reference_rates),
    ("POST", "/v1/reference-rates", publish_rate),
    ("POST", "/v1/loans", contract_loan),
    ("POST", "/v1/loans/{loan_id}/disbursement", disburse),
    ("POST", "/v1/loans/{loan_id}/take-over", take_over),
    ("GET", "/v1/branches/{branch}/cash", branch_cash),
    ("POST", "/v1/loans/{loan_id}/payments", receive_payment),
    ("POST", "/v1/loans/{loan_id}/payments/{payment_id}/reversal", reverse_payment),
    *SERVICING_ROUTES,
    ("POST", "/v1/schedules", preview_schedule),
    ("GET", "/v1/loans/{loan_id}", loan),
    ("GET", "/v1/loans/{loan_id}/schedule", loan_schedule),
    ("GET", "/v1/loans/{loan_id}/entries", loan_entries),
    *REPORT_ROUTES,
    *PERIOD_ROUTES,
    *ENTRY_ROUTES,
    *BANK_ROUTES,
    *DEBIT_ROUTES,
    *PAY_OUT_ROUTES,
    *PROOF_ROUTES,
    ("GET", "/v1/parked", parked),
    ("POST", "/v1/parked/{loan_id}/release", release_loan),
    ("GET", "/v1/dead-letters", dead_letters),
    ("POST", "/v1/dead-letters/{partition}/{offset}/retry", retry_dead_letter),
)
