"""What origination states about a loan on `loans.lifecycle.v1`: the contract, its whole terms, the money paid out."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, BorrowerId, CurrencyCode, Data, Envelope

AnnualRate = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,8})?$")]
"""A nominal annual rate as a decimal fraction: "0.12" is 12 % a year. Below 100."""


class Terms(Data):
    """The complete terms of a loan, frozen into its contract.

    kind: equal-instalment (等额本息, annuity) or equal-principal (等额本金). A rate of "0" makes either zero-interest.
    Instalment k falls due `every` x (k-1) `unit`s after `first_due_date`; a day that the month lacks is its last day.
    day_count: `30/360` (ISDA 2006 4.16(f)) or `actual/365` (4.16(d), Actual/365 Fixed), from due date to due date.
    rounding: how a fraction of a minor unit rounds; the last instalment takes what rounding left.
    allocation: the order in which a repayment is used; see services/ledger/allocation.py.
    arrears_materiality: past due only counts in days once more than this amount is overdue.
    """

    kind: Literal["equal-instalment", "equal-principal"]
    principal: Amount
    currency: CurrencyCode
    annual_rate: AnnualRate
    instalments: Annotated[int, Field(ge=1, le=600, strict=True)]
    every: Annotated[int, Field(ge=1, le=366, strict=True)] = 1
    unit: Literal["day", "week", "month"] = "month"
    first_due_date: date
    day_count: Literal["30/360", "actual/365"] = "30/360"
    rounding: Literal["half-even", "half-up"] = "half-even"
    allocation: Literal["instalment-interest-principal", "due-interest-principal"] = "instalment-interest-principal"
    arrears_materiality: Amount = "0"


class Contract(Data):
    """Who borrows, under which product version, on what terms."""

    borrower_id: BorrowerId
    product: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}@[0-9]{1,6}$")]
    terms: Terms


class Disbursement(Data):
    """Money paid out to the borrower; it must equal the contract's principal."""

    amount: Amount
    currency: CurrencyCode


class LoanContracted(Envelope):
    """A loan contract was concluded."""

    type: Literal["origination.LoanContracted.v1"] = "origination.LoanContracted.v1"
    data: Contract


class LoanDisbursed(Envelope):
    """The principal was paid out on the effective date."""

    type: Literal["origination.LoanDisbursed.v1"] = "origination.LoanDisbursed.v1"
    data: Disbursement
