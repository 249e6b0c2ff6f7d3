"""The guarding state: the little of the book, its loans and payments that refusals need."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, assert_never

from services.ledger.restructuring import Restructuring
from shared.events.entries import ProposedEntry
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


@dataclass(frozen=True, slots=True)
class BankGuard:
    """How far the statements of a bank account have come. `statements`: id to digest; `last`: the last event of it."""

    closing: int
    closes: date
    sequence: int | None
    statements: dict[str, str]
    last: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Running since `on`, the cut-over date on which it came from another system, by the event `event_id`."""

    borrower_id: str
    terms: Terms
    event_id: str
    on: date


Running = Disbursed | TakenOver
LoanState = NotContracted | Contracted | Running
RESTRUCTURINGS = "book/restructurings"
"""The aggregate whose order all restructurings share, so that two at once can't pass a limit together. No loan id has a
slash."""


@dataclass(frozen=True, slots=True)
class ManualEntry:
    """An entry as it was proposed for a loan or the general ledger, and what became of it."""

    subject: str
    proposed: ProposedEntry
    outcome: Literal["approved", "declined"] | None = None
    checker: str | None = None
    reversed_by: str | None = None
    """The entry that was proposed to take it back, unless that was declined."""


@dataclass(slots=True)
class Guards:
    """What is known of the aggregates that a transaction has locked; `evolve` keeps it up to date as commands pass."""

    open_date: date | None = None
    closed_through: date | None = None
    """The last date of the last period that was closed."""
    entries: dict[str, ManualEntry] = field(default_factory=dict)
    """By id, those that commands name."""
    loans: dict[str, LoanState] = field(default_factory=dict)
    payments: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Payment id to (loan id, taken back)."""
    receipts: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    """Receipts of branches that commands name, by (branch, number): the payment, and a hash of what it was for."""
    last: dict[str, str] = field(default_factory=dict)
    """The id of the last event by loan id. Payments and valuations don't count: they are many, and change no rule of
    servicing."""
    in_books: dict[str, LoanState] = field(default_factory=dict)
    """Loans as the books have them: servicing asks for one that another service contracted."""
    restructuring: dict[str, Restructuring] = field(default_factory=dict)
    """What a restructuring means to the lender's share by loan id, for loans on which one is asked for."""

    accounts: dict[str, BankGuard] = field(default_factory=dict)
    """Bank accounts of which a statement was taken, by subject."""
    year_closed: date | None = None
    """The last date of the last year that was closed."""

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
    if "taken_over" in state:
        return TakenOver(borrower_id, terms, state["taken_over"], date.fromisoformat(state["cut_over"]))
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
        case TakenOver():
            cut = {"taken_over": loan.event_id, "cut_over": loan.on.isoformat()}
            return {"borrower_id": loan.borrower_id, "terms": loan.terms.model_dump(mode="json")} | cut
        case _:
            assert_never(loan)


def account_from_json(state: dict[str, Any]) -> BankGuard:
    """A bank account's state as it is kept in the table `aggregate`."""
    return BankGuard(
        state["closing"], date.fromisoformat(state["closes"]), state["sequence"], state["statements"], state["last"]
    )


def account_to_json(account: BankGuard) -> dict[str, Any]:
    """The inverse of `account_from_json`."""
    return {
        "closing": account.closing,
        "closes": account.closes.isoformat(),
        "sequence": account.sequence,
        "statements": account.statements,
        "last": account.last,
    }
