"""Direct debits on `loans.lifecycle.v1`: mandates and rejections with the loan as subject, runs with `direct-debits`.

A run is one file to the bank. Nothing of it is money: a payment comes with the bank's statement, and a return with it
too. No name and no account of a borrower stands here; the file's hash does.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.bank import AccountId
from shared.events.envelope import Amount, CurrencyCode, Data, Envelope, LoanId, Total
from shared.events.ledger import Reason, ReasonCode

DIRECT_DEBITS = "direct-debits"
"""Subject and key of runs: all of a lender's share one order, so that no instalment is in two."""
ITEMS_MAX = 10_000
"""Items of one run: an event stays below the 8 MiB of a message."""
Scheme = Literal["CORE", "B2B"]
"""The SEPA schemes: of consumers, with a refund on demand for eight weeks; of businesses, without."""
Sequence = Literal["FRST", "RCUR"]
"""The first collection under a mandate, and those that follow (ISO 20022, SequenceType)."""
MandateReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:/-]{0,34}$")]
"""The lender's own name for a mandate, in characters that every bank of the schemes takes."""
DebitReference = Annotated[str, StringConstraints(pattern=r"^dd-[0-9a-f]{32}$")]
"""The end-to-end id of one attempt to collect one instalment."""
RunId = Annotated[str, StringConstraints(pattern=r"^ddr-[0-9a-f]{16}$")]
"""The id of a run, and of its message to the bank."""


class Mandate(Data):
    """A borrower lets the lender debit an account for this loan. It takes the place of an earlier one."""

    reference: MandateReference
    signed_on: date
    scheme: Scheme


class MandateWord(Data):
    """What somebody said of a mandate, and why."""

    reference: MandateReference
    reason: Reason


class DebitItem(Data):
    """One instalment to collect: of `loan_id`, fallen due on `due`, for the `attempt`-th time."""

    loan_id: LoanId
    due: date
    attempt: Annotated[int, Field(ge=1, le=99, strict=True)]
    reference: DebitReference
    mandate: MandateReference
    scheme: Scheme
    sequence: Sequence
    amount: Amount


class DebitRun(Data):
    """A file to the bank of `account` that asks for `total` on `on`. `digest`: its SHA-256; `policy`: the row of retry
    rules that it was made by."""

    run_id: RunId
    account: AccountId
    on: date
    currency: CurrencyCode
    total: Total
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    policy: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    items: Annotated[tuple[DebitItem, ...], Field(min_length=1, max_length=ITEMS_MAX)]


class RunVoid(Data):
    """A run that was never sent, and why."""

    run_id: RunId
    reason: Reason


class Rejection(Data):
    """The bank refused an item before any money moved; `code` is its reason (ISO 20022, external status reason)."""

    run_id: RunId
    reference: DebitReference
    code: ReasonCode


class MandateSigned(Envelope):
    """A mandate was signed; nothing is booked."""

    type: Literal["ledger.MandateSigned.v1"] = "ledger.MandateSigned.v1"
    data: Mandate


class MandateRevoked(Envelope):
    """A mandate was taken back, by the borrower or the lender: nothing is debited by it any more."""

    type: Literal["ledger.MandateRevoked.v1"] = "ledger.MandateRevoked.v1"
    data: MandateWord


class MandateResumed(Envelope):
    """A person found out why debits came back, and the mandate that this had suspended is used again."""

    type: Literal["ledger.MandateResumed.v1"] = "ledger.MandateResumed.v1"
    data: MandateWord


class DebitRunMade(Envelope):
    """A file of direct debits was made; nothing is booked, and sending it is no payment."""

    type: Literal["ledger.DebitRunMade.v1"] = "ledger.DebitRunMade.v1"
    data: DebitRun


class DebitRunVoided(Envelope):
    """A run was taken back before it was sent: its instalments may stand in another."""

    type: Literal["ledger.DebitRunVoided.v1"] = "ledger.DebitRunVoided.v1"
    data: RunVoid


class DebitRejected(Envelope):
    """The bank rejected an item of a run; no payment is taken back, since none came."""

    type: Literal["ledger.DebitRejected.v1"] = "ledger.DebitRejected.v1"
    data: Rejection
