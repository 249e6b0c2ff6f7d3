"""What origination states about applications for loans, on `origination.applications.v1`: no personal data.

Key and subject are the random borrower id; every event's data names the application. What is agreed in the end goes to
`loans.lifecycle.v1` as well (shared/events/origination.py).
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.checkpoints import NoteText, Partition
from shared.events.envelope import Amount, BorrowerId, CurrencyCode, Data, Envelope, EventId, LoanId, Total
from shared.events.parties import Code
from shared.events.terms import AnnualRate, Terms

ApplicationId = BorrowerId
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""Who acted: the name of a token, which names no private person."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Versioned = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}@[0-9]{1,6}$")]
"""A product, policy or scorecard at a version: `farm-equipment@1`."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")]
"""Where something is kept; holds no personal data."""
MonthName = Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]
Ratio = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?$")]
"""A signed decimal string without a unit."""
Cash = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,4})?$")]
"""A signed sum of amounts."""
Count = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Outcome = Literal["approve", "refer", "decline"]


class Request(Data):
    """What somebody asks for. `instalments`, `every`, `unit` and `first_due_date` as in `Terms`."""

    application_id: ApplicationId
    product: Versioned
    amount: Amount
    currency: CurrencyCode
    instalments: Annotated[int, Field(ge=1, le=600, strict=True)]
    every: Annotated[int, Field(ge=1, le=366, strict=True)]
    unit: Literal["day", "week", "month"]
    first_due_date: date
    purpose: Code
    by: Name


class StatementMonth(Data):
    """Cash of one calendar month: of the business (or wages), and what the household used."""

    month: MonthName
    inflows: Amount
    outflows: Amount
    household: Amount


class BalanceSheet(Data):
    """What is owned and owed on a date."""

    as_of: date
    cash: Amount
    receivables: Amount
    stock: Amount
    equipment: Amount
    property: Amount
    debts: Amount


class ExistingDebt(Data):
    """A debt to another lender. `monthly_service`: what it asks for in a month."""

    kind: Code
    outstanding: Amount
    monthly_service: Amount
    days_past_due: Count = 0


class Statement(Data):
    """The applicant's figures, whole: a later statement of an application takes the place of an earlier one."""

    application_id: ApplicationId
    currency: CurrencyCode
    source: Literal["bank-account", "books", "tax-return", "declared"]
    months: Annotated[list[StatementMonth], Field(min_length=1, max_length=60)]
    balance: BalanceSheet
    debts: Annotated[list[ExistingDebt], Field(max_length=50)]
    years_in_business: Annotated[int, Field(ge=0, le=100, strict=True)]
    by: Name


class Document(Data):
    """A document was received and is kept elsewhere; here are its hash and where it is."""

    application_id: ApplicationId
    kind: Code
    sha256: Sha256
    reference: Reference
    by: Name


class Guarantee(Data):
    """What stands behind a loan: another borrower's word, or a thing of a value."""

    application_id: ApplicationId
    kind: Literal["guarantor", "collateral"]
    guarantor: BorrowerId | None = None
    collateral: Code | None = None
    value: Amount
    currency: CurrencyCode
    evidence: Reference
    by: Name


class Submission(Data):
    """The application is complete; it is decided next."""

    application_id: ApplicationId
    submitted_on: date
    by: Name


class Points(Data):
    """What one attribute gave. `lost`: points below the attribute's best bin."""

    attribute: Code
    value: str | None = None
    bin: Annotated[str, StringConstraints(max_length=60)]
    points: int
    lost: Count


class RuleResult(Data):
    """What one rule of the policy said, and the figures that it looked at."""

    rule: Code
    outcome: Literal["pass", "refer", "decline"]
    reason: Reason
    inputs: dict[Code, str | int | None]


class PrincipalReason(Data):
    """One of the at most four principal reasons of a decision that is not an approval."""

    code: Code
    text: Reason


class CapacityMonth(Data):
    """One month of the loan's life: cash before debt service, what all debts ask for, and what is left, summed up from
    the cash at the start; and the same with the policy's fall in sales."""

    month: MonthName
    cash: Cash
    service: Total
    cumulative: Cash
    cumulative_stressed: Cash


