"""The rules that a command must keep, and the event that it becomes: functions of the guarding state, no I/O, no clock.

The guarding state is the little that refusals need: the open date, each loan's contract and money out, which payments
exist. The books themselves are the processor's business.
"""

from datetime import date, timedelta
from typing import assert_never

from services.ledger.commands import bank, debits, model, payment_files, refusals
from services.ledger.commands.checks import Stamp, aggregate_of, minor, positive, require_open, stated, value_date
from services.ledger.commands.entries import close_period, close_year, entry_event, entry_evolved
from services.ledger.commands.model import Command
from services.ledger.commands.receipts import require_same_receipt, stated_by
from services.ledger.commands.refinancing import require_settles
from services.ledger.commands.servicing import require_payment, service, undo, undone
from services.ledger.commands.state import (
    RESTRUCTURINGS,
    BankGuard,
    Contracted,
    Disbursed,
    Guards,
    MoneyOut,
    NotContracted,
    TakenOver,
    account_from_json,
    account_to_json,
    loan_from_json,
    loan_to_json,
)
from services.ledger.engine.opening import most_that_can_be_lent
from services.ledger.engine.positions import checked
from shared.errors import Refusal
from shared.events import ledger, origination, take_over, valuation
from shared.events.bank import SUBJECT, UNMATCHED
from shared.events.debits import DIRECT_DEBITS
from shared.events.entries import GENERAL_LEDGER
from shared.events.envelope import BOOK, Envelope
from shared.events.payment_files import PAYMENT_FILES
from shared.money import decimal_text, minor_units
from shared.schedules import (
    DisbursedAfterLastDue,
    FirstDueNotAfterDisbursement,
    PaidOut,
    paid_out_whole,
    schedule,
)

RESERVED = (SUBJECT, UNMATCHED)
"""What subjects begin with that are no loans (services/ledger/bank)."""

__all__ = [
    "RESERVED",
    "RESTRUCTURINGS",
    "BankGuard",
    "Contracted",
    "Disbursed",
    "Guards",
    "MoneyOut",
    "NotContracted",
    "Stamp",
    "TakenOver",
    "account_from_json",
    "account_to_json",
    "aggregate_of",
    "aggregates_of",
    "decide",
    "evolve",
    "loan_from_json",
    "loan_to_json",
]


def decide(
    command: Command, guards: Guards, *, partitions: int, stamp: Stamp
) -> tuple[Envelope, tuple[int | None, ...]]:
    """The event that the command becomes, and the partitions that it goes to (None: by its key); raises a Refusal.

    Money facts are not refused for what the loan is: a payment for an unknown loan, one not paid out, or in another
    known currency becomes an event, and waits in suspense in the books.
    """
    if isinstance(command, model.BookCommand):
        return _of_book(command, guards, partitions, stamp)
    if isinstance(command, model.EntryCommand):
        return entry_event(command, guards, stamp), (None,)
    if isinstance(command, model.BankCommand):
        return bank.decide(command, guards, stamp), (None,)
    if isinstance(command, model.NoteDebit):
        return debits.decide(command, guards, stamp), (None,)
    if isinstance(command, model.FileCommand):
        return payment_files.decide(command, guards, stamp), (None,)
    return _of_loan(command, guards, stamp), (None,)


def _of_book(
    command: model.BookCommand, guards: Guards, partitions: int, stamp: Stamp
) -> tuple[Envelope, tuple[int | None, ...]]:
    everywhere: tuple[int | None, ...] = tuple(range(partitions))
    match command:
        case model.OpenBook():
            return _open_book(command, guards, stamp), everywhere
        case model.CloseDate():
            return _close_date(command, guards, stamp), everywhere
        case model.ClosePeriod():
            return close_period(command, guards, stamp), everywhere
        case model.CloseYear():
            return close_year(command, guards, stamp), (None,)
        case model.PublishRate():
            return _publish_rate(command, guards, stamp), everywhere
        case model.RetryDeadLetter():
            return _retry(command, guards, partitions, stamp), (command.partition,)
        case _:
            assert_never(command)


def _of_loan(command: model.LoanCommand, guards: Guards, stamp: Stamp) -> Envelope:
    if not isinstance(command, model.ReleaseLoan):
        _require_a_loan(command.loan_id)
    match command:
        case model.ConcludeContract():
            return _conclude(command, guards, stamp)
        case model.Disburse():
            return _disburse(command, guards, stamp)
        case model.TakeOver():
            return _take_over(command, guards, stamp)
        case model.ReceivePayment():
            return _receive(command, guards, stamp)
        case model.ReversePayment():
            return _reverse(command, guards, stamp)
        case model.ServiceLoan():
            return service(command, guards, stamp)
        case model.UndoEvent():
            return undo(command, guards, stamp)
        case model.ValueLoan():
            return _value(command, guards, stamp)
        case model.ReleaseLoan():
            return _release(command, guards, stamp)
        case _:
            assert_never(command)


