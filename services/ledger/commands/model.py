"""What may be asked of the ledger, and the refusals by name. `event_id` is the id of the event that a command becomes:
a command whose event id was recorded before does nothing."""

from dataclasses import dataclass
from datetime import date

from services.ledger.engine.facts import Happening
from shared.errors import Refusal
from shared.events.origination import Contract
from shared.events.servicing import Reschedule


@dataclass(frozen=True, slots=True)
class OpenBook:
    """Open the book on its first business date."""

    business_date: date
    event_id: str


@dataclass(frozen=True, slots=True)
class CloseDate:
    """End the open business date; the next calendar day opens."""

    business_date: date
    event_id: str


@dataclass(frozen=True, slots=True)
class ConcludeContract:
    """Agree a loan on its whole terms."""

    loan_id: str
    contract: Contract
    event_id: str


@dataclass(frozen=True, slots=True)
class Disburse:
    """Pay out the principal, or a part of it, on `effective_date` (None: the open date)."""

    loan_id: str
    amount: str
    currency: str
    effective_date: date | None
    event_id: str


@dataclass(frozen=True, slots=True)
class ReceivePayment:
    """Money came in for a loan, known or not, on `effective_date` (None: the open date)."""

    loan_id: str
    amount: str
    currency: str
    effective_date: date | None
    reference: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class ReversePayment:
    """Take back the payment whose event id is `payment_id`."""

    loan_id: str
    payment_id: str
    reason: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Override:
    """Why the limits on restructuring may be passed, who says so (the name of a token), and that one's role."""

    reason: str
    by: str
    role: str


@dataclass(frozen=True, slots=True)
class ServiceLoan:
    """Anything else that happens to a loan that is paid out, on `effective_date` (None: the open date): a charge, a
    credit, an agreed change, an end. `data` is the fact as it will be stated, but for an override of limits that it
    turns out to need."""

    loan_id: str
    data: Happening
    effective_date: date | None
    event_id: str
    override: Override | None = None

    @property
    def restructures(self) -> bool:
        """Whether it counts as a restructuring."""
        return isinstance(self.data, Reschedule) and self.data.restructure


@dataclass(frozen=True, slots=True)
class UndoEvent:
    """Take back the fact whose event id is `undone_id`, as if it had never been."""

    loan_id: str
    undone_id: str
    reason: str
    event_id: str


@dataclass(frozen=True, slots=True)
class ReleaseLoan:
    """Let a parked loan go on, from its first held offset; `held_reason` is why it was parked. `discard_first` sets the
    event that parked it aside as a dead letter."""

    loan_id: str
    first_held_offset: int
    held_reason: str
    reason: str
    event_id: str
    discard_first: bool = False


@dataclass(frozen=True, slots=True)
class RetryDeadLetter:
    """Read the dead letter at (partition, offset) again, or settle it by the event `replaced_by`.

    `tried_at`: the offset of the last retry, which left it dead.
    """

    partition: int
    dead_offset: int
    replaced_by: str | None
    reason: str
    event_id: str
    tried_at: int | None = None


BookCommand = OpenBook | CloseDate | RetryDeadLetter
LoanCommand = ConcludeContract | Disburse | ReceivePayment | ReversePayment | ServiceLoan | UndoEvent | ReleaseLoan
Command = BookCommand | LoanCommand


class BookNotOpen(Refusal):
    """The book has no open business date yet."""

    status = 409


class BookAlreadyOpen(Refusal):
    """The book was opened before; it opens once."""

    status = 409


class DateNotOpen(Refusal):
    """Only the open business date can be closed."""

    status = 409


class LastDate(Refusal):
    """The calendar ends: no business date can follow."""


class LoanAlreadyContracted(Refusal):
    """The loan has a contract already."""

    status = 409


class LoanNotContracted(Refusal):
    """The loan has no contract."""

    status = 409


class LoanNotDisbursed(Refusal):
    """The loan is not paid out yet."""

    status = 409


class AboveContract(Refusal):
    """Disbursements together must not exceed the amount of the contract, or what its terms allow above it."""


class OtherCurrency(Refusal):
    """The amount must be in the loan's currency."""


class BeforeDisbursement(Refusal):
    """Nothing can happen to a loan before the money is paid out."""


class BreaksRule(Refusal):
    """The books would not take it: it breaks a rule of the loan."""

    status = 409


class RestructuredShareAboveLimit(Refusal):
    """Too much of the running loans would be restructured."""

    status = 409


class RestructuredTooOften(Refusal):
    """The loan was restructured as often as it may be."""

    status = 409


class OverrideNotAllowed(Refusal):
    """This role may not go beyond the limits on restructuring."""

    status = 403


class LoanIsParked(Refusal):
    """The loan is parked: its books are not complete until it is released."""

    status = 409


class ChangedMeanwhile(Refusal):
    """Something else happened to the loan at the same time; look at it again."""

    status = 409


class AmountZero(Refusal):
    """The amount must be more than zero."""


class ValueDateAhead(Refusal):
    """The effective date is after the open business date."""


class UnknownPayment(Refusal):
    """No such payment was recorded for this loan."""

    status = 404


class PaymentAlreadyReversed(Refusal):
    """The payment was reversed before."""

    status = 409


class UnknownPartition(Refusal):
    """The log has no such partition."""

    status = 404