class StandingSeen(Data):
    """What was known of the borrower at this lender, and of those who stand by, when the decision was made."""

    loans_repaid: Count
    loans_open: Count
    outstanding: Total
    group_outstanding: Total
    days_past_due: Count
    days_past_due_max: Count
    group_days_past_due: Count
    group_members: Count
    blocks: list[EventId]
    """The open red alerts that block."""
    flags: list[Code]
    consents: list[Code]


class Decision(Data):
    """A decision by the policy, and everything that it rests on: the same inputs give the same decision.

    inputs_sha256: SHA-256 of the canonical JSON of request, statement, documents, guarantees and standing.
    """

    application_id: ApplicationId
    decided_on: date
    policy: Versioned
    scorecard: Versioned
    product: Versioned
    score: int
    points: list[Points]
    rules: list[RuleResult]
    reasons: Annotated[list[PrincipalReason], Field(max_length=4)]
    terms: Terms
    """The terms as decided: the amount asked for, at the rate of the score's band."""
    limit: Amount
    """The largest principal that the rules would let pass; "0": none."""
    all_in_rate: Ratio
    dscr: Ratio | None = None
    dscr_stressed: Ratio | None = None
    capacity: list[CapacityMonth]
    standing: StandingSeen
    inputs_sha256: Sha256


class Recommendation(Data):
    """The maker's word on a referral: the first person."""

    application_id: ApplicationId
    recommend: Literal["approve", "decline"]
    amount: Amount
    annual_rate: AnnualRate
    by: Name
    reason: Reason


class ReferralDecision(Data):
    """The checker's word: another person, with the authority that the policy names for the amount."""

    application_id: ApplicationId
    amount: Amount
    annual_rate: AnnualRate
    by: Name
    authority: Code
    recommended_by: Name
    reason: Reason


class Review(Data):
    """The borrower wants a person to look at an automatic decision."""

    application_id: ApplicationId
    by: Name
    reason: Reason


class Offer(Data):
    """Terms that bind the lender until a date.

    all_in_rate: what all payments cost in a year, by the method that the cap's row names. cap: that row; cap_rate: its
    limit, None where the row knows none. schedule_sha256: of the schedule and rate shown (canonical JSON).
    fees_withheld: what is kept of the principal when it is paid out; the rate counts it. Absent where nothing is.
    """

    application_id: ApplicationId
    offer_id: EventId
    product: Versioned
    terms: Terms
    all_in_rate: Ratio
    method: Literal["nominal", "effective"]
    cap: Versioned
    cap_rate: Ratio | None = None
    verdict: Literal["within", "no-cap"]
    total_interest: Total
    fees_withheld: Total | None = None
    schedule_sha256: Sha256
    valid_until: date
    by: Name


class LogHead(Data):
    """The last signed head of the partition of the log of record that the loan's events go to, when its contract was
    concluded: with it the borrower proves later that the log of that day is a beginning of the log of then.

    note: a signed checkpoint, as the ledger published it. Without one, missing says why: `none-signed` so far, or the
    topic of heads was `not-reached`.
    """

    partition: Partition
    note: NoteText | None = None
    missing: Literal["none-signed", "not-reached"] | None = None


class Acceptance(Data):
    """The borrower took the offer; `shown_sha256` is of what was shown, and equals the offer's hash. log_head: absent
    of what was accepted before it was kept."""

    application_id: ApplicationId
    offer_id: EventId
    shown_sha256: Sha256
    method: Literal["in-person", "signature", "one-time-code", "qualified-signature"]
    evidence: Reference
    by: Name
    log_head: LogHead | None = None


class Lapse(Data):
    """The offer's last day was closed."""

    application_id: ApplicationId
    offer_id: EventId
    valid_until: date


class Withdrawal(Data):
    """The borrower does not want the loan any more."""

    application_id: ApplicationId
    by: Name
    reason: Reason


class Agreement(Data):
    """The loan that came of the application; its contract is on the log of record."""

    application_id: ApplicationId
    loan_id: LoanId
    product: Versioned
    terms: Terms


class PaymentOrder(Data):
    """The money goes out; the disbursement is on the log of record.

    amount: what is lent. withheld: what of it is kept for fees, so that the borrower gets the rest; absent if nothing.
    """

    application_id: ApplicationId
    loan_id: LoanId
    amount: Amount
    withheld: Total | None = None
    currency: CurrencyCode
    effective_date: date
    by: Name


