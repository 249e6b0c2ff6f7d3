"""The routes of loan servicing. Each is tried out on the books first: what would break a rule of the loan is refused
before it is recorded (services/ledger/commands/trial.py). With ?preview=true nothing is recorded."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.reading import After, AsOf, Effective, Known, Loan, on_dates, reading
from services.ledger.api.refinancing import refinance_loan, undo_together
from services.ledger.api.servicing_bodies import (
    Fact,
    Money,
    NewAdjustment,
    NewCharge,
    NewChargeOff,
    NewCredit,
    NewPause,
    NewPrepayment,
    NewReAge,
    NewReschedule,
    NewUndoing,
    Why,
)
from services.ledger.api.serving import Calling
from services.ledger.api.trying import Preview, record_tried
from services.ledger.commands import Override, ServiceLoan
from services.ledger.engine.facts import Happening
from shared.api import Day, Route
from shared.events import servicing
from shared.events.envelope import EventId, new_event_id

EventPath = Annotated[EventId, Path()]


async def charge(call: Calling, loan_id: Loan, body: NewCharge, preview: Preview = False) -> JSONResponse:
    """Charge a fee or penalty. The event id of the answer is the charge's id."""
    return await _service(call, loan_id, body, body.data(), preview=preview)


async def waive(
    call: Calling, loan_id: Loan, charge_id: EventPath, body: Why, preview: Preview = False
) -> JSONResponse:
    """Forgo what is unpaid of a charge."""
    data = servicing.Waiver(charge_id=charge_id, reason=body.reason)
    return await _service(call, loan_id, body, data, preview=preview, named=charge_id)


async def adjust(
    call: Calling, loan_id: Loan, charge_id: EventPath, body: NewAdjustment, preview: Preview = False
) -> JSONResponse:
    """Credit a charge that was wrong, paid or not."""
    data = servicing.ChargeCredit(charge_id=charge_id, amount=body.amount, currency=body.currency, reason=body.reason)
    return await _service(call, loan_id, body, data, preview=preview, named=charge_id)


async def credit(call: Calling, loan_id: Loan, body: NewCredit, preview: Preview = False) -> JSONResponse:
    """Credit the loan with money that its borrower did not pay."""
    data = servicing.Credit(kind=body.kind, amount=body.amount, currency=body.currency)
    return await _service(call, loan_id, body, data, preview=preview)


async def charge_back(
    call: Calling, loan_id: Loan, payment_id: EventPath, body: Money, preview: Preview = False
) -> JSONResponse:
    """Record that the payer's bank took a payment back, or a part of it: it is owed again from now on."""
    data = servicing.Chargeback(payment_id=payment_id, amount=body.amount, currency=body.currency)
    return await _service(call, loan_id, body, data, preview=preview, named=payment_id)


async def refund(call: Calling, loan_id: Loan, body: Money, preview: Preview = False) -> JSONResponse:
    """Pay money that was paid too much out to the borrower; what no credit balance covers is owed again."""
    data = servicing.Refund(amount=body.amount, currency=body.currency)
    return await _service(call, loan_id, body, data, preview=preview)


async def charge_off(call: Calling, loan_id: Loan, body: NewChargeOff, preview: Preview = False) -> JSONResponse:
    """Take the claim out of the assets; it goes on."""
    data = servicing.ChargeOff(reason=body.reason, fraud=body.fraud)
    return await _service(call, loan_id, body, data, preview=preview)


async def write_off(call: Calling, loan_id: Loan, body: Why, preview: Preview = False) -> JSONResponse:
    """End the loan; what is owed is a loss."""
    return await _service(call, loan_id, body, servicing.WriteOff(reason=body.reason), preview=preview)


async def reschedule(call: Calling, loan_id: Loan, body: NewReschedule, preview: Preview = False) -> JSONResponse:
    """Change instalments that are still to come, as agreed with the borrower. A restructuring keeps the lender's limits
    on their share, unless somebody with the authority gives a reason to `override` them."""
    override = Override(body.override, call.caller.name, call.caller.role) if body.override else None
    return await _service(call, loan_id, body, body.data(), preview=preview, override=override)


async def re_age(call: Calling, loan_id: Loan, body: NewReAge, preview: Preview = False) -> JSONResponse:
    """Give all unpaid principal new dates."""
    return await _service(call, loan_id, body, body.data(), preview=preview)


async def re_amortise(call: Calling, loan_id: Loan, body: Why, preview: Preview = False) -> JSONResponse:
    """Spread principal that is past due over the instalments to come."""
    return await _service(call, loan_id, body, servicing.ReAmortise(reason=body.reason), preview=preview)


