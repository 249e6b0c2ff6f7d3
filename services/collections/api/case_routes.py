"""Routes about cases: the queue, leases, promises, plans, stops."""

from datetime import timedelta
from typing import Any

from fastapi.responses import JSONResponse

from services.collections import explanation, queries
from services.collections.api.bodies import PlanBody, PromiseBody, ReturnBody, StopBody, WithdrawalBody
from services.collections.api.serving import Calling
from services.collections.commands import arrangements, leases
from services.collections.commands.memory import borrower_key
from services.collections.commands.refusals import DatePassed, UnknownCase
from shared.api import Route
from shared.events.collections import PromiseCommand, PromiseWithdrawal, Stop
from shared.events.envelope import BorrowerId, EventId, LoanId

LISTED_MOST = 500


async def queue(call: Calling, limit: int = 50) -> dict[str, Any]:
    """The open cases in the order in which they are worked, taken ones included."""
    return {"cases": await queries.queue(call.services.books, max(1, min(limit, LISTED_MOST)))}


async def take_next(call: Calling) -> JSONResponse:
    """Lease the first case of the queue that nobody has."""
    async with call.services.commands.unit(leases.QUEUE, once=call.once(), correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            today = await arrangements.open_date(call.services.books, leases.QUEUE)
            taken = await leases.take_next(unit, call.services.books, call.services.inbox, call.caller.name, today)
            unit.answer(taken, 200)
    return call.accepted(unit)


async def take(call: Calling, case_id: EventId) -> JSONResponse:
    """Lease this case."""
    async with call.services.commands.unit(leases.QUEUE, once=call.once(), correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            name = call.caller.name
            unit.answer(await leases.take(unit, call.services.books, call.services.inbox, case_id, name), 200)
    return call.accepted(unit, place=f"/v1/cases/{case_id}")


async def give_back(call: Calling, case_id: EventId, body: ReturnBody) -> JSONResponse:
    """End a lease: done, or skipped with a reason."""
    async with call.services.commands.unit(
        leases.QUEUE, once=call.once(body), correlation_id=call.correlation_id
    ) as unit:
        if unit.answered is None:
            books = call.services.books
            today = await arrangements.open_date(books, leases.QUEUE)
            again_on = body.again_on or today + timedelta(days=1)
            if again_on < today:
                raise DatePassed(f"The open date is {today}.", field="again_on")
            unit.answer(
                await leases.give_back(
                    unit,
                    books,
                    call.services.inbox,
                    case_id,
                    call.caller.name,
                    reason=body.reason,
                    again_on=again_on,
                )
            )
    return call.accepted(unit, place=f"/v1/cases/{case_id}")


async def show(call: Calling, case_id: EventId) -> dict[str, Any]:
    """One case."""
    return _found(await queries.case(call.services.books, case_id), case_id)


async def history(call: Calling, case_id: EventId) -> dict[str, Any]:
    """Why the case is as it is: the events that changed it, each with its cause."""
    async with call.services.books.acquire() as connection:
        return _found(await explanation.why_case(connection, case_id), case_id)


async def of_borrower(call: Calling, borrower_id: BorrowerId) -> dict[str, Any]:
    """A borrower's case."""
    return _found(await queries.case_of(call.services.books, borrower_id), borrower_id)


def _found(case: dict[str, Any] | None, name: str) -> dict[str, Any]:
    if case is None:
        raise UnknownCase(f"There is none of {name}.")
    return case


async def promises(call: Calling, borrower_id: BorrowerId) -> dict[str, Any]:
    """A borrower's promises, oldest first."""
    call.own(borrower_id)
    partition = await queries.partition_of(call.services.books, borrower_id)
    return {"promises": await queries.promise_documents(call.services.books, partition, borrower_id)}


async def promise(call: Calling, loan_id: LoanId, body: PromiseBody) -> JSONResponse:
    """Record what a borrower promised to pay."""
    books = call.services.books
    loan, _ = await arrangements.standing(books, loan_id)
    borrower, once = borrower_key(loan.borrower_id), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            command = PromiseCommand(loan_id=loan_id, by=call.caller.name, **body.model_dump())
            unit.answer(await arrangements.promise(unit, books, call.services.inbox, command))
    return call.accepted(unit, place=f"/v1/borrowers/{loan.borrower_id}/promises")


async def withdraw(call: Calling, borrower_id: BorrowerId, promise_id: EventId, body: WithdrawalBody) -> JSONResponse:
    """Take a promise back."""
    borrower, once = borrower_key(borrower_id), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            withdrawal = PromiseWithdrawal(promise_id=promise_id, by=call.caller.name, reason=body.reason)
            books, inbox = call.services.books, call.services.inbox
            unit.answer(await arrangements.withdraw(unit, books, inbox, borrower_id, withdrawal))
    return call.accepted(unit, place=f"/v1/borrowers/{borrower_id}/promises")


async def agree_plan(call: Calling, loan_id: LoanId, body: PlanBody) -> JSONResponse:
    """Agree a plan for a loan in arrears: a fact about the loan, and a promise for every part."""
    books = call.services.books
    loan, _ = await arrangements.standing(books, loan_id)
    borrower, once = borrower_key(loan.borrower_id), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            unit.answer(
                await arrangements.agree_plan(
                    unit,
                    books,
                    (call.services.inbox, call.services.lifecycle),
                    loan_id,
                    parts=[part.part() for part in body.parts],
                    currency=body.currency,
                    by=call.caller.name,
                    evidence=body.evidence,
                )
            )
    return call.accepted(unit, place=f"/v1/borrowers/{loan.borrower_id}/promises")


async def set_stop(call: Calling, borrower_id: BorrowerId, body: StopBody) -> JSONResponse:
    """Stop contact: the debt is disputed, nobody is to call, or hardship is looked at."""
    borrower, once = borrower_key(borrower_id), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            stop = Stop(by=call.caller.name, **body.model_dump())
            unit.answer(arrangements.set_stop(unit, call.services.inbox, borrower_id, stop))
    return call.accepted(unit, place=f"/v1/borrowers/{borrower_id}/case")


async def lift_stop(call: Calling, borrower_id: BorrowerId, body: StopBody) -> JSONResponse:
    """Let contact go on."""
    borrower, once = borrower_key(borrower_id), call.once(body)
    async with call.services.commands.unit(borrower, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            stop = Stop(by=call.caller.name, **body.model_dump())
            unit.answer(arrangements.lift_stop(unit, call.services.inbox, borrower_id, stop))
    return call.accepted(unit, place=f"/v1/borrowers/{borrower_id}/case")


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/queue", queue),
    ("POST", "/v1/queue/next", take_next),
    ("GET", "/v1/cases/{case_id}", show),
    ("GET", "/v1/cases/{case_id}/history", history),
    ("POST", "/v1/cases/{case_id}/lease", take),
    ("POST", "/v1/cases/{case_id}/return", give_back),
    ("GET", "/v1/borrowers/{borrower_id}/case", of_borrower),
    ("GET", "/v1/borrowers/{borrower_id}/promises", promises),
    ("POST", "/v1/borrowers/{borrower_id}/promises/{promise_id}/withdrawal", withdraw),
    ("POST", "/v1/borrowers/{borrower_id}/stops", set_stop),
    ("POST", "/v1/borrowers/{borrower_id}/stops/lifting", lift_stop),
    ("POST", "/v1/loans/{loan_id}/promises", promise),
    ("POST", "/v1/loans/{loan_id}/plans", agree_plan),
)
