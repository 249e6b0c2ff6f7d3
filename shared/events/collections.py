"""What collections derives (`collections.cases.v1`), what its people and senders do (`collections.inbox.v1`), and the
plans agreed with borrowers (`loans.lifecycle.v1`)."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, BorrowerId, CurrencyCode, Data, Envelope, EventId, LoanId, Timestamp, Total
from shared.events.parties import Channel, Code

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300)]
CaseId = EventId
"""The id of the event that opened the case."""
ContactPurpose = Literal["service", "reminder", "collection", "legal-notice"]


class Case(Data):
    """The whole case as it stands after the event. One case a borrower, over all of the borrower's loans."""

    case_id: CaseId
    borrower_id: BorrowerId
    status: Literal["open", "parked", "closed"]
    step: Code
    """The strategy's step that the case is at."""
    days_past_due: Annotated[int, Field(ge=0, strict=True)]
    past_due: dict[CurrencyCode, Total]
    loans: list[LoanId]
    priority: Annotated[int, Field(ge=0, strict=True)]
    """Higher first; by the documented rule `rule`."""
    rule: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    parked_until: date | None = None
    reason: Reason
    as_of: date
    version: Annotated[int, Field(ge=1, strict=True)]
    """Counts the case's changes."""


class CaseOpened(Envelope):
    """A borrower is past due by more than the policy lets pass."""

    type: Literal["collections.CaseOpened.v1"] = "collections.CaseOpened.v1"
    data: Case


class CaseReopened(Envelope):
    """A closed case is needed again: a payment was reversed, or arrears came back."""

    type: Literal["collections.CaseReopened.v1"] = "collections.CaseReopened.v1"
    data: Case


class CaseChanged(Envelope):
    """Step, priority or figures moved."""

    type: Literal["collections.CaseChanged.v1"] = "collections.CaseChanged.v1"
    data: Case


class CaseParked(Envelope):
    """Nobody works on the case while a promise, a dispute or a hardship stands."""

    type: Literal["collections.CaseParked.v1"] = "collections.CaseParked.v1"
    data: Case


class CaseResumed(Envelope):
    """The case goes on."""

    type: Literal["collections.CaseResumed.v1"] = "collections.CaseResumed.v1"
    data: Case


class CaseClosed(Envelope):
    """Nothing is past due any more."""

    type: Literal["collections.CaseClosed.v1"] = "collections.CaseClosed.v1"
    data: Case


class Promise(Data):
    """A borrower's promise to pay; its id is that of the event that recorded it."""

    promise_id: EventId
    borrower_id: BorrowerId
    loan_id: LoanId
    amount: Amount
    currency: CurrencyCode
    due_date: date
    paid: Amount = "0"
    status: Literal["active", "kept", "partly-kept", "broken", "cancelled"] = "active"
    by: Name
    plan_id: EventId | None = None
    reason: Reason | None = None


class PromiseMade(Envelope):
    """A promise stands."""

    type: Literal["collections.PromiseMade.v1"] = "collections.PromiseMade.v1"
    data: Promise


class PromiseKept(Envelope):
    """The ledger shows the whole amount in time."""

    type: Literal["collections.PromiseKept.v1"] = "collections.PromiseKept.v1"
    data: Promise


class PromisePartlyKept(Envelope):
    """The ledger shows a part within the policy's tolerance."""

    type: Literal["collections.PromisePartlyKept.v1"] = "collections.PromisePartlyKept.v1"
    data: Promise


class PromiseBroken(Envelope):
    """The date passed and the money is not there, or was taken back."""

    type: Literal["collections.PromiseBroken.v1"] = "collections.PromiseBroken.v1"
    data: Promise


class PromiseCancelled(Envelope):
    """A promise was taken back, with a reason."""

    type: Literal["collections.PromiseCancelled.v1"] = "collections.PromiseCancelled.v1"
    data: Promise


class Reminder(Data):
    """A reminder that is due to be sent."""

    reminder_id: EventId
    borrower_id: BorrowerId
    loan_id: LoanId
    kind: Literal["t-3", "t0", "t+1"]
    instalment_due: date
    amount: Total | None = None
    currency: CurrencyCode
    on_date: date
    until: date
    """The last day on which it may be sent."""