def evolve(command: Command, guards: Guards) -> None:
    """Take a decided command into the guarding state."""
    if isinstance(command, model.EntryCommand):
        entry_evolved(command, guards)
    elif isinstance(command, model.BankCommand):
        bank.taken(command, guards)
    elif isinstance(command, model.NoteDebit):
        debits.noted(command, guards)
    elif isinstance(command, model.FileCommand):
        guards.last[aggregate_of(command)] = command.event_id
    else:
        _evolve(command, guards)
    if isinstance(command, model.LoanCommand) and not isinstance(command, model.ReceivePayment | model.ValueLoan):
        for aggregate in aggregates_of(command):
            guards.last[aggregate] = command.event_id


def _evolve(command: model.BookCommand | model.LoanCommand, guards: Guards) -> None:
    match command:
        case model.OpenBook():
            guards.open_date = command.business_date
        case model.CloseDate():
            guards.open_date = command.business_date + timedelta(days=1)
        case model.ClosePeriod():
            guards.closed_through = command.period_end
        case model.CloseYear():
            guards.year_closed = command.year_end
        case model.ConcludeContract():
            guards.loans[command.loan_id] = Contracted(command.contract.borrower_id, command.contract.terms)
        case model.Disburse():
            _paid_out(command, guards)
        case model.TakeOver():
            loan = guards.loan(command.loan_id)
            assert isinstance(loan, Contracted)
            on = value_date(command.cut_over, guards, field="cut_over")
            guards.loans[command.loan_id] = TakenOver(loan.borrower_id, loan.terms, command.event_id, on)
        case model.ReceivePayment():
            _received(command, guards)
        case model.ReversePayment():
            guards.payments[command.payment_id] = (command.loan_id, True)
        case model.UndoEvent():
            undone(command, guards)
        case (
            model.PublishRate()
            | model.ServiceLoan()
            | model.ValueLoan()
            | model.ReleaseLoan()
            | model.RetryDeadLetter()
        ):
            pass
        case _:
            assert_never(command)


def aggregates_of(command: Command) -> frozenset[str]:
    """Every aggregate that the command's unit holds alone: its own, for a restructuring that of all of them, and for a
    file to the bank those of its loans."""
    more = {RESTRUCTURINGS} if isinstance(command, model.ServiceLoan) and command.restructures else set()
    loans = command.lasts.keys() if isinstance(command, model.MakePaymentFile) else set()
    return frozenset({aggregate_of(command)} | more | loans)


def _require_a_loan(loan_id: str) -> None:
    if loan_id in (BOOK, GENERAL_LEDGER, DIRECT_DEBITS, PAYMENT_FILES):
        raise refusals.ReservedId(f"{loan_id} is no loan; take another id.", field="loan_id")


def _paid_out(command: model.Disburse, guards: Guards) -> None:
    loan, on = guards.loan(command.loan_id), value_date(command.effective_date, guards)
    assert isinstance(loan, Contracted | Disbursed)
    before = loan.paid_out if isinstance(loan, Disbursed) else ()
    out = MoneyOut(command.event_id, on, minor_units(command.amount, command.currency))
    guards.loans[command.loan_id] = Disbursed(loan.borrower_id, loan.terms, (*before, out))


def _received(command: model.ReceivePayment, guards: Guards) -> None:
    guards.payments[command.event_id] = (command.loan_id, False)
    if (receipt := command.receipt) is not None:
        guards.receipts[receipt.branch, receipt.number] = command.event_id, stated_by(command)


def _open_book(command: model.OpenBook, guards: Guards, stamp: Stamp) -> Envelope:
    if guards.open_date is not None:
        raise refusals.BookAlreadyOpen(f"The book is open on {guards.open_date}.")
    data = ledger.BusinessDate(business_date=command.business_date)
    return stated(ledger.BookOpened, data, command, stamp)


