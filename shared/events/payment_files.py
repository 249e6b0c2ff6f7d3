"""Files that ask a bank to pay out, and what the bank said of them: on `loans.lifecycle.v1`.

The subject is `payment-files` for all of them, so that they have one order: a disbursement stands in one of them
alone. None of it is personal: whom and where to pay is in the file alone; `sha256` says which file it was.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.bank import AccountId, BankReference
from shared.events.entries import Person
from shared.events.envelope import Amount, CurrencyCode, Data, Envelope, EventId, LoanId, Total
from shared.events.ledger import Reason

PAYMENT_FILES = "payment-files"
"""Subject and key of what concerns files to a bank."""
ITEMS_MAX = 10_000
"""Items of one file: an event stays below the 8 MiB of a message."""
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,35}$")]
"""A message's or an end-to-end id in a file."""
StatusCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,4}$")]
"""Of ISO 20022's external code lists, such as ACSC, RJCT and, of reasons, AC04."""
REJECTED = "RJCT"


class PaymentItem(Data):
    """A disbursement that the file pays: what leaves the account, and the end-to-end id under which it does."""

    loan_id: LoanId
    disbursement_id: EventId
    amount: Amount
    reference: Reference


class PaymentFile(Data):
    """A file, whose id is the id of the event: its items add up to `total`, and it is to be executed on a date."""

    message_id: Reference
    account: AccountId
    currency: CurrencyCode
    execution_date: date
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    total: Total
    items: Annotated[tuple[PaymentItem, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    made_by: Person


class PaymentFileVoid(Data):
    """The file was not sent and will not be: what it would have paid is to be paid by another."""

    file_id: EventId
    reason: Reason
    voided_by: Person


class ItemStatus(Data):
    """What the bank says of an item; `reason`: its code for why."""

    reference: Reference
    status: StatusCode
    reason: StatusCode | None = None


class PaymentStatus(Data):
    """A status report on one file, those items whose status it changes. `digest`: SHA-256 of what was read."""

    file_id: EventId
    report_id: BankReference
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    items: Annotated[tuple[ItemStatus, ...], Field(max_length=ITEMS_MAX)]


class PaymentFileMade(Envelope):
    """A file was made that asks the bank to pay disbursements out. They were booked when they were ordered."""

    type: Literal["ledger.PaymentFileMade.v1"] = "ledger.PaymentFileMade.v1"
    data: PaymentFile


class PaymentFileVoided(Envelope):
    """A person said that a file is not sent; its disbursements are free for another one."""

    type: Literal["ledger.PaymentFileVoided.v1"] = "ledger.PaymentFileVoided.v1"
    data: PaymentFileVoid


class PaymentStatusTaken(Envelope):
    """The bank's report on a file was taken in; a disbursement that it rejects is undone by an event of its own."""

    type: Literal["ledger.PaymentStatusTaken.v1"] = "ledger.PaymentStatusTaken.v1"
    data: PaymentStatus
