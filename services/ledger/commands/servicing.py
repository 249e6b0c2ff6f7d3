"""The rules of servicing commands, as far as they can be told without the books; a trial (trial.py) tells the rest."""

from datetime import date
from typing import assert_never

from services.ledger.commands import model, refusals
from services.ledger.commands.checks import Stamp, positive, require_open, stated, value_date
from services.ledger.commands.state import Contracted, Disbursed, Guards, NotContracted, Running, TakenOver
from services.ledger.engine.facts import Happening
from services.ledger.restructuring import Restructuring
from shared.events import servicing
from shared.events.envelope import Envelope

EVENT_OF: dict[type[Happening], type[Envelope]] = {
    servicing.Charge: servicing.ChargeLevied,
    servicing.Waiver: servicing.ChargeWaived,
    servicing.ChargeCredit: servicing.ChargeAdjusted,
    servicing.Credit: servicing.CreditReceived,
    servicing.Chargeback: servicing.PaymentChargedBack,
    servicing.Refund: servicing.CreditRefunded,
    servicing.ChargeOff: servicing.LoanChargedOff,
    servicing.WriteOff: servicing.LoanWrittenOff,
    servicing.Reschedule: servicing.LoanRescheduled,
    servicing.ReAge: servicing.LoanReAged,
    servicing.ReAmortise: servicing.LoanReAmortised,
    servicing.Prepayment: servicing.PrincipalPrepaid,
    servicing.Acceleration: servicing.LoanAccelerated,
    servicing.Pause: servicing.DelinquencyPaused,
    servicing.Resume: servicing.DelinquencyResumed,
}
"""The event that states each kind of data."""


def service(command: model.ServiceLoan, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of a ServiceLoan; raises a Refusal."""
    on, loan, data = value_date(command.effective_date, guards), _running(command.loan_id, guards), command.data
    _require_after_beginning(on, loan)
    match data:
        case (
            servicing.Charge()
            | servicing.ChargeCredit()
            | servicing.Credit()
            | servicing.Refund()
            | servicing.Prepayment()
        ):
            _require_own_currency(data.amount, data.currency, loan)
        case servicing.Chargeback():
            _require_own_currency(data.amount, data.currency, loan)
            require_payment(command.loan_id, data.payment_id, guards)
        case servicing.Reschedule(restructure=True):
            data = _within_limits(data, command, guards.restructuring.get(command.loan_id))
        case _:
            pass
    return stated(EVENT_OF[type(data)], data, command, stamp, command.effective_date)


def _within_limits(
    data: servicing.Reschedule, command: model.ServiceLoan, would: Restructuring | None
) -> servicing.Reschedule:
    """The restructuring, if it keeps the lender's limits or somebody with the authority overrides them: that is stated
    then. `would`: of the books. Raises RestructuredShareAboveLimit, RestructuredTooOften, OverrideNotAllowed, and
    LoanIsParked where the books know too little of the loan."""
    if would is None:
        raise refusals.LoanIsParked("The books don't have its contract, so its share can't be told.", field="loan_id")
    if not (would.too_much() or would.too_often()):
        return data
    limit, override, figures = would.limit, command.override, would.figures()
    if override is not None and override.role in limit.authority:
        stated = servicing.LimitOverride(reason=override.reason, by=override.by, **figures)
        return data.model_copy(update={"override": stated})
    if override is not None:
        raise refusals.OverrideNotAllowed(
            f"{limit.version} lets {' or '.join(limit.authority)} do it.", field="override"
        )
    if would.too_often():
        detail = f"{would.times} times so far, of {limit.times_max} that {limit.version} allows."
        raise refusals.RestructuredTooOften(detail, field="restructure")
    share = f"{figures['share_before']} of outstanding principal is restructured, it would be {figures['share_after']}"
    detail = f"{share}, and {limit.version} allows {figures['share_max']}."
    raise refusals.RestructuredShareAboveLimit(detail, field="restructure")


def undo(command: model.UndoEvent, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of an UndoEvent; raises a Refusal."""
    require_open(guards)
    _running(command.loan_id, guards)
    if command.undone_id in guards.payments:
        require_payment(command.loan_id, command.undone_id, guards, field="event_id")
    data = servicing.Undoing(event_id=command.undone_id, reason=command.reason)
    return stated(servicing.EventUndone, data, command, stamp)


def undone(command: model.UndoEvent, guards: Guards) -> None:
    """Take a decided UndoEvent into the guarding state: a payment is taken back, money out was never paid,
    a loan never taken over."""
    if command.undone_id in guards.payments:
        guards.payments[command.undone_id] = (command.loan_id, True)
    loan = guards.loan(command.loan_id)
    if isinstance(loan, Disbursed):
        left = tuple(one for one in loan.paid_out if one.event_id != command.undone_id)
        if left != loan.paid_out:
            contract = loan.borrower_id, loan.terms
            guards.loans[command.loan_id] = Disbursed(*contract, left) if left else Contracted(*contract)
    elif isinstance(loan, TakenOver) and loan.event_id == command.undone_id:
        guards.loans[command.loan_id] = Contracted(loan.borrower_id, loan.terms)


def require_payment(loan_id: str, payment_id: str, guards: Guards, *, field: str = "payment_id") -> None:
    """Refuse what is no payment of the loan (UnknownPayment), or was taken back (PaymentAlreadyReversed)."""
    of_loan, taken_back = guards.payments.get(payment_id, (None, False))
    if of_loan != loan_id:
        raise refusals.UnknownPayment(f"Loan {loan_id} has no recorded payment {payment_id}.", field=field)
    if taken_back:
        raise refusals.PaymentAlreadyReversed(f"Payment {payment_id} was reversed before.", field=field)


def _running(loan_id: str, guards: Guards) -> Running:
    loan = guards.known(loan_id)
    match loan:
        case NotContracted():
            raise refusals.LoanNotContracted(f"Loan {loan_id} has no contract.", field="loan_id")
        case Contracted():
            raise refusals.LoanNotDisbursed(f"Loan {loan_id} is not paid out.", field="loan_id")
        case Disbursed() | TakenOver():
            return loan
        case _:
            assert_never(loan)


def _require_after_beginning(on: date, loan: Running) -> None:
    if on < loan.on:
        began = "was taken over" if isinstance(loan, TakenOver) else "was paid out"
        raise refusals.BeforeDisbursement(f"{on} is before the loan {began} on {loan.on}.", field="effective_date")


def _require_own_currency(amount: str, currency: str, loan: Running) -> None:
    if currency != loan.terms.currency:
        raise refusals.OtherCurrency(f"The loan is in {loan.terms.currency}.", field="currency")
    positive(amount, currency, "amount")
