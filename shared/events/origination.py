"""What origination states about a loan on `loans.lifecycle.v1`: the contract, its whole terms, the money paid out."""

from functools import partial
from operator import eq
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, BorrowerId, CurrencyCode, Data, Envelope, LoanId
from shared.events.terms import Terms

Security = Literal["unsecured", "guaranteed", "secured"]
"""What stands behind a loan: nothing, persons, things."""


class Contract(Data):
    """Who borrows, under which product version, on what terms, and what stands behind it."""

    borrower_id: BorrowerId
    product: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}@[0-9]{1,6}$")]
    terms: Terms
    security: Security = Field(default="unsecured", exclude_if=partial(eq, "unsecured"))


class Settlement(Data):
    """What pays off another loan of the borrower: that loan's payoff on the same date."""

    loan_id: LoanId
    amount: Amount


class Disbursement(Data):
    """Money paid out to the borrower, in one sum or in tranches; together no more than the terms allow.

    settles: the part of the amount that is not paid out but pays off another loan (refinancing); that loan's
    `ledger.CreditReceived.v1` of the kind `refinancing` names this event.
    """

    amount: Amount
    currency: CurrencyCode
    settles: Settlement | None = None


class LoanContracted(Envelope):
    """A loan contract was concluded."""

    type: Literal["origination.LoanContracted.v1"] = "origination.LoanContracted.v1"
    data: Contract


class LoanDisbursed(Envelope):
    """Principal was paid out on the effective date: all of it, or a tranche."""

    type: Literal["origination.LoanDisbursed.v1"] = "origination.LoanDisbursed.v1"
    data: Disbursement
