"""The instalments of a running loan change: further disbursements, agreed changes, re-ageing, re-amortising."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from services.ledger.engine.account import ALWAYS, INTEREST, PRINCIPAL, Loan
from services.ledger.engine.accounts import FROM_CASH, LOANS_RECEIVABLE
from services.ledger.engine.charges import follow_schedule, let_lapse, levy_agreed
from services.ledger.engine.instalment_fees import lapse, to_come
from services.ledger.engine.reuse import balances, put_anew
from services.ledger.engine.rows import ADDITIONAL, DOWN_PAYMENT, PERIOD, RE_AGED, Row
from services.ledger.engine.trail import Split
from shared.calendar import add_months, due_dates
from shared.errors import InvariantBroken, Refusal
from shared.events import servicing as events
from shared.events.terms import BorrowerRights
from shared.money import divide, minor_units
from shared.schedules import Schedule, schedule
from shared.schedules.fees import prepayment_fee
from shared.schedules.model import Change, Prepaid
from shared.schedules.recalculated import recalculated

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing


TAKEN_OVER = "was taken over"


def must_follow_terms(s: Servicing, what: str, *, whatever_came: bool = False) -> None:
    """Refuse a change of the schedule where the instalments are no longer those of the terms. `whatever_came`: the
    change needs the instalments alone, and takes those that came from another system, too."""
    if s.fixed is not None and not (whatever_came and s.fixed == TAKEN_OVER):
        raise InvariantBroken(f"{what} after the loan {s.fixed}: its instalments are no longer those of its terms")
    if s.loan.charged_off:
        raise InvariantBroken(f"{what} after the loan was charged off")


def redraw(s: Servicing, day: int, *, paid_out: int = 0) -> None:
    """Lay the instalments out anew as of `day`; `paid_out` is what was booked as paid out since they were."""
    loan = s.loan
    plan = _plan(s, day)
    before = balances(s)
    before[LOANS_RECEIVABLE] += paid_out
    old = {row.key: row for row in s.rows.take(loan)}
    rows: list[Row] = []
    periods = down_payments = principal = interest = 0
    for instalment in plan.instalments:
        if instalment.down_payment:
            key, down_payments = (DOWN_PAYMENT, down_payments), down_payments + 1
        else:
            key, periods = (PERIOD, periods), periods + 1
        asked = [0, 0, instalment.interest, instalment.principal]
        row = Row(*key, instalment.due.toordinal(), asked, asked[:])
        if (was := old.pop(key, None)) is not None:
            carried = _carry(was, row)
            principal, interest = principal + carried[PRINCIPAL], interest + carried[INTEREST]
        rows.append(row)
    assert s.terms is not None
    if s.terms.schedule == "progressive":  # on one date, what was agreed before stands before the new down payment
        rows.sort(key=lambda row: (row.due, row.kind == DOWN_PAYMENT))
    for row in old.values():
        if row.kind == ADDITIONAL:
            rows.append(row)
        else:  # fewer periods than before: what was paid of this one is paid too much
            principal, interest = principal + row.paid_of(PRINCIPAL), interest + row.paid_of(INTEREST)
    fees = follow_schedule(s, plan, day)
    loan.overpaid += principal + interest + fees
    put_anew(s, rows, before, day, Split(principal, interest, fees))
    let_lapse(s, 0, day)


def _carry(before: Row, row: Row) -> dict[int, int]:
    """What was paid and credited stays with the instalment; returns what of it is no longer asked for, by part."""
    row.paid = before.paid
    row.asked[PRINCIPAL] += before.paid.credited
    return {part: row.keep_paid(part, before.paid_of(part)) for part in (INTEREST, PRINCIPAL)}


def _plan(s: Servicing, day: int) -> Schedule:
    assert s.terms is not None
    try:
        if s.terms.recalculation is not None:
            return recalculated(s.terms, s.paid_out, s.received, date.fromordinal(day), s.changes)
        return schedule(s.terms, s.paid_out, s.changes)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal


def reschedule(s: Servicing, data: events.Reschedule, day: int) -> None:
    """Agreed changes of instalments that are still to come."""
    must_follow_terms(s, "a reschedule")
    on = date.fromordinal(day)
    for change in data.changes:
        if data.by == "borrower":
            _use_right(s, change)
        if isinstance(change, events.InterestPaused):
            _check_pause(s, change)
        else:
            _check_instalment(s, change.due if isinstance(change, events.DueDateMoved) else change.from_due, on)
        s.changes.append((on, change))
        redraw(s, day)
        if isinstance(change, events.RateChanged):
            s.loan.floating = None
    if data.restructure:
        _watch(s.loan, day)


def _watch(loan: Loan, day: int) -> None:
    """A restructured loan is watched from its next due date on, over two instalments and a year at least: China's rules
    on the risk classification of financial assets of commercial banks (order 1 of 2023)."""
    coming = [due for due in loan.due if due > day]
    loan.restructured += 1
    if coming:
        year = add_months(date.fromordinal(coming[0]), 12).toordinal()
        loan.watched_until = max(year, coming[min(1, len(coming) - 1)])


def _use_right(s: Servicing, change: Change) -> None:
    """The borrower changes the loan alone: within the rights of the terms."""
    assert s.terms is not None
    rights = s.terms.borrower_rights or BorrowerRights()
    match change:
        case events.DueDateMoved() if abs((change.to - change.due).days) <= rights.move_days:
            allowed = rights.due_date_moves
        case events.GraceGranted() if change.principal <= 1 and change.interest <= 1:
            allowed = rights.skips
        case _:
            raise InvariantBroken("a change that the terms do not let the borrower make alone")
    s.used_rights[change.change] += 1
    if s.used_rights[change.change] > allowed:
        raise InvariantBroken(f"a change that the terms let the borrower make alone {allowed} times only")


def _check_instalment(s: Servicing, due: date, on: date) -> None:
    """An instalment falls due on `due`, and has not fallen due before `on`."""
    if not any(row.kind == PERIOD and row.due == due.toordinal() for row in s.rows.take(s.loan)):
        raise InvariantBroken(f"a reschedule from {due}, on which no instalment falls due")
    if due < on:
        raise InvariantBroken(f"a reschedule from {due}, which was due before {on}")


def _check_pause(s: Servicing, pause: events.InterestPaused) -> None:
    """A pause must not reach back behind an instalment that has fallen due."""
    loan = s.loan
    since = loan.due[loan.fallen - 1] if loan.fallen else loan.start
    if pause.end < pause.start or pause.start.toordinal() < since:
        raise InvariantBroken(
            f"a pause of interest from {pause.start} to {pause.end}: it must not end before it starts, nor start "
            f"before {date.fromordinal(since)}"
        )


def prepay(s: Servicing, event_id: str, data: events.Prepayment, day: int) -> None:
    """Principal is paid before it is due: the instalments after it are laid out anew, and what was paid is asked for,
    and paid, on the day itself."""
    must_follow_terms(s, "a prepayment")
    loan = s.loan
    amount = s.amount_of(data.amount, data.currency)
    if loan.refolds == ALWAYS:
        raise InvariantBroken("a prepayment of a loan whose interest follows what is outstanding: any payment does it")
    if loan.past_due(day + 1):
        raise InvariantBroken("a prepayment while something is due")
    if amount >= loan.principal_outstanding:
        raise InvariantBroken("a prepayment of all that is outstanding: that is a payoff")
    on = date.fromordinal(day)
    s.changes.append((on, Prepaid(on, amount, fewer=data.effect == "fewer-instalments")))
    redraw(s, day)
    s.take_in(event_id, "prepayment", amount, day, FROM_CASH)
    assert s.terms is not None
    fee = prepayment_fee(s.terms, amount, disbursed_on=date.fromordinal(loan.start), on=on)
    if fee:
        levy_agreed(s, f"prepayment-fee/{event_id}", "prepayment-fee", day, fee)


def re_age(s: Servicing, event_id: str, data: events.ReAge, day: int) -> None:
    """All unpaid principal moves to new instalments, equal but for the last one."""
    must_follow_terms(s, "a re-age", whatever_came=True)
    loan = s.loan
    first = data.first_due.toordinal()
    if first < day:
        raise InvariantBroken(f"a re-age from {data.first_due}, which is before its own date")
    rows = s.rows.take(loan)
    moved = sum(row.give_up_principal() for row in rows)
    if not moved:
        raise InvariantBroken("a re-age of a loan without unpaid principal")
    parts = equal_parts(moved, data.instalments, _multiple(s))
    dates = due_dates(data.first_due, data.instalments, data.every, data.unit)
    for number, (due, part) in enumerate(zip(dates, parts, strict=True)):
        asked = [0, 0, 0, part]
        rows.append(Row(RE_AGED, number, due.toordinal(), asked, asked[:]))
    s.fixed = "was re-aged"
    s.rows.put(loan, rows, day)
    s.trail.note(event_id, "re-age", day, Split(principal=moved), 0)


def re_amortise(s: Servicing, event_id: str, day: int) -> None:
    """Principal that fell due and is unpaid is spread over the instalments to come, the last one takes the rest."""
    must_follow_terms(s, "a re-amortisation", whatever_came=True)
    loan = s.loan
    rows = s.rows.take(loan)
    coming = [row for row in rows if row.kind == PERIOD and row.due > day]
    if not coming:
        raise InvariantBroken("a re-amortisation after the last instalment")
    moved = sum(row.give_up_principal() for row in rows if row.due <= day)
    for row, part in zip(coming, equal_parts(moved, len(coming), _multiple(s)), strict=True):
        row.ask_more_principal(part)
    s.fixed = "was re-amortised"
    s.rows.put(loan, rows, day)
    s.trail.note(event_id, "re-amortise", day, Split(principal=moved), 0)


def accelerate(s: Servicing, event_id: str, day: int) -> None:
    """Everything that is still to come falls due on `day`: the principal whole, the interest of the running period for
    the days that have passed, and none of later periods, nor their fees. Charges that are not due yet fall due with
    it."""
    must_follow_terms(s, "an acceleration", whatever_came=True)
    assert s.terms is not None
    loan = s.loan
    fees = lapse(loan, to_come(loan, day), day, s.journal)
    before = balances(s)
    rows = s.rows.take(loan)
    coming = [row for row in rows if row.due > day and row.kind != ADDITIONAL]
    if not coming:
        raise InvariantBroken("an acceleration after the last instalment fell due")
    called, later = coming[0], coming[1:]
    start = max([loan.start, *(row.due for row in rows if row.due <= day and row.kind == PERIOD)])
    if (cut := loan.taken_over) is not None:
        start = max(start, cut.since)
        cut.running = day if called.due == cut.running else cut.running
    earned = divide(called.asked[INTEREST] * (day - start), called.due - start, s.terms.rounding)
    freed = _ask_interest(called, earned)
    moved = called.left[PRINCIPAL]
    for row in later:
        freed += _ask_interest(row, 0)
        part = row.give_up_principal()
        called.ask_more_principal(part)
        row.due = day
        moved += part
    called.due = day
    for charge in loan.charges:
        charge.due = min(charge.due, day)
    s.fixed = "was called"
    loan.overpaid += freed
    s.trail.note(event_id, "acceleration", day, Split(principal=moved), 0)
    put_anew(s, [row for row in rows if any(row.asked) or row is called], before, day, Split(interest=freed, fees=fees))


def _ask_interest(row: Row, interest: int) -> int:
    """The instalment asks for so much interest; returns what was paid of it and is no longer asked for."""
    paid, row.asked[INTEREST] = row.paid_of(INTEREST), interest
    return row.keep_paid(INTEREST, paid)


def _multiple(s: Servicing) -> int:
    """Minor units that parts of principal are multiples of."""
    assert s.terms is not None
    text = s.terms.instalment_multiple
    return minor_units(text, s.terms.currency) if text else 1


def equal_parts(amount: int, number: int, multiple: int) -> list[int]:
    """An amount in equal parts, multiples of `multiple`, rounded half to even; the last one takes what that leaves."""
    part = divide(divide(amount, number, "half-even"), multiple, "half-even") * multiple
    return [part] * (number - 1) + [amount - part * (number - 1)]
