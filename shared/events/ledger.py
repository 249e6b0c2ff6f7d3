"""What the ledger states: on the log of record (payments, calendar, releases), and what it derives for others."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, BorrowerId, CurrencyCode, Data, Envelope, EventId, LoanId, Total
from shared.events.terms import AnnualRate, RateIndex, SignedRate

Reason = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Offset = Annotated[int, Field(ge=0, strict=True)]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,4}$")]
"""Why a bank refused or gave back money: a code of ISO 20022's external sets (payment return, status reason)."""


Branch = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""The lender's own name for one of its branches."""
ReceiptNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,35}$")]


class Receipt(Data):
    """Cash was taken at a branch, and a receipt given whose number the branch gives once. `cashier`: the name of a
    token."""

    branch: Branch
    number: ReceiptNumber
    cashier: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Payment(Data):
    """Money received for a loan. `reference` is the payer's or the bank's own and holds no personal data. `receipt`: it
    was cash at a branch."""

    amount: Amount
    currency: CurrencyCode
    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")] | None = None
    receipt: Receipt | None = None


class Reversal(Data):
    """The payment whose event id this is did not happen (returned, mistaken). `code`: the bank's reason, if any."""

    payment_id: EventId
    reason: Reason
    code: ReasonCode | None = None


class BusinessDate(Data):
    """A zoneless business date."""

    business_date: date


class PublishedRate(Data):
    """The value of a reference rate from a date on, until another is published for a later one."""

    index: RateIndex
    from_date: date
    annual_rate: SignedRate


class Release(Data):
    """A parked loan is folded on from `first_held_offset`, in order, booked on the open date (D9).

    `held_reason` repeats why it was parked: a replay by an engine that knows better parks it there all the same.
    """

    first_held_offset: Offset
    held_reason: Reason
    discard_first: Annotated[bool, Field(strict=True)] = False
    """The first held event can never be folded (a reversal of nothing): it becomes a dead letter, the rest goes on."""
    reason: Reason


class Retry(Data):
    """A dead letter is read again by the engine of now; or, with `replaced_by`, it is settled by that event instead."""

    dead_offset: Offset
    replaced_by: EventId | None = None
    tried_at: Offset | None = None
    """The offset of the last retry, which left it dead: so does a replay, even by an engine that knows better."""
    reason: Reason


class PaymentReceived(Envelope):
    """A repayment came in on the effective date."""

    type: Literal["ledger.PaymentReceived.v1"] = "ledger.PaymentReceived.v1"
    data: Payment


class PaymentReversed(Envelope):
    """An earlier payment was taken back."""

    type: Literal["ledger.PaymentReversed.v1"] = "ledger.PaymentReversed.v1"
    data: Reversal


class BookOpened(Envelope):
    """The first business date; the same event id on every partition."""

    type: Literal["ledger.BookOpened.v1"] = "ledger.BookOpened.v1"
    data: BusinessDate


class BusinessDateClosed(Envelope):
    """A business date ended; the same event id on every partition. Every calendar day is one (D3)."""

    type: Literal["ledger.BusinessDateClosed.v1"] = "ledger.BusinessDateClosed.v1"
    data: BusinessDate


class ReferenceRatePublished(Envelope):
    """A reference rate has a value from a date on; the same event id on every partition.

    One that begins before the open date is a dead letter: what loans were reset by never changes. Of two that begin on
    one date the later holds."""

    type: Literal["ledger.ReferenceRatePublished.v1"] = "ledger.ReferenceRatePublished.v1"
    data: PublishedRate


class ParkedLoanReleased(Envelope):
    """An operator let a parked loan go on."""

    type: Literal["ledger.ParkedLoanReleased.v1"] = "ledger.ParkedLoanReleased.v1"
    data: Release


class DeadLetterRetried(Envelope):
    """An operator had a dead letter read again, or settled it."""

    type: Literal["ledger.DeadLetterRetried.v1"] = "ledger.DeadLetterRetried.v1"
    data: Retry


class Posting(Data):
    """One debit and one credit of the same amount (D11), with its value date (D12)."""

    debit: str
    credit: str
    amount: Total
    currency: CurrencyCode
    effective_date: date


class Account(Data):
    """A loan's figures after an event. `past_due_since`: the due date from which days past due count, if any.

    Fees and penalties are due from the day on which they are charged, an instalment's fee from the end of its due date;
    both are absent where there never were any.
    `charged_off_on`: since when the claim is no asset any more; it goes on. `restructured`: how often, if ever;
    `watched_until`: the date up to which the loan is watched for that. Since a valuation, and while the claim is an
    asset: `valued_on` its period end, `valued_as` its class or stage, and the balances that stand since.
    `annual_rate`: the rate in force of a loan that follows a reference rate.
    """

    status: Literal["contracted", "active", "settled", "written-off", "unknown"]
    principal_outstanding: Total
    interest_due: Total
    fees_due: Total | None = None
    penalties_due: Total | None = None
    past_due: Total
    past_due_since: date | None = None
    next_due_date: date | None = None
    overpaid: Total
    in_suspense: Total
    charged_off_on: date | None = None
    restructured: Annotated[int, Field(ge=1, strict=True)] | None = None
    watched_until: date | None = None
    valued_on: date | None = None
    valued_as: str | None = None
    allowance: Total | None = None
    suspended_interest: Total | None = None
    deferred_fees: Total | None = None
    annual_rate: AnnualRate | None = None


class Entry(Data):
    """What one event did to one loan: its postings (possibly none) and the account afterwards. `returned`: the bank's
    reason, where the event is a payment that it gave back."""

    loan_id: LoanId
    borrower_id: BorrowerId | None = None
    cause: str
    currency: CurrencyCode | None = None
    booking_date: date
    postings: list[Posting]
    returned: ReasonCode | None = None
    account: Account


class Parking(Data):
    """A loan stopped at an event that breaks an invariant, or went on."""

    loan_id: LoanId
    offset: Offset
    reason: str


class PartitionDate(Data):
    """One partition of the ledger has closed a business date."""

    partition: Annotated[int, Field(ge=0, strict=True)]
    partitions: Annotated[int, Field(ge=1, strict=True)]
    business_date: date


class EntryPosted(Envelope):
    """An event changed a loan; key = borrower id."""

    type: Literal["ledger.EntryPosted.v1"] = "ledger.EntryPosted.v1"
    data: Entry


class InstalmentFellDue(Envelope):
    """A closing made at least one instalment of a loan due; key = borrower id."""

    type: Literal["ledger.InstalmentFellDue.v1"] = "ledger.InstalmentFellDue.v1"
    data: Entry


class LoanParked(Envelope):
    """A loan is parked until released."""

    type: Literal["ledger.LoanParked.v1"] = "ledger.LoanParked.v1"
    data: Parking


class LoanUnparked(Envelope):
    """A parked loan goes on."""

    type: Literal["ledger.LoanUnparked.v1"] = "ledger.LoanUnparked.v1"
    data: Parking


class LedgerDateClosed(Envelope):
    """A ledger partition closed a date; sent to every partition of `ledger.events.v1` after its own entries (D15)."""

    type: Literal["ledger.LedgerDateClosed.v1"] = "ledger.LedgerDateClosed.v1"
    data: PartitionDate


class AccountSnapshot(Data):
    """The latest state of a loan on the compacted `ledger.accounts.v1`; readers drop one whose `as_of` is older."""

    loan_id: LoanId
    borrower_id: BorrowerId | None = None
    currency: CurrencyCode | None = None
    partition: Annotated[int, Field(ge=0, strict=True)]
    as_of: Offset
    business_date: date
    account: Account
