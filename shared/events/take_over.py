"""A running loan comes from another system: its opening positions on the cut-over date, on `loans.lifecycle.v1`.

The contract is an event of its own (`origination.LoanContracted.v1`); the take-over stands where a disbursement would.
Amounts are in the contract's currency.
"""

from datetime import date
from functools import partial
from operator import eq
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.events.envelope import Amount, Data, Envelope


def _or_nothing() -> Any:
    return Field(default="0", exclude_if=partial(eq, "0"))


class OpeningInstalment(Data):
    """What one instalment still asks for, part by part.

    It has fallen due if `due` is before the cut-over; one that has not ends a period of interest, and its fees and
    penalties are due with it. interest_paid_ahead: of one that has not, interest that was paid
    already, on top of `interest`; the two are what the instalment earns.
    """

    due: date
    principal: Amount
    interest: Amount
    fees: Amount = _or_nothing()
    penalties: Amount = _or_nothing()
    interest_paid_ahead: Amount = _or_nothing()


class OpeningPositions(Data):
    """Where the loan stands when the cut-over date begins: nothing of that date has happened yet.

    disbursed_on: when the money was first paid out. accrues_from: when the period began whose interest is running: the
    due date before the cut-over, or the disbursement. It may be left out where no interest is still to come.
    instalments: in order of due date, those that fell due with something left, and all that have not fallen due.
    principal_outstanding: what their principal adds up to. overpaid: a credit balance of a loan with nothing left.
    restructured: how often; watched_until: the date to which the loan is watched for that. charged_off_on: since when
    the claim is no asset any more.
    """

    disbursed_on: date
    accrues_from: date | None = None
    principal_outstanding: Amount
    instalments: Annotated[tuple[OpeningInstalment, ...], Field(max_length=1200)] = ()
    overpaid: Amount = _or_nothing()
    restructured: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    watched_until: date | None = None
    charged_off_on: date | None = None


class LoanTakenOver(Envelope):
    """A loan that another system carried until then goes on in these books; the effective date is the cut-over date."""

    type: Literal["ledger.LoanTakenOver.v1"] = "ledger.LoanTakenOver.v1"
    data: OpeningPositions
