"""What callers send: the contract of each request's parts. Unknown fields are refused."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from shared.api import Body, Day
from shared.events.envelope import Amount, BorrowerId, CurrencyCode, EventId, LoanId
from shared.events.ledger import Branch, Reason, ReceiptNumber
from shared.events.origination import Contract, Security
from shared.events.take_over import OpeningInstalment, OpeningPositions
from shared.events.terms import RateIndex, SignedRate, Terms

Product = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}@[0-9]{1,6}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
"""Both as in the events' own models; a test holds them together."""


class BookDate(Body):
    """The date to open the book on, or to close."""

    business_date: Day


class NewRate(Body):
    """The value of a reference rate from a date on."""

    index: RateIndex
    from_date: Day
    annual_rate: SignedRate


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
    security: Security = "unsecured"

    def contract(self) -> Contract:
        """The contract as it is stated on the log."""
        terms = Terms.model_validate(self.terms.model_dump())
        return Contract(borrower_id=self.borrower_id, product=self.product, terms=terms, security=self.security)


class NewSchedule(Body):
    """Terms, and the date on which the principal would be paid out whole."""

    terms: LoanTerms
    disbursed_on: Day


class NewDisbursement(Body):
    """The principal or a part of it, paid out; without a date on the open one."""

    amount: Amount
    currency: CurrencyCode
    effective_date: Day | None = None


class OpenInstalment(OpeningInstalment):
    """What one instalment still asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    due: Day


class NewTakeOver(OpeningPositions):
    """Where a loan stands that another system carried; `cut_over` is the open date where it is not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cut_over: Day | None = None
    disbursed_on: Day
    accrues_from: Day | None = None
    instalments: Annotated[tuple[OpenInstalment, ...], Field(max_length=1200)] = ()
    watched_until: Day | None = None
    charged_off_on: Day | None = None

    def positions(self) -> OpeningPositions:
        """As they are stated on the log."""
        return OpeningPositions.model_validate(self.model_dump(exclude={"cut_over"}))


class NewReceipt(Body):
    """A receipt for cash at a branch; the token says who the cashier is."""

    branch: Branch
    number: ReceiptNumber


class NewPayment(Body):
    """Money that came in; without a date on the open one. With a `receipt` it was cash at a branch, and the same
    receipt again is the same payment."""

    amount: Amount
    currency: CurrencyCode
    effective_date: Day | None = None
    reference: Reference | None = None
    receipt: NewReceipt | None = None


class NewReversal(Body):
    """Why the payment did not happen."""

    reason: Reason


class NewRetry(Body):
    """Why the dead letter is read again, or which event stands in its place."""

    reason: Reason
    replaced_by: EventId | None = None
