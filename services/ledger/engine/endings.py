"""A loan ends badly: charged off, the claim leaves the assets and goes on; written off, it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ledger.engine.account import FEE, INTEREST, PENALTY, PRINCIPAL, WRITTEN_OFF
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    CREDIT_LOSS,
    FEE_INCOME,
    FEES_RECEIVABLE,
    FRAUD_LOSS,
    INTEREST_CHARGED_OFF,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    PENALTIES_RECEIVABLE,
    PENALTY_INCOME,
    UNEARNED_INTEREST,
)
from services.ledger.engine.journal import post
from services.ledger.engine.trail import Split
from shared.errors import InvariantBroken
from shared.events import servicing as events

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing


def charge_off(s: Servicing, event_id: str, data: events.ChargeOff, day: int) -> None:
    """The claim leaves the assets; what still comes in is a recovery, and no more interest is earned."""
    loan = s.loan
    if loan.charged_off:
        raise InvariantBroken("a second charge-off")
    owed = _owed(s)
    _take_out(s, FRAUD_LOSS if data.fraud else CREDIT_LOSS, day)
    loan.charged_off = day
    s.trail.note(event_id, "charge-off", day, owed, 0)


def write_off(s: Servicing, event_id: str, day: int) -> None:
    """Nothing more is owed; the loan ends."""
    loan = s.loan
    owed = _owed(s)
    if not loan.charged_off:
        _take_out(s, CREDIT_LOSS, day)
    for row in (rows := s.rows.take(loan)):
        row.paid.written_off = sum(row.left)
        row.left = [0, 0, 0, 0]
    for charge in loan.charges:
        charge.left = 0
    s.rows.put(loan, rows, day)
    loan.status = WRITTEN_OFF
    s.trail.note(event_id, "write-off", day, owed, 0)


def _owed(s: Servicing) -> Split:
    """Everything that is unpaid, whenever it falls due."""
    loan = s.loan
    return Split(
        principal=loan.unpaid_of(PRINCIPAL),
        interest=loan.unpaid_of(INTEREST),
        fees=loan.unpaid_of(FEE),
        penalties=loan.unpaid_of(PENALTY),
    )


def _take_out(s: Servicing, loss: int, day: int) -> None:
    loan = s.loan
    number = loan.currency
    ahead = sum(loan.asked[INTEREST][k] - loan.left[INTEREST][k] for k in range(loan.fallen, len(loan.due)))
    post(s.journal, loss, LOANS_RECEIVABLE, loan.principal_outstanding, number, day)
    post(s.journal, INTEREST_CHARGED_OFF, INTEREST_RECEIVABLE, loan.interest_fallen_unpaid(), number, day)
    post(s.journal, FEE_INCOME, FEES_RECEIVABLE, loan.unpaid_of(FEE), number, day)
    post(s.journal, PENALTY_INCOME, PENALTIES_RECEIVABLE, loan.unpaid_of(PENALTY), number, day)
    post(s.journal, UNEARNED_INTEREST, INTEREST_CHARGED_OFF, ahead, number, day)
    if (cut := loan.taken_over) is not None and cut.running not in loan.due[: loan.fallen]:
        post(s.journal, INTEREST_CHARGED_OFF, ACCRUED_INTEREST, cut.accrued, number, day)
        cut.accrued = 0
    loan.earns_until = loan.fallen
