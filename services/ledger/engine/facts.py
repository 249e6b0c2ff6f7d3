"""What the engine folds: the facts of a loan, each with its value date.

The three kinds that make up nearly all of a log are flat records; all others carry their event's data as it is.
"""

import msgspec

from shared.events import servicing
from shared.events.origination import Contract
from shared.events.take_over import OpeningPositions
from shared.events.valuation import Valuation
from shared.schedules.resets import Published

Happening = (
    servicing.Charge
    | servicing.Waiver
    | servicing.ChargeCredit
    | servicing.Credit
    | servicing.Chargeback
    | servicing.Refund
    | servicing.ChargeOff
    | servicing.WriteOff
    | servicing.Reschedule
    | servicing.ReAge
    | servicing.ReAmortise
    | servicing.Prepayment
    | servicing.Acceleration
    | servicing.Pause
    | servicing.Resume
)


class ContractFact(msgspec.Struct, frozen=True):
    """The terms as they were agreed, and what was published of the rate that they follow, if they follow one: enough
    for every reset up to the date that the loan is folded to."""

    event_id: str
    contract: Contract
    published: Published = {}


class DisbursementFact(msgspec.Struct, frozen=True):
    """Money out on the ordinal `effective`; `settles` of it pays off the loan `settled`."""

    event_id: str
    effective: int
    amount: int
    currency: int
    settles: int = 0
    settled: str | None = None


class TakeOverFact(msgspec.Struct, frozen=True):
    """The loan comes from another system as it stands when the ordinal `effective` begins, its cut-over date."""

    event_id: str
    effective: int
    data: OpeningPositions


class PaymentFact(msgspec.Struct, frozen=True):
    """Money in on the ordinal `effective`; `offset` tells arrival order and names the payment in suspense."""

    event_id: str
    effective: int
    offset: int
    amount: int
    currency: int


class ServicingFact(msgspec.Struct, frozen=True):
    """Anything else that happens to a disbursed loan, on the ordinal `effective`."""

    event_id: str
    effective: int
    data: Happening


class ValuationFact(msgspec.Struct, frozen=True):
    """What the loan is worth at the end of the ordinal `effective`."""

    event_id: str
    effective: int
    data: Valuation


Fact = ContractFact | DisbursementFact | TakeOverFact | PaymentFact | ServicingFact | ValuationFact


def key_of(fact: Fact) -> int:
    """Where a fact stands in the loan's life: 2 x value date, one more for a due date and a valuation; a contract comes
    first."""
    match fact:
        case ContractFact():
            return 0
        case ValuationFact():
            return 2 * fact.effective + 1
        case _:
            return 2 * fact.effective
