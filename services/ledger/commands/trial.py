"""Trying a fact out on a loan before it is recorded: what the books would make of it, and whether they would take it.

A trial folds what the books hold of the loan, and the new fact on top, by the same engine; it writes nothing. It is no
promise: the books stay the judge. Between a trial and the booking another event may come (a payment above all, which
nothing holds up), and if the fact then breaks a rule, the loan parks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.commands import refusals
from services.ledger.commands.state import (
    Contracted,
    Disbursed,
    Guards,
    LoanState,
    MoneyOut,
    NotContracted,
    TakenOver,
)
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact, TakeOverFact
from services.ledger.engine.folding import service
from services.ledger.engine.journal import Journal, difference
from services.ledger.engine.servicing import Servicing
from services.ledger.fact_reading import fact_of, taken_back, without
from services.ledger.restructuring import Restructuring
from shared.errors import InvariantBroken

LAST = (1 << 63) - 1
"""The offset of a fact that is not on the log: after all others."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the books say of a loan, as guarding state. `last`: the last event of the loan that is known to be in them;
    a command tried out on these books is recorded only if no other has followed it."""

    loan: LoanState
    payments: frozenset[str]
    last: str | None = None
    last_restructuring: str | None = None
    """The same of restructurings of any loan, where the command is one."""
    restructuring: Restructuring | None = None
    """What one more would mean to the lender's share, where the command is one."""

    def add_to(self, guards: Guards, loan_id: str) -> None:
        """Let the guards know of it where they know nothing of their own."""
        guards.in_books[loan_id] = self.loan
        if self.restructuring is not None:
            guards.restructuring[loan_id] = self.restructuring
        for payment_id in self.payments:
            guards.payments.setdefault(payment_id, (loan_id, False))


def standing_of(facts: Sequence[Fact], last: str | None = None) -> Standing:
    """The standing of a loan with these facts."""
    loan: LoanState = NotContracted()
    for fact in facts:
        match fact:
            case ContractFact():
                loan = Contracted(fact.contract.borrower_id, fact.contract.terms)
            case DisbursementFact() if isinstance(loan, Contracted | Disbursed):
                out = MoneyOut(fact.event_id, date.fromordinal(fact.effective), fact.amount)
                before = loan.paid_out if isinstance(loan, Disbursed) else ()
                loan = Disbursed(loan.borrower_id, loan.terms, (*before, out))
            case TakeOverFact() if isinstance(loan, Contracted):
                on = date.fromordinal(fact.effective)
                loan = TakenOver(loan.borrower_id, loan.terms, fact.event_id, on)
            case _:
                pass
    return Standing(loan, frozenset(fact.event_id for fact in facts if isinstance(fact, PaymentFact)), last)


@dataclass(frozen=True, slots=True)
class Trial:
    """A loan as it is booked and as it would be, and what would be booked: the difference of the two journals."""

    before: Servicing
    after: Servicing
    booked: Journal


def try_out(loan_id: str, facts: Sequence[Fact], event: Any, *, effective: int, folded_to: int, before: int) -> Trial:
    """Fold `event`, of the value date `effective`, on top of a loan's facts, given in order of arrival.

    Instalments due before the ordinal `before` have fallen due; `folded_to` is that up to which the books folded
    the loan where its interest follows what is outstanding (else 0). Raises BreaksRule with the engine's sentence.
    """
    try:
        if taken_back(event) is not None:
            then = without(facts, event)
        else:
            fact = fact_of(event, effective, LAST, {})
            assert fact is not None, f"{event.type} is no fact of a loan"
            then = [*facts, fact]
        was = service(0, loan_id, facts, before=folded_to or before)
        now = service(0, loan_id, then, before=before)
    except InvariantBroken as broken:
        sentence = str(broken)
        raise refusals.BreaksRule(f"{sentence[:1].upper()}{sentence[1:]}.") from broken
    return Trial(was, now, difference(now.journal, was.journal))
