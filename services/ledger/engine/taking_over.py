"""A loan that another system carried goes on in these books: its opening positions become its instalments."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from services.ledger.engine.account import (
    ACTIVE,
    CONTRACTED,
    FEE,
    INTEREST,
    PENALTY,
    PRINCIPAL,
    SETTLED,
    UNKNOWN,
    Loan,
    LoanCharge,
    TakenOver,
)
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    CREDIT_LOSS,
    FEES_RECEIVABLE,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    MIGRATION_CLEARING,
    OVERPAYMENT,
    PENALTIES_RECEIVABLE,
    UNEARNED_INTEREST,
)
from services.ledger.engine.changes import TAKEN_OVER
from services.ledger.engine.endings import charged_off_to
from services.ledger.engine.journal import Journal, post
from services.ledger.engine.methods import CASH_BASIS
from services.ledger.engine.opening import terms_of
from services.ledger.engine.positions import Opening, checked
from services.ledger.engine.trail import Split
from shared.errors import InvariantBroken, Refusal
from shared.events.envelope import derived_event_id
from shared.schedules import PaidOut

if TYPE_CHECKING:
    from services.ledger.engine.facts import TakeOverFact
    from services.ledger.engine.servicing import Servicing

CHARGE = "brought-forward"
"""What a fee or penalty is called that was charged before the cut-over."""


def take_over(s: Servicing, fact: TakeOverFact) -> None:
    """The loan stands as its positions say; from here on it is a loan like any other whose instalments are no longer
    those of its terms."""
    loan, data, day = s.loan, fact.data, fact.effective
    if loan.status != CONTRACTED:
        what = "without a contract" if loan.status == UNKNOWN else "of a loan that is running already"
        raise InvariantBroken(f"a take-over {what}")
    try:
        opening = checked(terms_of(loan), data, date.fromordinal(day))
    except Refusal as refusal:
        raise InvariantBroken(f"a take-over: {refusal.detail}") from refusal
    loan.terms = None
    loan.start = data.disbursed_on.toordinal()
    loan.restructured = data.restructured or 0
    loan.watched_until = data.watched_until.toordinal() if data.watched_until else 0
    if data.charged_off_on is not None:
        loan.charged_off, loan.earns_until = data.charged_off_on.toordinal(), 0
        s.charged_off = charged_off_to(CREDIT_LOSS)
    _lay_out(loan, opening, day)
    _bring_charges(s, fact.event_id)
    s.rows.begin(loan)
    _tell_paid_ahead(s, day)
    s.begun_by = fact.event_id
    s.overdue_until = day
    s.paid_out.append(PaidOut(data.disbursed_on, loan.principal_outstanding))
    s.fixed = TAKEN_OVER
    if not loan.charged_off:
        _open(loan, opening, day, s.journal)
    post(s.journal, MIGRATION_CLEARING, OVERPAYMENT, loan.overpaid, loan.currency, day)
    owed = Split(*(loan.unpaid_of(part) for part in (PRINCIPAL, INTEREST, FEE, PENALTY)))
    s.trail.note(fact.event_id, "take-over", day, owed, loan.overpaid)


def _lay_out(loan: Loan, opening: Opening, day: int) -> None:
    loan.due, loan.asked, loan.left = opening.due, opening.asked, opening.left
    loan.fallen = opening.fallen
    loan.overpaid = opening.overpaid
    loan.principal_outstanding = sum(opening.left[PRINCIPAL])
    loan.taken_over = TakenOver(day, opening.since, opening.running, opening.accrued)
    while loan.first_open < len(loan.due) and not loan.unpaid(loan.first_open):
        loan.first_open += 1
    loan.status = ACTIVE if loan.first_open < len(loan.due) else SETTLED


def _tell_paid_ahead(s: Servicing, day: int) -> None:
    for k, paid in enumerate(s.rows.paid):
        paid.in_advance = s.loan.asked[INTEREST][k] - s.loan.left[INTEREST][k]
        paid.on = None if s.loan.unpaid(k) else day


def _bring_charges(s: Servicing, event_id: str) -> None:
    """What an instalment asks for of fees or of penalties is one charge, due with it."""
    loan = s.loan
    for part, name in ((FEE, "fee"), (PENALTY, "penalty")):
        for due, amount in zip(loan.due, loan.left[part], strict=True):
            if amount:
                charge_id = derived_event_id(event_id, 0, f"{name}/{due}", 0)
                loan.charges.append(LoanCharge(charge_id, part, due, amount, amount))
                s.names[charge_id] = CHARGE


def _open(loan: Loan, opening: Opening, day: int, journal: Journal) -> None:
    """The opening entry: the claims against migration clearing; on a cash basis of principal alone, as the rest never
    was income."""
    post(journal, LOANS_RECEIVABLE, MIGRATION_CLEARING, loan.principal_outstanding, loan.currency, day)
    if loan.accounting == CASH_BASIS:
        return
    k, left, asked = loan.fallen, loan.left, loan.asked
    ahead = sum(asked[INTEREST][k:]) - sum(left[INTEREST][k:])
    for account, amount in (
        (INTEREST_RECEIVABLE, loan.interest_fallen_unpaid()),
        (ACCRUED_INTEREST, opening.accrued),
        (FEES_RECEIVABLE, loan.unpaid_of(FEE)),
        (PENALTIES_RECEIVABLE, loan.unpaid_of(PENALTY)),
        (UNEARNED_INTEREST, -ahead),
    ):
        post(journal, account, MIGRATION_CLEARING, amount, loan.currency, day)
