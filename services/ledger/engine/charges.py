"""Fees and penalties: charged, waived, credited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ledger.engine.account import FEE, PENALTY, LoanCharge
from services.ledger.engine.accounts import CASH, FEE_INCOME, FEES_RECEIVABLE, PENALTIES_RECEIVABLE, PENALTY_INCOME
from services.ledger.engine.journal import post
from services.ledger.engine.reuse import balances, put_anew
from services.ledger.engine.trail import Split
from shared.errors import InvariantBroken
from shared.events import servicing as events
from shared.events.envelope import derived_event_id
from shared.schedules.fees import upfront_fees

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing

RECEIVABLE = {PENALTY: PENALTIES_RECEIVABLE, FEE: FEES_RECEIVABLE}
INCOME = {PENALTY: PENALTY_INCOME, FEE: FEE_INCOME}


def levy(s: Servicing, event_id: str, data: events.Charge, day: int) -> None:
    """A charge is owed from now on, and due with the instalment that its due date falls into."""
    loan = s.loan
    amount = s.amount_of(data.amount, data.currency)
    part = PENALTY if data.part == "penalty" else FEE
    due = data.due.toordinal()
    if loan.charged_off:
        raise InvariantBroken("a charge after the loan was charged off")
    if due < loan.start:
        raise InvariantBroken("a charge due before the loan was paid out")
    _owe(s, LoanCharge(event_id, part, due, amount, amount), data.name, day)


def withhold(s: Servicing, paid_out: int, day: int, *, first: bool, settles: int) -> None:
    """The fees of a disbursement are charged, and paid by being withheld from what does not settle another loan."""
    assert s.terms is not None
    loan = s.loan
    fees = upfront_fees(s.terms, paid_out, first=first)
    if sum(amount for _, amount in fees) > paid_out - settles:
        raise InvariantBroken("fees above what is paid out")
    for name, amount in fees:
        charge = agreed(s, f"{name}/{day}", name, FEE, day, amount)
        charge.left, charge.withheld = 0, amount
        post(s.journal, FEES_RECEIVABLE, FEE_INCOME, amount, loan.currency, day)
        post(s.journal, CASH, FEES_RECEIVABLE, amount, loan.currency, day)
        s.trail.withheld(charge.event_id, day, amount)
    if fees:
        s.rows.put(loan, s.rows.take(loan), day)


def levy_agreed(s: Servicing, what: str, name: str, due: int, amount: int) -> None:
    """A fee that follows from the terms is owed from its due date on."""
    _owe(s, LoanCharge(agreed_id(s, what), FEE, due, amount, amount), name, due)


def _owe(s: Servicing, charge: LoanCharge, name: str, day: int) -> None:
    """A charge is owed from `day` on: booked, added to the claims, and money is used as the claims are now."""
    loan, account = s.loan, RECEIVABLE[charge.part]
    before = balances(loan)
    before[account] += charge.amount
    post(s.journal, account, INCOME[charge.part], charge.amount, loan.currency, day)
    _add(s, charge, name)
    put_anew(s, s.rows.take(loan), before, day)


def _add(s: Servicing, charge: LoanCharge, name: str) -> None:
    s.loan.charges.append(charge)
    s.names[charge.event_id] = name


def agreed_id(s: Servicing, what: str) -> str:
    """The id of a charge that follows from the terms: made of the first disbursement's id and of `what` it is."""
    return derived_event_id(s.begun_by, 0, what, 0)


def agreed(s: Servicing, what: str, name: str, part: int, due: int, amount: int) -> LoanCharge:
    """A charge that follows from the terms is the loan's; see `agreed_id`."""
    charge = LoanCharge(agreed_id(s, what), part, due, amount, amount)
    _add(s, charge, name)
    return charge


def waive(s: Servicing, event_id: str, data: events.Waiver, day: int) -> None:
    """What is unpaid of a charge is forgone."""
    loan = s.loan
    charge = _charge(s, data.charge_id, "a waiver")
    amount = charge.left
    if not amount:
        raise InvariantBroken("a waiver of a charge of which nothing is unpaid")
    charge.left = 0
    charge.waived += amount
    if not loan.charged_off:
        post(s.journal, INCOME[charge.part], RECEIVABLE[charge.part], amount, loan.currency, day)
    s.rows.put(loan, s.rows.take(loan), day)
    split = Split(penalties=amount) if charge.part == PENALTY else Split(fees=amount)
    s.trail.note(event_id, "charge-waiver", day, split, 0)


def adjust(s: Servicing, event_id: str, data: events.ChargeCredit, day: int) -> None:
    """A charge was wrong: its amount counts as money, wherever the loan's order puts it."""
    charge = _charge(s, data.charge_id, "an adjustment")
    amount = s.amount_of(data.amount, data.currency)
    credited = s.credited.get(data.charge_id, 0) + amount
    if credited > charge.amount - charge.waived:
        raise InvariantBroken("an adjustment of more than the charge")
    s.credited[data.charge_id] = credited
    s.take_in(event_id, "charge-adjustment", amount, day, INCOME[charge.part])


def _charge(s: Servicing, charge_id: str, what: str) -> LoanCharge:
    for charge in s.loan.charges:
        if charge.event_id == charge_id:
            return charge
    raise InvariantBroken(f"{what} of {charge_id}, which is no charge of this loan that stands")
