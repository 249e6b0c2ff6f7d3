"""The guarding state: the little of the book, its loans and payments that refusals need."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, assert_never

from services.ledger.restructuring import Restructuring
from shared.events.terms import Terms
from shared.money import minor_units


@dataclass(frozen=True, slots=True)
class NotContracted:
    """The loan is not known."""


@dataclass(frozen=True, slots=True)
class Contracted:
    """Agreed, not yet paid out."""

    borrower_id: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class MoneyOut:
    """A disbursement: its event id, value date, and minor units."""

    event_id: str
    on: date
    amount: int


@dataclass(frozen=True, slots=True)
class Disbursed:
    """Paid out, in one sum or in tranches; `paid_out` is never empty."""

    borrower_id: str
    terms: Terms
    paid_out: tuple[MoneyOut, ...]

    @property
    def on(self) -> date:
        """The value date of the first money out."""
        return min(one.on for one in self.paid_out)

    @property
    def lent(self) -> int:
        """Minor units paid out so far."""
        return sum(one.amount for one in self.paid_out)


LoanState = NotContracted | Contracted | Disbursed
RESTRUCTURINGS = "book/restructurings"
"""The aggregate whose order all restructurings share, so that two at once can't pass a limit together. No loan id has a
slash."""


@dataclass(slots=True)
class Guards:
    """What is known of the aggregates that a transaction has locked; `evolve` keeps it up to date as commands pass."""

    open_date: date | None = None
    loans: dict[str, LoanState] = field(default_factory=dict)
    payments: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Payment id to (loan id, taken back)."""
    last: dict[str, str] = field(default_factory=dict)
    """The id of the last event by loan id. Payments don't count: they are many, and change no rule of servicing."""
    in_books: dict[str, LoanState] = field(default_factory=dict)
    """Loans as the books have them: servicing asks for one that another service contracted."""
    restructuring: dict[str, Restructuring] = field(default_factory=dict)
    """What a restructuring means to the lender's share by loan id, for loans on which one is asked for."""

    def loan(self, loan_id: str) -> LoanState:
        """The loan's state; a loan without a row is not contracted."""
        return self.loans.get(loan_id, NotContracted())

    def known(self, loan_id: str) -> LoanState:
        """The loan's state, whoever contracted it."""
        loan = self.loan(loan_id)
        return self.in_books.get(loan_id, loan) if isinstance(loan, NotContracted) else loan


def loan_from_json(state: dict[str, Any]) -> LoanState:
    """A loan's state as it is kept in the table `aggregate`."""
    if "terms" not in state:
        return NotContracted()
    borrower_id, terms = state["borrower_id"], Terms.model_validate(state["terms"])
    if "paid_out" in state:
        paid_out = tuple(
            MoneyOut(one["event_id"], date.fromisoformat(one["on"]), one["amount"]) for one in state["paid_out"]
        )
        return Disbursed(borrower_id, terms, paid_out)
    if "disbursed" in state:  # as it was kept while a loan was paid out whole
        whole = minor_units(terms.principal, terms.currency)
        return Disbursed(borrower_id, terms, (MoneyOut("", date.fromisoformat(state["disbursed"]), whole),))
    return Contracted(borrower_id, terms)


def loan_to_json(loan: LoanState) -> dict[str, Any]:
    """The inverse of `loan_from_json`."""
    match loan:
        case NotContracted():
            return {}
        case Contracted():
            return {"borrower_id": loan.borrower_id, "terms": loan.terms.model_dump(mode="json")}
        case Disbursed():
            paid_out = [
                {"event_id": one.event_id, "on": one.on.isoformat(), "amount": one.amount} for one in loan.paid_out
            ]
            terms = loan.terms.model_dump(mode="json")
            return {"borrower_id": loan.borrower_id, "terms": terms, "paid_out": paid_out}
        case _:
            assert_never(loan)