class PaymentStop(Data):
    """The money stays here: red alerts block it until a named person releases them."""

    application_id: ApplicationId
    loan_id: LoanId
    alerts: Annotated[list[EventId], Field(min_length=1)]
    by: Name


class ApplicationStarted(Envelope):
    """Somebody asks for a loan."""

    type: Literal["origination.ApplicationStarted.v1"] = "origination.ApplicationStarted.v1"
    data: Request


class ApplicationAmended(Envelope):
    """The request changed before it was submitted; the data is whole."""

    type: Literal["origination.ApplicationAmended.v1"] = "origination.ApplicationAmended.v1"
    data: Request


class StatementProvided(Envelope):
    """The applicant's figures came in."""

    type: Literal["origination.StatementProvided.v1"] = "origination.StatementProvided.v1"
    data: Statement


class DocumentReceived(Envelope):
    """A document came in."""

    type: Literal["origination.DocumentReceived.v1"] = "origination.DocumentReceived.v1"
    data: Document


class GuaranteeOffered(Envelope):
    """Somebody or something stands behind the loan."""

    type: Literal["origination.GuaranteeOffered.v1"] = "origination.GuaranteeOffered.v1"
    data: Guarantee


class ApplicationSubmitted(Envelope):
    """The application is complete."""

    type: Literal["origination.ApplicationSubmitted.v1"] = "origination.ApplicationSubmitted.v1"
    data: Submission


class ApplicationApproved(Envelope):
    """The policy approves."""

    type: Literal["origination.ApplicationApproved.v1"] = "origination.ApplicationApproved.v1"
    data: Decision


class ApplicationReferred(Envelope):
    """The policy leaves it to two people."""

    type: Literal["origination.ApplicationReferred.v1"] = "origination.ApplicationReferred.v1"
    data: Decision


class ApplicationDeclined(Envelope):
    """The policy declines, and says why."""

    type: Literal["origination.ApplicationDeclined.v1"] = "origination.ApplicationDeclined.v1"
    data: Decision


class ReviewRequested(Envelope):
    """A person is to look at an automatic decline; the application is referred from now on."""

    type: Literal["origination.ReviewRequested.v1"] = "origination.ReviewRequested.v1"
    data: Review


class ReferralRecommended(Envelope):
    """The maker recommended."""

    type: Literal["origination.ReferralRecommended.v1"] = "origination.ReferralRecommended.v1"
    data: Recommendation


class ReferralApproved(Envelope):
    """The checker approved."""

    type: Literal["origination.ReferralApproved.v1"] = "origination.ReferralApproved.v1"
    data: ReferralDecision


class ReferralDeclined(Envelope):
    """The checker declined."""

    type: Literal["origination.ReferralDeclined.v1"] = "origination.ReferralDeclined.v1"
    data: ReferralDecision


class OfferMade(Envelope):
    """The lender is bound by terms until a date."""

    type: Literal["origination.OfferMade.v1"] = "origination.OfferMade.v1"
    data: Offer


class OfferAccepted(Envelope):
    """The borrower accepted, with evidence."""

    type: Literal["origination.OfferAccepted.v1"] = "origination.OfferAccepted.v1"
    data: Acceptance


class OfferLapsed(Envelope):
    """Nobody accepted in time; derived at the closing of the offer's last day."""

    type: Literal["origination.OfferLapsed.v1"] = "origination.OfferLapsed.v1"
    data: Lapse


class ApplicationWithdrawn(Envelope):
    """The borrower withdrew."""

    type: Literal["origination.ApplicationWithdrawn.v1"] = "origination.ApplicationWithdrawn.v1"
    data: Withdrawal


class LoanAgreed(Envelope):
    """A loan was made of the application."""

    type: Literal["origination.LoanAgreed.v1"] = "origination.LoanAgreed.v1"
    data: Agreement


class DisbursementOrdered(Envelope):
    """The money goes out."""

    type: Literal["origination.DisbursementOrdered.v1"] = "origination.DisbursementOrdered.v1"
    data: PaymentOrder


class DisbursementRefused(Envelope):
    """A red alert stopped the money."""

    type: Literal["origination.DisbursementRefused.v1"] = "origination.DisbursementRefused.v1"
    data: PaymentStop