class ReminderScheduled(Envelope):
    """On this business date the borrower is to be reminded."""

    type: Literal["collections.ReminderScheduled.v1"] = "collections.ReminderScheduled.v1"
    data: Reminder


class Contact(Data):
    """An attempt to reach a borrower. Reserved before it is made; what became of it follows under the same id."""

    contact_id: EventId
    borrower_id: BorrowerId
    channel: Channel
    purpose: ContactPurpose
    at: Timestamp
    by: Name
    about: EventId | None = None
    """The reminder or case that it is about."""
    loan_id: LoanId | None = None
    policy: Annotated[str, StringConstraints(max_length=100)]
    """The policy rows under which it was allowed."""
    outcome: Literal["reserved", "sent", "answered", "unanswered", "failed", "unclear"] = "reserved"
    detail: Reason | None = None


class ContactReserved(Envelope):
    """The gate allowed an attempt and counted it."""

    type: Literal["collections.ContactReserved.v1"] = "collections.ContactReserved.v1"
    data: Contact


class ContactConcluded(Envelope):
    """What became of an attempt. `unclear`: nobody knows whether it went out; it is never repeated by itself."""

    type: Literal["collections.ContactConcluded.v1"] = "collections.ContactConcluded.v1"
    data: Contact


class PromiseCommand(Data):
    """A collector records what the borrower promised."""

    loan_id: LoanId
    amount: Amount
    currency: CurrencyCode
    due_date: date
    by: Name
    plan_id: EventId | None = None
    """The plan that it is a part of."""


class PromiseRecorded(Envelope):
    """A collector recorded a promise; on collections' inbox, key = borrower id."""

    type: Literal["collections.PromiseRecorded.v1"] = "collections.PromiseRecorded.v1"
    data: PromiseCommand


class PromiseWithdrawal(Data):
    """A promise does not stand any more."""

    promise_id: EventId
    by: Name
    reason: Reason


class PromiseWithdrawn(Envelope):
    """A collector took a promise back; on collections' inbox."""

    type: Literal["collections.PromiseWithdrawn.v1"] = "collections.PromiseWithdrawn.v1"
    data: PromiseWithdrawal


class Stop(Data):
    """What a borrower said that stops contact: the debt is disputed, or nobody is to call."""

    kind: Literal["dispute", "cease", "hardship"]
    loan_id: LoanId | None = None
    by: Name
    reason: Reason


class StopSet(Envelope):
    """Contact stops; on collections' inbox."""

    type: Literal["collections.StopSet.v1"] = "collections.StopSet.v1"
    data: Stop


class StopLifted(Envelope):
    """Contact may go on; on collections' inbox."""

    type: Literal["collections.StopLifted.v1"] = "collections.StopLifted.v1"
    data: Stop


class Lease(Data):
    """One collector has a case until a moment."""

    case_id: CaseId
    by: Name
    until: Timestamp | None = None
    skipped: Reason | None = None


class CaseTaken(Envelope):
    """A collector took the next case; on collections' inbox."""

    type: Literal["collections.CaseTaken.v1"] = "collections.CaseTaken.v1"
    data: Lease


class CaseGivenBack(Envelope):
    """A collector gave a case back, with what became of it; on collections' inbox."""

    type: Literal["collections.CaseGivenBack.v1"] = "collections.CaseGivenBack.v1"
    data: Lease


class PlanPart(Data):
    """One part of a plan."""

    due_date: date
    amount: Amount


class Plan(Data):
    """What lender and borrower agreed about a loan in arrears."""

    borrower_id: BorrowerId
    currency: CurrencyCode
    parts: Annotated[list[PlanPart], Field(min_length=1, max_length=120)]
    by: Name
    evidence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")]


class PlanAgreed(Envelope):
    """A plan for what is past due; on the log of record, key = loan id."""

    type: Literal["collections.PlanAgreed.v1"] = "collections.PlanAgreed.v1"
    data: Plan


class CaseSnapshot(Data):
    """A case in the queue, on the compacted `collections.queues.v1`; readers drop one whose case's `version` is lower
    than what they have."""

    case: Case
    partition: Annotated[int, Field(ge=0, strict=True)]
    taken_by: Name | None = None
