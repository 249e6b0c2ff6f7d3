"""What a statement shows: the loan as a person reads it. Amounts are minor units of the loan's currency."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class InstalmentLine:
    """One instalment. `number` counts from 1 in order of due date; interest is earned on [start, due).

    total = principal + interest + fees + penalties = paid + waived + outstanding. `in_advance` and `late` say how much
    of `paid` came before and after the due date. `paid_on`: when nothing was left to pay. `balance`: principal
    outstanding by the schedule once this instalment is paid.
    """

    number: int
    start: date
    due: date
    principal: int
    interest: int
    fees: int
    penalties: int
    paid: int
    waived: int
    outstanding: int
    in_advance: int
    late: int
    paid_on: date | None
    balance: int
    down_payment: bool

    @property
    def total(self) -> int:
        """What the instalment asks for in all."""
        return self.principal + self.interest + self.fees + self.penalties


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """What one fact did with money. `amount` = principal + interest + fees + penalties + `overpaid`, except for a
    recovery, which pays no claim any more."""

    event_id: str
    on: date
    kind: str
    """disbursement, take-over, payment, prepayment, goodwill-credit, merchant-refund, payout-refund, refinancing,
    charge-adjustment, charge-waiver, fee-withheld, chargeback, credit-refund, charge-off, write-off, recovery, re-age,
    re-amortise, acceleration; reuse: money paid before is used otherwise, amount 0."""
    amount: int
    principal: int
    interest: int
    fees: int
    penalties: int
    overpaid: int
    balance: int
    """Principal outstanding afterwards."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge: amount = paid + waived + outstanding."""

    event_id: str
    part: str
    name: str
    due: date
    amount: int
    paid: int
    waived: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class DisbursementLine:
    """Money paid out."""

    event_id: str
    on: date
    amount: int


@dataclass(frozen=True, slots=True)
class ResetLine:
    """A reset of the rate: the index's value, None where none was in force, and the rate from `on` on."""

    on: date
    index_value: str | None
    annual_rate: str


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """What follows from the terms' reference rate. `annual_rate`: the rate in force, None once another was agreed."""

    index: str
    annual_rate: str | None
    next_reset_on: date | None
    resets: tuple[ResetLine, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A loan account as of the end of a date."""

    status: str
    """unknown, contracted, active, settled, overpaid, written-off."""
    charged_off_on: date | None
    instalments: tuple[InstalmentLine, ...]
    disbursements: tuple[DisbursementLine, ...]
    transactions: tuple[TransactionLine, ...]
    charges: tuple[ChargeLine, ...]
    principal_outstanding: int
    outstanding: int
    """Everything that is still to be paid, whenever it falls due."""
    overpaid: int
    reference_rate: ReferenceLine | None = None
