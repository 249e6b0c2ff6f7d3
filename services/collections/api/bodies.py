"""What callers send: the contract of each request's parts. Unknown fields are refused."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from shared.api.bodies import YEARS, Body, Day
from shared.events.collections import ContactPurpose, PlanPart, Reason
from shared.events.envelope import Amount, CurrencyCode, EventId, LoanId
from shared.events.parties import Channel


def _in_utc(at: datetime) -> datetime:
    if at.year not in YEARS:
        raise ValueError(f"a date lies in the years {YEARS[0]} to {YEARS[-1]}")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""RFC 3339 with an offset; UTC from here on."""


class ContactBody(Body):
    """An attempt to be made. `at`: for other services, which may live on business time; absent: now."""

    channel: Channel
    purpose: ContactPurpose
    loan_id: LoanId | None = None
    about: EventId | None = None
    at: Instant | None = None


class ConclusionBody(Body):
    """What became of an attempt."""

    outcome: Literal["sent", "answered", "unanswered", "failed"]
    detail: Reason | None = None


class PromiseBody(Body):
    """What the borrower promised."""

    amount: Amount
    currency: CurrencyCode
    due_date: Day


class WithdrawalBody(Body):
    """Why a promise does not stand any more."""

    reason: Reason


class StopBody(Body):
    """What stops contact; without a loan, for all of them."""

    kind: Literal["dispute", "cease", "hardship"]
    loan_id: LoanId | None = None
    reason: Reason


class PartBody(Body):
    """One part of a plan."""

    due_date: Day
    amount: Amount

    def part(self) -> PlanPart:
        """As the event has it."""
        return PlanPart(due_date=self.due_date, amount=self.amount)


class PlanBody(Body):
    """What was agreed; `evidence` refers to where its proof is kept."""

    currency: CurrencyCode
    parts: Annotated[list[PartBody], Field(min_length=1, max_length=120)]
    evidence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")]


class ReturnBody(Body):
    """A case is given back: skipped with a reason, or done. It comes up again on `again_on`, or the next date."""

    reason: Reason | None = None
    again_on: Day | None = None


class DispatchBody(Body):
    """One pass of reminders, with this instant; absent: now."""

    at: Instant | None = None