def _close_date(command: model.CloseDate, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = require_open(guards)
    if command.business_date != open_date:
        raise refusals.DateNotOpen(f"{command.business_date} is not the open date {open_date}.", field="business_date")
    if open_date == date.max:
        raise refusals.LastDate(f"No date follows {open_date}.", field="business_date")
    data = ledger.BusinessDate(business_date=open_date)
    return stated(ledger.BusinessDateClosed, data, command, stamp)


def _value(command: model.ValueLoan, guards: Guards, stamp: Stamp) -> Envelope:
    """The books say what the loan is, and the figures follow from them: nothing of it is guarded here."""
    open_date, on = require_open(guards), command.data.period_end
    if on >= open_date:
        raise refusals.PeriodNotOver(f"{on} is not closed: the open date is {open_date}.", field="period")
    return stated(valuation.LoanValued, command.data, command, stamp, on)


def _publish_rate(command: model.PublishRate, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = require_open(guards)
    if command.from_date < open_date:
        detail = f"{command.from_date} is before the open date {open_date}: state what is in force from {open_date} on."
        raise refusals.RateBeforeOpenDate(detail, field="from_date")
    data = ledger.PublishedRate(index=command.index, from_date=command.from_date, annual_rate=command.annual_rate)
    return stated(ledger.ReferenceRatePublished, data, command, stamp)


def _retry(command: model.RetryDeadLetter, guards: Guards, partitions: int, stamp: Stamp) -> Envelope:
    require_open(guards)
    if not 0 <= command.partition < partitions:
        raise refusals.UnknownPartition(f"There are partitions 0 to {partitions - 1}.", field="partition")
    data = ledger.Retry(
        dead_offset=command.dead_offset,
        replaced_by=command.replaced_by,
        tried_at=command.tried_at,
        reason=command.reason,
    )
    return stated(ledger.DeadLetterRetried, data, command, stamp)


def _conclude(command: model.ConcludeContract, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = require_open(guards)
    if command.loan_id.startswith(RESERVED):
        raise refusals.ReservedLoanId(f"{command.loan_id} begins with {' or '.join(RESERVED)}.", field="loan_id")
    if not isinstance(guards.loan(command.loan_id), NotContracted):
        raise refusals.LoanAlreadyContracted(f"Loan {command.loan_id} has a contract.", field="loan_id")
    terms = command.contract.terms
    eve = terms.first_due_date - timedelta(days=1) if terms.first_due_date > date.min else terms.first_due_date
    try:
        positive(terms.principal, terms.currency, "principal")
        minor(terms.arrears_materiality, terms.currency, "arrears_materiality")
        paid_out_whole(terms, disbursed_on=min(open_date, eve))
    except Refusal as refusal:
        refusal.field = f"terms/{refusal.field}" if refusal.field else "terms"
        raise
    return stated(origination.LoanContracted, command.contract, command, stamp)


def _disburse(command: model.Disburse, guards: Guards, stamp: Stamp) -> Envelope:
    effective_date = value_date(command.effective_date, guards)
    loan = guards.loan(command.loan_id)
    match loan:
        case NotContracted():
            raise refusals.LoanNotContracted(f"Loan {command.loan_id} has no contract.", field="loan_id")
        case Contracted():
            before: tuple[MoneyOut, ...] = ()
        case Disbursed():
            before = loan.paid_out
        case TakenOver():
            raise refusals.LoanWasTakenOver(f"Loan {command.loan_id} runs since {loan.on}.", field="loan_id")
        case _:
            assert_never(loan)
    terms, amount = loan.terms, positive(command.amount, command.currency, "amount")
    if command.currency != terms.currency:
        raise refusals.OtherCurrency(f"Loan {command.loan_id} is in {terms.currency}.", field="currency")
    principal = minor_units(terms.principal, terms.currency)
    left = most_that_can_be_lent(terms, principal) - sum(one.amount for one in before)
    if amount > left:
        detail = f"{decimal_text(left, terms.currency)} {terms.currency} can still be paid out."
        raise refusals.AboveContract(detail, field="amount")
    try:
        schedule(terms, [*(PaidOut(one.on, one.amount) for one in before), PaidOut(effective_date, amount)])
    except Refusal as refusal:  # the terms were in order for the whole principal: it is the date or the part
        dated = isinstance(refusal, FirstDueNotAfterDisbursement | DisbursedAfterLastDue)
        refusal.field = "effective_date" if dated or amount == principal else "amount"
        raise
    if command.settles is not None:
        require_settles(command, command.settles, loan.borrower_id, terms, guards, first=not before)
    data = origination.Disbursement(amount=command.amount, currency=command.currency, settles=command.settles)
    return stated(origination.LoanDisbursed, data, command, stamp, command.effective_date)


def _take_over(command: model.TakeOver, guards: Guards, stamp: Stamp) -> Envelope:
    cut_over = value_date(command.cut_over, guards, field="cut_over")
    match loan := guards.loan(command.loan_id):
        case NotContracted():
            raise refusals.LoanNotContracted(f"Loan {command.loan_id} has no contract.", field="loan_id")
        case Contracted():
            checked(loan.terms, command.positions, cut_over)
        case Disbursed() | TakenOver():
            raise refusals.LoanIsRunning(f"Loan {command.loan_id} runs since {loan.on}.", field="loan_id")
        case _:
            assert_never(loan)
    return stated(take_over.LoanTakenOver, command.positions, command, stamp, command.cut_over)


def _receive(command: model.ReceivePayment, guards: Guards, stamp: Stamp) -> Envelope:
    value_date(command.effective_date, guards)
    positive(command.amount, command.currency, "amount")
    require_same_receipt(command, guards.receipts)
    data = ledger.Payment(
        amount=command.amount, currency=command.currency, reference=command.reference, receipt=command.receipt
    )
    return stated(ledger.PaymentReceived, data, command, stamp, command.effective_date)


def _reverse(command: model.ReversePayment, guards: Guards, stamp: Stamp) -> Envelope:
    require_open(guards)
    require_payment(command.loan_id, command.payment_id, guards)
    data = ledger.Reversal(payment_id=command.payment_id, reason=command.reason, code=command.code)
    return stated(ledger.PaymentReversed, data, command, stamp)


def _release(command: model.ReleaseLoan, guards: Guards, stamp: Stamp) -> Envelope:
    require_open(guards)
    data = ledger.Release(
        first_held_offset=command.first_held_offset,
        held_reason=command.held_reason,
        discard_first=command.discard_first,
        reason=command.reason,
    )
    return stated(ledger.ParkedLoanReleased, data, command, stamp)
