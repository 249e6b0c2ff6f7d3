"""What the lender's bank said and what became of it: on `loans.lifecycle.v1`, the subject being `bank.<account>`.

A line carries what the bank assigned and what names something of ours, never a name, a remittance text or the number of
somebody's account.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, CurrencyCode, Data, Envelope, EventId, LoanId, SignedAmount
from shared.events.ledger import Reason, ReasonCode

AccountId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""The lender's own name for a bank account of its own."""
BankReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
SUBJECT = "bank."
"""What the subject of an account's own events begins with; the account's id follows."""
UNMATCHED = "unmatched."
"""What the pseudo-loan begins with on which money waits that came in and fits no loan; the line's id follows."""
LINES_MAX = 10_000
"""Lines of one statement: an event stays below the 8 MiB of a message."""

Outcome = Literal[
    "matched",
    "received",
    "partial",
    "disbursed",
    "returned",
    "ambiguous",
    "unmatched",
    "outside",
    "assigned",
    "transfer",
]
"""matched: a payment that the books had already. received: a payment made of the line, for the loan that it names.
partial: either, and the amount is another than was recorded, or asked for. disbursed: money out that the books had
already. returned: the payment that it names is taken back. ambiguous, unmatched: several fit, none fits; what came in
waits in suspense, what went out is in no book. outside: a person said that it is none of the loan book's business.
assigned: a person said what it is. transfer: money between two accounts of the lender's own, which is in the books
already."""


class Allocation(Data):
    """A fact of the books that a line, or a part of it, stands for; `made` of the line, or found."""

    loan_id: LoanId
    event_id: EventId
    amount: SignedAmount
    made: Annotated[bool, Field(strict=True)]


class BankLine(Data):
    """One booked movement: money in is positive. `candidates`: loans between which nobody but a person can decide.
    `expected`: what a `partial` one was recorded, or asked for, with. `code`: why a payment came back. `other_account`:
    where a transfer went to or came from."""

    n: Annotated[int, Field(ge=1, le=LINES_MAX, strict=True)]
    booked_on: date
    value_date: date
    amount: SignedAmount
    reference: BankReference | None = None
    bank_reference: BankReference | None = None
    outcome: Outcome
    allocations: tuple[Allocation, ...] = ()
    candidates: tuple[LoanId, ...] = ()
    expected: Amount | None = None
    code: ReasonCode | None = None
    other_account: AccountId | None = None


class BankStatement(Data):
    """One statement, whole: opening + lines = closing, and it begins where the account's last one ended.

    `digest`: SHA-256 of what was read, so that the same statement is known again. `pending`: entries that are not
    booked yet, left out.
    """

    account: AccountId
    statement_id: BankReference
    sequence: Annotated[int, Field(ge=0, strict=True)] | None = None
    currency: CurrencyCode
    opens: date
    closes: date
    opening: SignedAmount
    closing: SignedAmount
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    pending: Annotated[int, Field(ge=0, strict=True)] = 0
    lines: Annotated[tuple[BankLine, ...], Field(max_length=LINES_MAX)]


class LineAssignment(Data):
    """What a person said a line is; it takes the place of what stood there. `revision` counts from 1."""

    account: AccountId
    statement_id: BankReference
    n: Annotated[int, Field(ge=1, le=LINES_MAX, strict=True)]
    revision: Annotated[int, Field(ge=1, strict=True)]
    outcome: Outcome
    allocations: tuple[Allocation, ...]
    other_account: AccountId | None = None
    reason: Reason


class BankStatementTaken(Envelope):
    """A statement was taken in; what changes the books follows from its lines, as events of their own."""

    type: Literal["ledger.BankStatementTaken.v1"] = "ledger.BankStatementTaken.v1"
    data: BankStatement


class BankLineAssigned(Envelope):
    """A person matched, split or unmatched a line; reversals and payments that follow are events of their own."""

    type: Literal["ledger.BankLineAssigned.v1"] = "ledger.BankLineAssigned.v1"
    data: LineAssignment
