"""What callers send: the contract of each request's parts. Unknown fields are refused."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from shared.events.envelope import Amount, BorrowerId, CurrencyCode, EventId, LoanId
from shared.events.ledger import Reason
from shared.events.origination import Contract, Terms

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
YEARS = range(1900, 2200)
"""Outside of these a date is a slip of the pen, and the calendar's end is still far away."""


def _iso_date(value: Any) -> date:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError("the calendar has no such date") from None
    if day.year not in YEARS:
        raise ValueError(f"a date lies in the years {YEARS[0]} to {YEARS[-1]}")
    return day


Day = Annotated[date, BeforeValidator(_iso_date, json_schema_input_type=date)]
"""A zoneless business date, YYYY-MM-DD and nothing else."""


Product = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}@[0-9]{1,6}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
"""Both as in the events' own models; a test holds them together."""


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BookDate(Body):
    """The date to open the book on, or to close."""

    business_date: Day


class LoanTerms(Terms):
    """The complete terms of the loan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_due_date: Day


class NewLoan(Body):
    """A loan to contract."""

    loan_id: LoanId
    borrower_id: BorrowerId
    product: Product
    terms: LoanTerms

    def contract(self) -> Contract:
        """The contract as it is stated on the log."""
        terms = Terms.model_validate(self.terms.model_dump())
        return Contract(borrower_id=self.borrower_id, product=self.product, terms=terms)


class NewDisbursement(Body):
    """The principal, paid out whole; without a date on the open one."""

    amount: Amount
    currency: CurrencyCode
    effective_date: Day | None = None


class NewPayment(Body):
    """Money that came in; without a date on the open one."""

    amount: Amount
    currency: CurrencyCode
    effective_date: Day | None = None
    reference: Reference | None = None


class NewReversal(Body):
    """Why the payment did not happen."""

    reason: Reason


class NewRelease(Body):
    """Where the loan is held, as /v1/parked shows it, and why it may go on."""

    first_held_offset: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)]
    discard_first: Annotated[bool, Field(strict=True)] = False
    reason: Reason


class NewRetry(Body):
    """Why the dead letter is read again, or which event stands in its place."""

    reason: Reason
    replaced_by: EventId | None = None
