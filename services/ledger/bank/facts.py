"""Facts of the books that move cash, as reconciliation sees them: by the event that caused them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class CashFact:
    """What one event moved of cash in one currency, in minor units; money in is positive. `on`: its value date.

    `reverses`: the fact that it takes back. `reference`: the payment's own. `manual`: of a manual entry, which is
    booked whatever the accounting method of its loan.
    """

    event_id: str
    loan_id: str
    currency: str
    amount: int
    on: date
    reference: str | None = None
    reverses: str | None = None
    manual: bool = False


def standing(facts: Iterable[CashFact]) -> dict[str, CashFact]:
    """Those that were not taken back, and take nothing back themselves, by event id."""
    found = {fact.event_id: fact for fact in facts}
    gone = {fact.reverses for fact in found.values() if fact.reverses}
    return {key: fact for key, fact in found.items() if fact.reverses is None and key not in gone}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a loan asks for on one due date, in minor units."""

    due: date
    amount: int


@dataclass(frozen=True, slots=True)
class OpenLoan:
    """A loan with a contract; `claims` are its unpaid instalments, oldest first."""

    loan_id: str
    currency: str
    claims: tuple[Claim, ...]

    def asked(self, amount: int) -> bool:
        """Whether the amount is what the oldest claims ask for, one or several of them whole."""
        total = 0
        for claim in self.claims:
            total += claim.amount
            if total >= amount:
                break
        return total == amount


@dataclass(frozen=True, slots=True)
class Debit:
    """A direct debit that was asked for: its reference, and what would come in for the loan."""

    reference: str
    loan_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the books know when a statement is matched. `facts`: in its currency; `loans`: those that lines name, by id;
    `claiming`: those with an unpaid instalment about now, for lines that name nothing; `linked`: facts that stand for a
    line already; `own`: the lender's accounts in the currency, by the numbers that banks call them; `debits`: those
    that lines name, by reference."""

    facts: Mapping[str, CashFact]
    loans: Mapping[str, OpenLoan]
    claiming: tuple[OpenLoan, ...] = ()
    linked: frozenset[str] = frozenset()
    own: Mapping[str, str] = field(default_factory=dict)
    debits: Mapping[str, Debit] = field(default_factory=dict)
