"""What each fact did with money, as it is told on a statement."""

from dataclasses import dataclass, replace
from datetime import date

from services.ledger.engine.allocation import Allocation
from services.ledger.engine.lines import DisbursementLine, TransactionLine


@dataclass(frozen=True, slots=True)
class Split:
    """An amount by what it was of."""

    principal: int = 0
    interest: int = 0
    fees: int = 0
    penalties: int = 0


NOTHING = Split()
_NO_BALANCE = frozenset({"acceleration", "charge-off", "charge-waiver", "re-age", "re-amortise"})
"""Kinds that leave the principal outstanding as it is, whatever they are about."""
REUSE = "reuse"
_OUT = frozenset({"disbursement", "take-over", "chargeback", "credit-refund"})


class Trail:
    """The lines of a statement, in the order in which the facts were folded; one that is noted again replaces what was
    noted of the same fact before."""

    def __init__(self) -> None:
        self.lines: dict[str, TransactionLine] = {}
        self.disbursements: list[DisbursementLine] = []

    def note(self, event_id: str, kind: str, day: int, split: Split, overpaid: int) -> None:
        """What a fact was about."""
        amount = split.principal + split.interest + split.fees + split.penalties + overpaid
        parts = (split.principal, split.interest, split.fees, split.penalties)
        self.lines[event_id] = TransactionLine(event_id, date.fromordinal(day), kind, amount, *parts, overpaid, 0)

    def money(self, event_id: str, kind: str, day: int, used: Allocation) -> None:
        """Money came in."""
        split = Split(used.principal, used.interest, used.fees, used.penalty)
        self.note(event_id, kind, day, split, used.rest)

    def disbursed(self, event_id: str, day: int, amount: int) -> None:
        """Money went out to the borrower."""
        self.disbursements.append(DisbursementLine(event_id, date.fromordinal(day), amount))
        self.note(event_id, "disbursement", day, Split(principal=amount), 0)

    def reused(self, day: int, freed: Split, used: Allocation) -> None:
        """Money that was paid is used for something else: what was freed, and what money paid too much paid."""
        split = Split(
            used.principal - freed.principal,
            used.interest - freed.interest,
            used.fees - freed.fees,
            used.penalty,
        )
        if split != NOTHING:
            overpaid = -(split.principal + split.interest + split.fees + split.penalties)
            self.note(f"{REUSE}/{len(self.lines)}", REUSE, day, split, overpaid)

    def anew(self) -> None:
        """All money is used anew and told again: how it was used otherwise before no longer holds."""
        self.lines = {event_id: line for event_id, line in self.lines.items() if line.kind != REUSE}

    def covered(self, event_id: str) -> None:
        """What was just used again paid a part of this disbursement."""
        last = next(reversed(self.lines))
        if self.lines[last].kind == REUSE:
            used, line = self.lines.pop(last), self.lines[event_id]
            self.lines[event_id] = replace(
                line,
                principal=line.principal - used.principal,
                interest=-used.interest,
                fees=-used.fees,
                penalties=-used.penalties,
                overpaid=-used.overpaid,
            )

    def owed_again(self, event_id: str, kind: str, day: int, owed: int, credit: int) -> None:
        """Money went out and is owed again, as far as no credit balance covered it."""
        self.note(event_id, kind, day, Split(principal=owed), credit)

    def withheld(self, charge_id: str, day: int, amount: int) -> None:
        """A fee was withheld when money was paid out."""
        self.note(charge_id, "fee-withheld", day, Split(fees=amount), 0)

    def recovered(self, event_id: str, day: int, amount: int) -> None:
        """Money came in for a loan that is written off."""
        self.lines[event_id] = TransactionLine(event_id, date.fromordinal(day), "recovery", amount, 0, 0, 0, 0, 0, 0)

    def transactions(self) -> tuple[TransactionLine, ...]:
        """All lines with the principal outstanding after each."""
        balance, found = 0, []
        for line in self.lines.values():
            if line.kind in _OUT:
                balance += line.principal
            elif line.kind not in _NO_BALANCE:
                balance -= line.principal
            found.append(replace(line, balance=balance))
        return tuple(found)
