"""The rules that a command must keep, and the event that it becomes: functions of the guarding state, no I/O, no clock.

The guarding state is the little that refusals need: the open date, each loan's contract, which payments exist. The
books themselves are the processor's business.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, assert_never

from services.ledger.commands import model
from services.ledger.commands.model import Command
from services.ledger.schedule import schedule
from shared.errors import Refusal
from shared.events import ledger, origination
from shared.events.envelope import BOOK, SCHEMA_BASE, Data, Envelope
from shared.events.origination import Terms
from shared.money import minor_units

SOURCE = "/ledger/api"


@dataclass(frozen=True, slots=True)
class NotContracted:
    """The loan is not known."""


@dataclass(frozen=True, slots=True)
class Contracted:
    """Agreed, not yet paid out."""

    borrower_id: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Disbursed:
    """Paid out, with the effective date `on`."""

    borrower_id: str
    terms: Terms
    on: date


LoanState = NotContracted | Contracted | Disbursed


@dataclass(slots=True)
class Guards:
    """What is known of the aggregates that a transaction has locked; `evolve` keeps it up to date as commands pass."""

    open_date: date | None = None
    loans: dict[str, LoanState] = field(default_factory=dict)
    payments: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Payment id to (loan id, reversed)."""

    def loan(self, loan_id: str) -> LoanState:
        """The loan's state; a loan without a row is not contracted."""
        return self.loans.get(loan_id, NotContracted())


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the host adds to an event: wall time (RFC 3339, UTC) and the caller's correlation id."""

    time: str
    correlation_id: str | None = None


def aggregate_of(command: Command) -> str:
    """The aggregate whose order the command joins: a loan id, or `book`."""
    return BOOK if isinstance(command, model.BookCommand) else command.loan_id


def decide(
    command: Command, guards: Guards, *, partitions: int, stamp: Stamp
) -> tuple[Envelope, tuple[int | None, ...]]:
    """The event that the command becomes, and the partitions that it goes to (None: by its key); raises a Refusal.

    Money facts are not refused for what the loan is: a payment for an unknown loan, one not paid out, or in another
    known currency becomes an event, and waits in suspense in the books.
    """
    everywhere: tuple[int | None, ...] = tuple(range(partitions))
    match command:
        case model.OpenBook():
            return _open_book(command, guards, stamp), everywhere
        case model.CloseDate():
            return _close_date(command, guards, stamp), everywhere
        case model.RetryDeadLetter():
            return _retry(command, guards, partitions, stamp), (command.partition,)
        case model.ConcludeContract():
            return _conclude(command, guards, stamp), (None,)
        case model.Disburse():
            return _disburse(command, guards, stamp), (None,)
        case model.ReceivePayment():
            return _receive(command, guards, stamp), (None,)
        case model.ReversePayment():
            return _reverse(command, guards, stamp), (None,)
        case model.ReleaseLoan():
            return _release(command, guards, stamp), (None,)
        case _:
            assert_never(command)


def evolve(command: Command, guards: Guards) -> None:
    """Take a decided command into the guarding state."""
    match command:
        case model.OpenBook():
            guards.open_date = command.business_date
        case model.CloseDate():
            guards.open_date = command.business_date + timedelta(days=1)
        case model.ConcludeContract():
            guards.loans[command.loan_id] = Contracted(command.contract.borrower_id, command.contract.terms)
        case model.Disburse():
            loan, open_date = guards.loan(command.loan_id), guards.open_date
            assert isinstance(loan, Contracted)
            assert open_date is not None
            on = command.effective_date or open_date
            guards.loans[command.loan_id] = Disbursed(loan.borrower_id, loan.terms, on)
        case model.ReceivePayment():
            guards.payments[command.event_id] = (command.loan_id, False)
        case model.ReversePayment():
            guards.payments[command.payment_id] = (command.loan_id, True)
        case model.ReleaseLoan() | model.RetryDeadLetter():
            pass
        case _:
            assert_never(command)


def loan_from_json(state: dict[str, Any]) -> LoanState:
    """A loan's state as it is kept in the table `aggregate`."""
    if "terms" not in state:
        return NotContracted()
    borrower_id, terms = state["borrower_id"], Terms.model_validate(state["terms"])
    if "disbursed" in state:
        return Disbursed(borrower_id, terms, date.fromisoformat(state["disbursed"]))
    return Contracted(borrower_id, terms)


def loan_to_json(loan: LoanState) -> dict[str, Any]:
    """The inverse of `loan_from_json`."""
    match loan:
        case NotContracted():
            return {}
        case Contracted():
            return {"borrower_id": loan.borrower_id, "terms": loan.terms.model_dump(mode="json")}
        case Disbursed():
            terms = loan.terms.model_dump(mode="json")
            return {"borrower_id": loan.borrower_id, "terms": terms, "disbursed": loan.on.isoformat()}
        case _:
            assert_never(loan)


def _open_book(command: model.OpenBook, guards: Guards, stamp: Stamp) -> Envelope:
    if guards.open_date is not None:
        raise model.BookAlreadyOpen(f"The book is open on {guards.open_date}.")
    data = ledger.BusinessDate(business_date=command.business_date)
    return _event(ledger.BookOpened, data, command, stamp)


