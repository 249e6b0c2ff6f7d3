"""Request bodies. Fields are those of the events, without what the service itself knows."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.origination.personal import Personal
from shared.api import Body, Day
from shared.events import applications as said
from shared.events import parties
from shared.events.envelope import Amount, BorrowerId, CurrencyCode
from shared.events.terms import AnnualRate


class PartyFields(Body):
    """How to treat a borrower."""

    kind: Literal["person", "business"]
    language: parties.Language
    time_zone: parties.TimeZone
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    region: parties.Code
    industry: parties.Code
    size: Literal["person", "micro", "small", "medium"]


class NewParty(Body):
    """A borrower, and what the vault keeps of them."""

    party: PartyFields
    personal: Personal


class ConsentBody(Body):
    """A consent to one purpose."""

    purpose: parties.Purpose
    evidence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")]


class RelationBody(Body):
    """Somebody who stands by."""

    other: BorrowerId
    kind: Literal["guarantor", "group-member"]
    group: BorrowerId | None = None


class GroupBody(Body):
    """Who form a joint-liability group."""

    members: Annotated[list[BorrowerId], Field(min_length=2, max_length=50)]


class FlagBody(Body):
    """A circumstance."""

    flag: parties.Flag


class RequestBody(Body):
    """What is asked for. `product`: a name (the version of today) or name@version. `every` and `unit`: the product's
    first interval if absent."""

    product: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(@[0-9]{1,6})?$")]
    amount: Amount
    currency: CurrencyCode
    instalments: Annotated[int, Field(ge=1, le=600)]
    every: Annotated[int, Field(ge=1, le=366)] | None = None
    unit: Literal["day", "week", "month"] | None = None
    first_due_date: Day
    purpose: parties.Code


class NewApplication(RequestBody):
    """… by whom."""

    borrower_id: BorrowerId


class BalanceBody(Body):
    """What is owned and owed on a date."""

    as_of: Day
    cash: Amount
    receivables: Amount = "0"
    stock: Amount = "0"
    equipment: Amount = "0"
    property: Amount = "0"
    debts: Amount = "0"


class MonthBody(Body):
    """Cash of one calendar month."""

    month: said.MonthName
    inflows: Amount
    outflows: Amount
    household: Amount = "0"


class DebtBody(Body):
    """A debt to another lender."""

    kind: parties.Code
    outstanding: Amount
    monthly_service: Amount
    days_past_due: said.Count = 0


class StatementBody(Body):
    """The applicant's figures, whole."""

    currency: CurrencyCode
    source: Literal["bank-account", "books", "tax-return", "declared"]
    months: Annotated[list[MonthBody], Field(min_length=1, max_length=60)]
    balance: BalanceBody
    debts: Annotated[tuple[DebtBody, ...], Field(max_length=50)] = ()
    years_in_business: Annotated[int, Field(ge=0, le=100)]


class DocumentBody(Body):
    """A document that was received."""

    kind: parties.Code
    sha256: said.Sha256
    reference: said.Reference


class GuaranteeBody(Body):
    """What stands behind the loan."""

    kind: Literal["guarantor", "collateral"]
    guarantor: BorrowerId | None = None
    collateral: parties.Code | None = None
    value: Amount
    currency: CurrencyCode
    evidence: said.Reference


class ReasonBody(Body):
    """Why."""

    reason: said.Reason


class VerdictBody(Body):
    """A person's word on a referral; amount and rate as asked for and as decided, if absent."""

    verdict: Literal["approve", "decline"]
    amount: Amount | None = None
    annual_rate: AnnualRate | None = None
    reason: said.Reason


class OfferBody(Body):
    """An offer; the first due date as asked for, if absent."""

    first_due_date: Day | None = None


class AcceptanceBody(Body):
    """How the borrower accepted what was shown."""

    shown_sha256: said.Sha256
    method: Literal["in-person", "signature", "one-time-code", "qualified-signature"]
    evidence: said.Reference


class Empty(Body):
    """Nothing but the act itself."""
