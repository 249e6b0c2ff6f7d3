"""What callers send to service a loan. Unknown fields are refused; ids of payments, charges and events are in the path.

Each body gives the data of its event; without `effective_date` the fact counts from the open date.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from shared.api import Body, Day
from shared.events import servicing
from shared.events.envelope import Amount, CurrencyCode, LoanId
from shared.events.ledger import Reason
from shared.events.servicing import Count
from shared.events.terms import FeeName

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Fact(Body):
    """What all have in common."""

    effective_date: Day | None = None


class NewCharge(Fact):
    """A fee or penalty."""

    part: Literal["fee", "penalty"]
    name: FeeName
    amount: Amount
    currency: CurrencyCode
    due: Day

    def data(self) -> servicing.Charge:
        """As it is stated on the log."""
        return servicing.Charge.model_validate(self.model_dump(exclude={"effective_date"}))


class Why(Fact):
    """Something that needs nothing but a reason: a waiver, a write-off, a re-amortisation, a resumption."""

    reason: Reason


class NewAdjustment(Fact):
    """By how much a charge was wrong."""

    amount: Amount
    currency: CurrencyCode
    reason: Reason


class NewCredit(Fact):
    """Money for the loan that its borrower did not pay."""

    kind: Literal["goodwill-credit", "merchant-refund", "payout-refund"]
    amount: Amount
    currency: CurrencyCode


class Money(Fact):
    """An amount that goes out: a chargeback, or the refund of a credit balance."""

    amount: Amount
    currency: CurrencyCode


class NewRefinancing(Fact):
    """Money out of a loan, of which `payoff` settles another one: its payoff on the effective date, as
    GET /v1/loans/{old_loan_id}/payoff has it."""

    old_loan_id: LoanId
    amount: Amount
    payoff: Amount
    currency: CurrencyCode


class NewChargeOff(Fact):
    """Why the claim is taken out of the assets."""

    reason: Reason
    fraud: Annotated[bool, Field(strict=True)] = False


class DueDateMove(servicing.DueDateMoved):
    """An instalment moves, and all after it."""

    model_config = _STRICT

    due: Day
    to: Day


class RateChange(servicing.RateChanged):
    """A new rate from an instalment on."""

    model_config = _STRICT

    from_due: Day


class TermExtension(servicing.TermExtended):
    """More instalments."""

    model_config = _STRICT

    from_due: Day


class GraceGrant(servicing.GraceGranted):
    """Instalments without principal, or with their interest put off."""

    model_config = _STRICT

    from_due: Day


class InterestPause(servicing.InterestPaused):
    """Days without interest."""

    model_config = _STRICT

    start: Day
    end: Day


NewChange = Annotated[
    DueDateMove | RateChange | TermExtension | GraceGrant | InterestPause, Field(discriminator="change")
]


class NewReschedule(Fact):
    """Changes of instalments that are still to come."""

    changes: Annotated[tuple[NewChange, ...], Field(min_length=1, max_length=10)]
    by: Literal["agreement", "borrower"] = "agreement"
    restructure: Annotated[bool, Field(strict=True)] = False
    reason: Reason
    override: Reason | None = None
    """Why it may go beyond the lender's limits on restructuring; for roles that its policy gives the authority to."""

    def data(self) -> servicing.Reschedule:
        """As it is stated on the log, an override of limits left out: it is stated where one is needed."""
        return servicing.Reschedule.model_validate(self.model_dump(exclude={"effective_date", "override"}))


class NewReAge(Fact):
    """New dates for all principal that is unpaid."""

    first_due: Day
    instalments: Count
    every: Annotated[int, Field(ge=1, le=366, strict=True)] = 1
    unit: Literal["day", "week", "month"] = "month"
    reason: Reason

    def data(self) -> servicing.ReAge:
        """As it is stated on the log."""
        return servicing.ReAge.model_validate(self.model_dump(exclude={"effective_date"}))


class NewPrepayment(Fact):
    """Principal paid before it is due."""

    amount: Amount
    currency: CurrencyCode
    effect: Literal["reduce-instalment", "fewer-instalments"]


class NewPause(Fact):
    """Days that don't count towards delinquency, both included."""

    start: Day
    end: Day


class NewUndoing(Body):
    """Why the event never happened."""

    reason: Reason
