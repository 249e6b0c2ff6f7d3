"""The case of a borrower: opens, moves from step to step, parks, resumes, closes, reopens. Pure: it reads the state.

`review` is called after every event and every closing that concerns the borrower. It compares the case with what it
should be as of the last closed date, and yields what has changed; days that pass without moving a step change nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from services.collections.promises import broken_lately
from services.collections.state import Borrower, Case, Loan
from services.collections.strategy import PRIORITY_RULE, Strategy
from shared.events import collections as events
from shared.events.envelope import Envelope
from shared.money import decimal_text

CaseEvent = type[Envelope]
PARKING_FLAGS = {
    "deceased": "the borrower is dead",
    "bankruptcy": "bankruptcy",
    "legal-representation": "a lawyer speaks for the borrower",
    "fraud-victim": "the borrower may be the victim of a fraud",
    "cease-contact": "the borrower asked not to be contacted",
    "hardship": "hardship",
}
"""Flags of parties' events that park a case, by weight."""


@dataclass(frozen=True, slots=True)
class Parking:
    """Why nobody works on a case, and until when at most, if that is known."""

    reason: str
    until: date | None = None


def review(state: Borrower, as_of: date, strategy: Strategy, new_id: str) -> Iterator[CaseEvent]:
    """Bring the case up to date and yield the events of what changed, none to two; the state is as after the last one.

    `new_id`: the case's id, should one open.
    """
    late = state.in_arrears()
    case = state.case
    if case is None or case.status == "closed":
        opening = _opening(state, late, as_of, strategy)
        if opening is None:
            return
        if opening is events.CaseOpened:
            case = state.case = Case(new_id, as_of + timedelta(days=1))
        assert case is not None
        case.status, case.closed_on = "open", None
        _fill(state, case, late, as_of, strategy)
        case.version += 1
        yield opening
    elif not late:
        case.status, case.closed_on = "closed", as_of + timedelta(days=1)
        case.parked_until, case.taken_by = None, None
        _fill(state, case, late, as_of, strategy)
        case.reason = "nothing is past due any more"
        case.version += 1
        yield events.CaseClosed
        return
    yield from _move(state, case, late, as_of, strategy)


def _opening(state: Borrower, late: list[Loan], as_of: date, strategy: Strategy) -> CaseEvent | None:
    """Whether a borrower without a case needs one: the old one again where its arrears are back."""
    if not late:
        return None
    case = state.case
    oldest = late[0].past_due_since
    assert oldest is not None
    if case is not None and case.closed_on is not None and oldest < case.closed_on:
        return events.CaseReopened
    days = days_past_due(late, as_of)
    broken = days >= 1 and any(promise.status == "broken" and promise.made_on > oldest for promise in state.promises)
    return events.CaseOpened if days >= strategy.opens_at_days_past_due or broken else None


def _move(state: Borrower, case: Case, late: list[Loan], as_of: date, strategy: Strategy) -> Iterator[CaseEvent]:
    """Park, resume, or note what else has changed."""
    before = _figures(case)
    parking = parked_by(state, late)
    was = case.status
    case.status = "parked" if parking else "open"
    case.parked_until = parking.until if parking else None
    _fill(state, case, late, as_of, strategy)
    if parking:
        case.reason = parking.reason
        case.taken_by = None
    if (case.status, _figures(case)) == (was, before):
        return
    case.version += 1
    if case.status == was:
        yield events.CaseChanged
    else:
        yield events.CaseParked if parking else events.CaseResumed


def _figures(case: Case) -> tuple[object, ...]:
    """What a change of is worth an event."""
    return (case.step, case.priority, case.parked_until, case.past_due, case.loans, case.past_due_since, case.reason)


def _fill(state: Borrower, case: Case, late: list[Loan], as_of: date, strategy: Strategy) -> None:
    """Figures, step, priority and reason as of the closed date."""
    days = days_past_due(late, as_of)
    case.past_due = {}
    for loan in sorted(late, key=lambda loan: loan.currency):
        case.past_due[loan.currency] = case.past_due.get(loan.currency, 0) + loan.past_due
    case.loans = sorted(loan.loan_id for loan in late)
    case.past_due_since = late[0].past_due_since if late else None
    case.days_past_due, case.as_of = days, as_of
    case.rule = PRIORITY_RULE
    if late:
        step = strategy.step(days)
        case.step = step.name
        case.priority = strategy.priority_of(
            step=step,
            past_due=case.past_due,
            broken_promises=broken_lately(state, as_of, strategy.promises),
            alerts=state.alerts.values(),
        )
        case.reason = f"past due since {case.past_due_since}: step {step.name}"
    else:
        case.priority = 0


def days_past_due(late: list[Loan], as_of: date) -> int:
    """Of the oldest of these loans on the closed date; 0 if there is none."""
    return max(((as_of - loan.past_due_since).days for loan in late if loan.past_due_since), default=0)


def parked_by(state: Borrower, late: list[Loan]) -> Parking | None:
    """What parks a case: circumstances first, then what the borrower said, then a promise."""
    if any(loan.parked for loan in state.loans.values()):
        return Parking("a loan is parked in the ledger")
    if any(loan.in_suspense for loan in state.loans.values()):
        return Parking("money that came in is not allocated yet")
    for flag, reason in PARKING_FLAGS.items():
        if flag in state.flags:
            return Parking(reason)
    for stop in state.stops:
        if stop.loan_id is None or {loan.loan_id for loan in late} <= _stopped(state, stop.kind):
            return Parking(stop.kind)
    active = state.active_promises()
    return Parking("a promise stands", active[0].judged_on) if active else None


def _stopped(state: Borrower, kind: str) -> set[str]:
    return {stop.loan_id for stop in state.stops if stop.kind == kind and stop.loan_id is not None}


def next_closing(state: Borrower, strategy: Strategy) -> date | None:
    """The next date whose closing opens the case, moves its step, or judges a promise."""
    dates = [promise.judged_on for promise in state.active_promises()]
    worked = state.case is not None and state.case.status != "closed"
    thresholds = [step.from_day for step in strategy.steps] if worked else [strategy.opens_at_days_past_due]
    for loan in state.in_arrears():
        assert loan.past_due_since is not None
        for days in thresholds:
            action = loan.past_due_since + timedelta(days=days)
            if state.as_of is None or action > state.as_of:
                dates.append(action)
                break
    return min(dates, default=None)


def document(state: Borrower, case: Case) -> events.Case:
    """The case as its events and its snapshot carry it."""
    assert case.as_of is not None
    return events.Case(
        case_id=case.case_id,
        borrower_id=state.borrower_id,
        status=case.status,
        step=case.step,
        days_past_due=max(0, case.days_past_due),
        past_due={code: decimal_text(amount, code) for code, amount in case.past_due.items()},
        loans=case.loans,
        priority=case.priority,
        rule=case.rule,
        parked_until=case.parked_until,
        reason=case.reason,
        as_of=case.as_of,
        version=case.version,
    )
