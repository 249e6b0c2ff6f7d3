"""What may be asked of the ledger. `event_id` is the id of the event that a command becomes:
a command whose event id was recorded before does nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.ledger.engine.facts import Happening
from shared.events.bank import BankStatement, LineAssignment
from shared.events.entries import EntryLine
from shared.events.envelope import Data, Envelope
from shared.events.ledger import Receipt
from shared.events.origination import Contract, Settlement
from shared.events.payment_files import PaymentFile, PaymentFileVoid, PaymentStatus
from shared.events.servicing import Reschedule
from shared.events.take_over import OpeningPositions
from shared.events.valuation import Valuation


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
class PublishRate:
    """State the value of a reference rate from `from_date` on, in force until another begins."""

    index: str
    from_date: date
    annual_rate: str
    event_id: str


@dataclass(frozen=True, slots=True)
class ConcludeContract:
    """Agree a loan on its whole terms."""

    loan_id: str
    contract: Contract
    event_id: str


@dataclass(frozen=True, slots=True)
class Disburse:
    """Pay out the principal, or a part of it, on `effective_date` (None: the open date). `settles`: what of it pays off
    another loan, whose credit is recorded with it (see refinancing)."""

    loan_id: str
    amount: str
    currency: str
    effective_date: date | None
    event_id: str
    settles: Settlement | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Let a contracted loan go on that another system carried until `cut_over` (None: the open date)."""

    loan_id: str
    positions: OpeningPositions
    cut_over: date | None
    event_id: str


@dataclass(frozen=True, slots=True)
class ReceivePayment:
    """Money came in for a loan, known or not, on `effective_date` (None: the open date). `receipt`: as cash at a
    branch; the event's id is then the receipt's (see commands.receipts)."""

    loan_id: str
    amount: str
    currency: str
    effective_date: date | None
    reference: str | None
    event_id: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class ReversePayment:
    """Take back the payment whose event id is `payment_id`; `code`: the bank's reason."""

    loan_id: str
    payment_id: str
    reason: str
    event_id: str
    code: str | None = None


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
class ValueLoan:
    """State what a loan is worth at the end of a period that is over."""

    loan_id: str
    data: Valuation
    event_id: str


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


@dataclass(frozen=True, slots=True)
class ClosePeriod:
    """Close the accounting period that ends on `period_end`; `closed_by` is the name of the person."""

    period_end: date
    closed_by: str
    event_id: str


@dataclass(frozen=True, slots=True)
class CloseYear:
    """Close the year that ends on `year_end`: `lines` take its income and expense to retained earnings. `after`: the
    last year that was closed when they were reckoned."""

    year_end: date
    lines: tuple[EntryLine, ...]
    closed_by: str
    after: date | None
    event_id: str


@dataclass(frozen=True, slots=True)
class ProposeEntry:
    """Propose a manual entry of a loan, or of the general ledger (`loan_id` is then its subject). Its id is `event_id`.
    `reverses`: an approved entry of the same subject, whose lines these take back."""

    loan_id: str
    value_date: date
    lines: tuple[EntryLine, ...]
    reason: str
    reference: str | None
    maker: str
    event_id: str
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class ApproveEntry:
    """Approve the entry `entry_id`, whose subject is `loan_id`: it is booked."""

    loan_id: str
    entry_id: str
    checker: str
    event_id: str


@dataclass(frozen=True, slots=True)
class DeclineEntry:
    """Decline the entry `entry_id`, whose subject is `loan_id`."""

    loan_id: str
    entry_id: str
    checker: str
    reason: str
    event_id: str


@dataclass(frozen=True, slots=True)
class TakeStatement:
    """Take in a bank statement whose lines are matched. `opening`: the minor units that the account began with, for its
    first statement; `after`: the account's last event when the lines were matched."""

    statement: BankStatement
    opening: int
    after: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class AssignLine:
    """A person says what a line of a bank statement is; what follows for loans are commands beside this one."""

    assignment: LineAssignment
    after: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class NoteDebit:
    """State a fact of direct debits, an event of type `kind`: of a loan's mandate, or of runs (`loan_id` is then their
    subject). `after`: the last event of runs when it was planned."""

    kind: type[Envelope]
    loan_id: str
    data: Data
    event_id: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class MakePaymentFile:
    """State that a file was made. `after`: the last event of any file when its items were chosen; `lasts`: the last
    event of each loan, payments apart, that was in the books then (None: none that commands know of)."""

    file: PaymentFile
    lasts: Mapping[str, str | None]
    after: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class VoidPaymentFile:
    """State that a file is not sent."""

    void: PaymentFileVoid
    after: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class TakePaymentStatus:
    """Take in the bank's report on a file; what it rejects is undone by commands beside this one."""

    status: PaymentStatus
    after: str | None
    event_id: str


BookCommand = OpenBook | CloseDate | ClosePeriod | CloseYear | PublishRate | RetryDeadLetter
EntryCommand = ProposeEntry | ApproveEntry | DeclineEntry
LoanCommand = (
    ConcludeContract
    | Disburse
    | TakeOver
    | ReceivePayment
    | ReversePayment
    | ServiceLoan
    | UndoEvent
    | ValueLoan
    | ReleaseLoan
)
BankCommand = TakeStatement | AssignLine
FileCommand = MakePaymentFile | VoidPaymentFile | TakePaymentStatus
Command = BookCommand | LoanCommand | EntryCommand | BankCommand | NoteDebit | FileCommand
