"""Fees and penalties: charged, waived, credited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ledger.engine.account import FEE, PENALTY, LoanCharge
from services.ledger.engine.accounts import (
    CASH,
    FEE_INCOME,
    FEES_RECEIVABLE,
    PENALTIES_RECEIVABLE,
    PENALTY_INCOME,
    Recovered,
    source,
)
from services.ledger.engine.claims import use_credit
from services.ledger.engine.instalment_fees import ahead, fees_of, follow, lapse, lapsing
from services.ledger.engine.journal import post
from services.ledger.engine.reuse import balances, put_anew
from services.ledger.engine.trail import Split
from shared.errors import InvariantBroken
from shared.events import servicing as events
from shared.events.envelope import derived_event_id
from shared.schedules.fees import upfront_fees

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing
    from shared.schedules import Schedule

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


def withhold(s: Servicing, event_id: str, paid_out: int, day: int, *, first: bool, settles: int) -> None:
    """The fees of the disbursement `event_id` are charged, and paid by being withheld from what does not settle another
    loan. The id of each is made of the disbursement's and of its place among them."""
    assert s.terms is not None
    loan = s.loan
    fees = upfront_fees(s.terms, paid_out, first=first)
    if sum(amount for _, amount in fees) > paid_out - settles:
        raise InvariantBroken("fees above what is paid out")
    for n, (name, amount) in enumerate(fees):
        charge = LoanCharge(derived_event_id(event_id, 0, "upfront-fee", n), FEE, day, amount, 0, withheld=amount)
        _add(s, charge, name)
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
    before = balances(s)
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


def follow_schedule(s: Servicing, plan: Schedule, day: int) -> int:
    """The fees of instalments become those of `plan`; returns what was paid of them and is no longer asked for."""
    assert s.terms is not None
    if not s.terms.instalment_fees:
        return 0
    fees = fees_of(s.terms, plan, s.begun_by)
    s.names.update({fee.charge_id: fee.name for fee in fees})
    return follow(s.loan, fees, day)


def let_lapse(s: Servicing, amount: int, day: int) -> None:
    """The fees that are no longer owed if `amount` comes now are gone; what was paid of them is used otherwise."""
    loan = s.loan
    if coming := lapsing(loan, amount, day):
        freed = lapse(loan, coming, day, s.journal)
        s.rows.put(loan, s.rows.take(loan), day)
        s.trail.reused(day, Split(fees=freed), use_credit(loan, day, s.journal, s.rows))


def waive(s: Servicing, event_id: str, data: events.Waiver, day: int) -> None:
    """What is unpaid of a charge is forgone. An instalment's fee that has not fallen due is in no books yet."""
    loan = s.loan
    charge = _charge(s, data.charge_id, "a waiver")
    amount = charge.left
    if not amount:
        raise InvariantBroken("a waiver of a charge of which nothing is unpaid")
    charge.left = 0
    charge.waived += amount
    if not loan.charged_off and charge not in ahead(loan):
        post(s.journal, INCOME[charge.part], RECEIVABLE[charge.part], amount, loan.currency, day)
    s.rows.put(loan, s.rows.take(loan), day)
    split = Split(penalties=amount) if charge.part == PENALTY else Split(fees=amount)
    s.trail.note(event_id, "charge-waiver", day, split, 0)


def adjust(s: Servicing, event_id: str, data: events.ChargeCredit, day: int) -> None:
    """A charge was wrong: its amount counts as money, wherever the loan's order puts it. Where the loan is charged off,
    its income goes, and with it that the charge was charged off."""
    charge = _charge(s, data.charge_id, "an adjustment")
    if charge in ahead(s.loan):
        raise InvariantBroken("an adjustment of an instalment's fee before it falls due: what is unpaid can be waived")
    amount = s.amount_of(data.amount, data.currency)
    credited = s.credited.get(data.charge_id, 0) + amount
    if credited > charge.amount - charge.waived:
        raise InvariantBroken("an adjustment of more than the charge")
    s.credited[data.charge_id] = credited
    off = s.charged_off
    recovered = off and Recovered(*[off.penalty if charge.part == PENALTY else off.fee] * 4)
    s.take_in(event_id, "charge-adjustment", amount, day, source(INCOME[charge.part]), recovered)


def _charge(s: Servicing, charge_id: str, what: str) -> LoanCharge:
    for charge in s.loan.charges:
        if charge.event_id == charge_id:
            return charge
    raise InvariantBroken(f"{what} of {charge_id}, which is no charge of this loan that stands")