def _close_date(command: model.CloseDate, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = _require_open(guards)
    if command.business_date != open_date:
        raise model.DateNotOpen(f"{command.business_date} is not the open date {open_date}.", field="business_date")
    if open_date == date.max:
        raise model.LastDate(f"No date follows {open_date}.", field="business_date")
    data = ledger.BusinessDate(business_date=open_date)
    return _event(ledger.BusinessDateClosed, data, command, stamp)


def _retry(command: model.RetryDeadLetter, guards: Guards, partitions: int, stamp: Stamp) -> Envelope:
    _require_open(guards)
    if not 0 <= command.partition < partitions:
        raise model.UnknownPartition(f"There are partitions 0 to {partitions - 1}.", field="partition")
    data = ledger.Retry(
        dead_offset=command.dead_offset,
        replaced_by=command.replaced_by,
        tried_at=command.tried_at,
        reason=command.reason,
    )
    return _event(ledger.DeadLetterRetried, data, command, stamp)


def _conclude(command: model.ConcludeContract, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = _require_open(guards)
    if not isinstance(guards.loan(command.loan_id), NotContracted):
        raise model.LoanAlreadyContracted(f"Loan {command.loan_id} has a contract.", field="loan_id")
    terms = command.contract.terms
    eve = terms.first_due_date - timedelta(days=1) if terms.first_due_date > date.min else terms.first_due_date
    try:
        _positive(terms.principal, terms.currency, "principal")
        _minor(terms.arrears_materiality, terms.currency, "arrears_materiality")
        schedule(terms, disbursed_on=min(open_date, eve))
    except Refusal as refusal:
        refusal.field = f"terms/{refusal.field}" if refusal.field else "terms"
        raise
    return _event(origination.LoanContracted, command.contract, command, stamp)


def _disburse(command: model.Disburse, guards: Guards, stamp: Stamp) -> Envelope:
    effective_date = _value_date(command.effective_date, guards)
    loan = guards.loan(command.loan_id)
    match loan:
        case NotContracted():
            raise model.LoanNotContracted(f"Loan {command.loan_id} has no contract.", field="loan_id")
        case Disbursed():
            raise model.LoanAlreadyDisbursed(f"Loan {command.loan_id} was paid out on {loan.on}.", field="loan_id")
        case Contracted():
            terms = loan.terms
        case _:
            assert_never(loan)
    amount = _positive(command.amount, command.currency, "amount")
    if command.currency != terms.currency or amount != minor_units(terms.principal, terms.currency):
        raise model.DisbursementNotPrincipal(
            f"The contract's principal is {terms.principal} {terms.currency}.",
            field="currency" if command.currency != terms.currency else "amount",
        )
    try:
        schedule(terms, disbursed_on=effective_date)
    except Refusal as refusal:
        refusal.field = "effective_date"  # the terms were in order: it is the date that does not fit them
        raise
    data = origination.Disbursement(amount=command.amount, currency=command.currency)
    return _event(origination.LoanDisbursed, data, command, stamp, command.effective_date)


def _receive(command: model.ReceivePayment, guards: Guards, stamp: Stamp) -> Envelope:
    _value_date(command.effective_date, guards)
    _positive(command.amount, command.currency, "amount")
    data = ledger.Payment(amount=command.amount, currency=command.currency, reference=command.reference)
    return _event(ledger.PaymentReceived, data, command, stamp, command.effective_date)


def _reverse(command: model.ReversePayment, guards: Guards, stamp: Stamp) -> Envelope:
    _require_open(guards)
    loan_id, already = guards.payments.get(command.payment_id, (None, False))
    if loan_id != command.loan_id:
        detail = f"Loan {command.loan_id} has no recorded payment {command.payment_id}."
        raise model.UnknownPayment(detail, field="payment_id")
    if already:
        raise model.PaymentAlreadyReversed(f"Payment {command.payment_id} was reversed before.", field="payment_id")
    data = ledger.Reversal(payment_id=command.payment_id, reason=command.reason)
    return _event(ledger.PaymentReversed, data, command, stamp)


def _release(command: model.ReleaseLoan, guards: Guards, stamp: Stamp) -> Envelope:
    _require_open(guards)
    data = ledger.Release(
        first_held_offset=command.first_held_offset,
        held_reason=command.held_reason,
        discard_first=command.discard_first,
        reason=command.reason,
    )
    return _event(ledger.ParkedLoanReleased, data, command, stamp)


def _event(
    kind: type[Envelope], data: Data, command: Command, stamp: Stamp, effective_date: date | None = None
) -> Envelope:
    """The event of this type with the attributes that all of ours have; its subject is the command's aggregate."""
    name = kind.model_fields["type"].default
    attributes = {
        "id": command.event_id,
        "source": SOURCE,
        "subject": aggregate_of(command),
        "time": stamp.time,
        "dataschema": f"{SCHEMA_BASE}{name}.json",
        "correlationid": stamp.correlation_id,
        "effectivedate": effective_date,
    }
    return kind.model_validate(attributes | {"data": data})


def _require_open(guards: Guards) -> date:
    if guards.open_date is None:
        raise model.BookNotOpen("Open the book on its first business date.")
    return guards.open_date


def _value_date(effective_date: date | None, guards: Guards) -> date:
    open_date = _require_open(guards)
    if effective_date is not None and effective_date > open_date:
        raise model.ValueDateAhead(f"{effective_date} is after the open date {open_date}.", field="effective_date")
    return effective_date or open_date


def _minor(text: str, currency: str, name: str) -> int:
    try:
        return minor_units(text, currency)
    except Refusal as refusal:
        refusal.field = name if refusal.field == "amount" else refusal.field
        raise


def _positive(text: str, currency: str, name: str) -> int:
    amount = _minor(text, currency, name)
    if amount == 0:
        raise model.AmountZero(f"{text} {currency} is nothing.", field=name)
    return amount
