"""Which disbursements a file may pay, and which it leaves out and why: a pure function of what the books say."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.ledger.bank.pain_parts import reference_of
from shared.events.payment_files import PaymentItem
from shared.money import decimal_text

Why = Literal["undone", "parked", "on-its-way", "at-the-bank", "nothing-leaves", "pays-off-loan", "no-account"]
"""undone: it was taken back. parked: its loan's books are not complete. on-its-way: something of the loan is recorded
and not in the books yet. at-the-bank: a line of a bank statement stands for it already. nothing-leaves: fees, or the
payoff of another loan, took all of it. pays-off-loan: so much of it went to another loan. no-account: the vault has no
bank account of the borrower, or none any more (whoever makes the file says it; the ledger can't)."""


@dataclass(frozen=True, slots=True)
class Disbursed:
    """A disbursement as the books have it. `amount`: the minor units that left cash; `settles`: what of it paid off
    another loan."""

    event_id: str
    loan_id: str
    borrower_id: str
    on: date
    currency: str
    amount: int
    settles: int = 0

    @property
    def reference(self) -> str:
        """Its end-to-end id."""
        return reference_of(self.event_id)

    def item(self) -> PaymentItem:
        """It as an item of a file."""
        return PaymentItem(
            loan_id=self.loan_id,
            disbursement_id=self.event_id,
            amount=decimal_text(self.amount, self.currency),
            reference=self.reference,
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A disbursement that a file does not pay, or so much of it, in minor units."""

    disbursed: Disbursed
    amount: int
    why: Why


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file may pay, by value date, and what it leaves out."""

    pays: tuple[Disbursed, ...]
    left_out: tuple[LeftOut, ...]


def plan(
    found: Iterable[Disbursed],
    *,
    carried: Collection[str],
    undone: Collection[str],
    linked: Collection[str],
    held: Mapping[str, Why],
) -> Plan:
    """Of what was found, what no file carries yet. `undone`: disbursements that were taken back; `linked`: those that a
    line of a statement stands for; `held`: loans of which the books do not know all."""
    pays: list[Disbursed] = []
    left: list[LeftOut] = []
    for one in sorted(found, key=lambda one: (one.on, one.loan_id, one.event_id)):
        if one.event_id in carried:
            continue
        if one.settles:
            left.append(LeftOut(one, one.settles, "pays-off-loan"))
        if (why := _why(one, undone, linked, held)) is not None:
            left.append(LeftOut(one, one.amount, why))
        else:
            pays.append(one)
    return Plan(tuple(pays), tuple(left))


def _why(one: Disbursed, undone: Collection[str], linked: Collection[str], held: Mapping[str, Why]) -> Why | None:
    if one.event_id in undone:
        return "undone"
    if one.loan_id in held:
        return held[one.loan_id]
    if one.event_id in linked:
        return "at-the-bank"
    return None if one.amount > 0 else "nothing-leaves"