async def prepay(call: Calling, loan_id: Loan, body: NewPrepayment, preview: Preview = False) -> JSONResponse:
    """Record principal that is paid before it is due, and what becomes of the instalments to come."""
    data = servicing.Prepayment(amount=body.amount, currency=body.currency, effect=body.effect)
    return await _service(call, loan_id, body, data, preview=preview)


async def accelerate(call: Calling, loan_id: Loan, body: Why, preview: Preview = False) -> JSONResponse:
    """Call the loan: the whole debt falls due."""
    return await _service(call, loan_id, body, servicing.Acceleration(reason=body.reason), preview=preview)


async def pause(call: Calling, loan_id: Loan, body: NewPause, preview: Preview = False) -> JSONResponse:
    """Let delinquency stand still for a while."""
    data = servicing.Pause(start=body.start, end=body.end)
    return await _service(call, loan_id, body, data, preview=preview)


async def resume(call: Calling, loan_id: Loan, body: Why, preview: Preview = False) -> JSONResponse:
    """End the pause that reaches the effective date."""
    return await _service(call, loan_id, body, servicing.Resume(reason=body.reason), preview=preview)


async def undo(
    call: Calling, loan_id: Loan, event_id: EventPath, body: NewUndoing, preview: Preview = False
) -> JSONResponse:
    """Take back any fact of the loan but its contract, as if it had never been; of a refinancing both sides."""
    return await undo_together(call, loan_id, event_id, body, preview=preview)


async def payoff(
    call: Calling,
    loan_id: Loan,
    on: Annotated[Day, Query()],
    known: Known = None,
    effective: Effective = None,
    after: After = None,
) -> dict[str, Any]:
    """What ends the loan on a date, also one to come: by what is known now, or as a quote of another date had it."""
    return await reading(
        call.services,
        loan_id,
        after,
        lambda c: queries.payoff_view(c, loan_id, on=on, known=known, effective=effective),
    )


async def statement(
    call: Calling,
    loan_id: Loan,
    known: Known = None,
    effective: Effective = None,
    as_of: AsOf = None,
    after: After = None,
) -> dict[str, Any]:
    """Instalments, money in and out, charges: now, or as known on one date and effective on another."""
    dates = on_dates(known, effective, as_of)
    return await reading(call.services, loan_id, after, lambda c: queries.statement_view(c, loan_id, **dates))


async def delinquency(
    call: Calling, loan_id: Loan, on: Day | None = None, known: Known = None, after: After = None
) -> dict[str, Any]:
    """Days and amounts past due and delinquent, now or on a date, as known now or on another."""
    return await reading(
        call.services, loan_id, after, lambda c: queries.delinquency_view(c, loan_id, on=on, known=known)
    )


async def _service(
    call: Calling,
    loan_id: str,
    body: Fact,
    data: Happening,
    *,
    preview: bool,
    named: str | None = None,
    override: Override | None = None,
) -> JSONResponse:
    command = ServiceLoan(loan_id, data, body.effective_date, new_event_id(), override)
    return await record_tried(call, command, body, preview=preview, named=[named] if named else [])


_LOAN = "/v1/loans/{loan_id}"
SERVICING_ROUTES: tuple[Route, ...] = (
    ("POST", f"{_LOAN}/charges", charge),
    ("POST", f"{_LOAN}/charges/{{charge_id}}/waiver", waive),
    ("POST", f"{_LOAN}/charges/{{charge_id}}/adjustments", adjust),
    ("POST", f"{_LOAN}/credits", credit),
    ("POST", f"{_LOAN}/payments/{{payment_id}}/chargeback", charge_back),
    ("POST", f"{_LOAN}/refunds", refund),
    ("POST", f"{_LOAN}/refinance", refinance_loan),
    ("POST", f"{_LOAN}/charge-off", charge_off),
    ("POST", f"{_LOAN}/write-off", write_off),
    ("POST", f"{_LOAN}/reschedules", reschedule),
    ("POST", f"{_LOAN}/re-ageing", re_age),
    ("POST", f"{_LOAN}/re-amortisation", re_amortise),
    ("POST", f"{_LOAN}/prepayments", prepay),
    ("POST", f"{_LOAN}/acceleration", accelerate),
    ("POST", f"{_LOAN}/pauses", pause),
    ("POST", f"{_LOAN}/resumption", resume),
    ("POST", f"{_LOAN}/events/{{event_id}}/undoing", undo),
    ("GET", f"{_LOAN}/payoff", payoff),
    ("GET", f"{_LOAN}/statement", statement),
    ("GET", f"{_LOAN}/delinquency", delinquency),
)
