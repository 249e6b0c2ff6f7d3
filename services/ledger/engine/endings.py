"""A loan ends badly: charged off, the claim leaves the assets and goes on; written off, it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ledger.engine.account import FEE, INTEREST, PENALTY, PRINCIPAL, WRITTEN_OFF, Loan
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    CREDIT_LOSS,
    FEE_INCOME,
    FEES_CHARGED_OFF,
    FEES_RECEIVABLE,
    FRAUD_LOSS,
    INTEREST_CHARGED_OFF,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    LOSSES_WRITTEN_OFF,
    PENALTIES_CHARGED_OFF,
    PENALTIES_RECEIVABLE,
    UNEARNED_FEES,
    UNEARNED_INTEREST,
    Recovered,
)
from services.ledger.engine.instalment_fees import receivable, unearned
from services.ledger.engine.journal import post
from services.ledger.engine.methods import CASH_BASIS
from services.ledger.engine.trail import Split
from services.ledger.engine.valued import use_allowance
from shared.errors import InvariantBroken
from shared.events import servicing as events

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing


def charged_off_to(loss: int) -> Recovered:
    """Where a charge-off puts the claims: principal to `loss`."""
    return Recovered(PENALTIES_CHARGED_OFF, FEES_CHARGED_OFF, INTEREST_CHARGED_OFF, loss)


def charge_off(s: Servicing, event_id: str, data: events.ChargeOff, day: int) -> None:
    """The claim leaves the assets; what still comes in is a recovery, and no more interest is earned."""
    loan = s.loan
    if loan.charged_off:
        raise InvariantBroken("a second charge-off")
    owed = _owed(s)
    s.charged_off = charged_off_to(FRAUD_LOSS if data.fraud else CREDIT_LOSS)
    _take_out(s, s.charged_off, day)
    loan.charged_off = day
    s.trail.note(event_id, "charge-off", day, owed, 0)


def write_off(s: Servicing, event_id: str, day: int) -> None:
    """Nothing more is owed; the loan ends."""
    loan = s.loan
    owed = _owed(s)
    if not loan.charged_off:
        _take_out(s, _written_off(loan), day)
    for row in (rows := s.rows.take(loan)):
        row.paid.written_off = sum(row.left)
        row.left = [0, 0, 0, 0]
    for charge in loan.charges:
        charge.left = 0
    s.rows.put(loan, rows, day)
    loan.status = WRITTEN_OFF
    s.trail.note(event_id, "write-off", day, owed, 0)


def _written_off(loan: Loan) -> Recovered:
    """What a write-off is debited to. On a cash basis only principal stands in the books: all else leaves income as it
    came into it, by not being booked."""
    if loan.accounting == CASH_BASIS:
        return Recovered(PENALTIES_CHARGED_OFF, FEES_CHARGED_OFF, INTEREST_CHARGED_OFF, LOSSES_WRITTEN_OFF)
    return Recovered(*[LOSSES_WRITTEN_OFF] * 4)


def _owed(s: Servicing) -> Split:
    """Everything that is unpaid, whenever it falls due."""
    loan = s.loan
    return Split(
        principal=loan.unpaid_of(PRINCIPAL),
        interest=loan.unpaid_of(INTEREST),
        fees=loan.unpaid_of(FEE),
        penalties=loan.unpaid_of(PENALTY),
    )


def _take_out(s: Servicing, to: Recovered, day: int) -> None:
    """The claims are debited to accounts by part; interest paid ahead, which no instalment earns any more, is kept."""
    loan = s.loan
    number = loan.currency
    ahead = sum(loan.asked[INTEREST][k] - loan.left[INTEREST][k] for k in range(loan.fallen, len(loan.due)))
    post(s.journal, to.principal, LOANS_RECEIVABLE, loan.principal_outstanding, number, day)
    use_allowance(loan, to.principal, loan.principal_outstanding, day, s.journal)
    post(s.journal, to.interest, INTEREST_RECEIVABLE, loan.interest_fallen_unpaid(), number, day)
    post(s.journal, to.fee, FEES_RECEIVABLE, receivable(loan), number, day)
    post(s.journal, to.penalty, PENALTIES_RECEIVABLE, loan.unpaid_of(PENALTY), number, day)
    post(s.journal, UNEARNED_INTEREST, to.interest, ahead, number, day)
    post(s.journal, UNEARNED_FEES, FEE_INCOME, unearned(loan), number, day)
    if (cut := loan.taken_over) is not None and cut.running not in loan.due[: loan.fallen]:
        post(s.journal, to.interest, ACCRUED_INTEREST, cut.accrued, number, day)
        cut.accrued = 0
    loan.earns_until = loan.fallen
