"""What collections tells when something of a borrower changed: events, snapshots, lines of the case's history."""

from collections.abc import Mapping
from datetime import date, timedelta

from services.collections import case, reminders
from services.collections.state import Borrower, Loan, Promise, Reminder
from services.collections.strategy import ReminderRule, strategy_on
from shared.events import collections as events
from shared.events.envelope import Envelope
from shared.money import decimal_text
from shared.streams.fold import Context

CASES, QUEUES = "collections.cases.v1", "collections.queues.v1"
OUTCOMES: Mapping[str, type[Envelope]] = {
    "active": events.PromiseMade,
    "kept": events.PromiseKept,
    "partly-kept": events.PromisePartlyKept,
    "broken": events.PromiseBroken,
    "cancelled": events.PromiseCancelled,
}


def settle(state: Borrower, as_of: date, context: Context) -> None:
    """Bring the case up to date as of the closed date, and tell of each change."""
    state.as_of = as_of
    state.reminders = [one for one in state.reminders if reminders.still_due(state, one, as_of + timedelta(days=1))]
    changed = False
    for kind in case.review(state, as_of, strategy_on(as_of), context.next_id()):
        assert state.case is not None
        event_id = context.emit(CASES, state.borrower_id, kind, case.document(state, state.case))
        note(state, event_id, kind.model_fields["type"].default, state.case.reason, context)
        changed = True
    if changed:
        snapshot(state, context)


def snapshot(state: Borrower, context: Context) -> None:
    """Send the case as it stands."""
    assert state.case is not None
    document = case.document(state, state.case)
    data = events.CaseSnapshot(case=document, partition=context.partition, taken_by=state.case.taken_by)
    context.snapshot(QUEUES, state.case.case_id, data)


def note(state: Borrower, event_id: str, kind: str, reason: str, context: Context) -> None:
    """A line of the case's history, with what caused it."""
    if state.case is None or context.cause is None:
        return
    case_id, as_of, cause = state.case.case_id, state.case.as_of, context.cause
    row = (event_id, context.emitted, case_id, state.borrower_id, kind, as_of, cause.id, cause.type, reason)
    context.put("case_event", *row)


def tell_promise(state: Borrower, promise: Promise, context: Context) -> None:
    """Tell what became of a promise."""
    kind = OUTCOMES[promise.status]
    data = events.Promise(
        promise_id=promise.promise_id,
        borrower_id=state.borrower_id,
        loan_id=promise.loan_id,
        amount=decimal_text(promise.amount, promise.currency),
        currency=promise.currency,
        due_date=promise.due_date,
        paid=decimal_text(max(0, promise.paid), promise.currency),
        status=promise.status,
        by=promise.by,
        plan_id=promise.plan_id,
        reason=promise.reason,
    )
    event_id = context.emit(CASES, state.borrower_id, kind, data)
    money = f"{data.paid} of {data.amount} {data.currency} due {data.due_date}"
    note(state, event_id, kind.model_fields["type"].default, f"promise {promise.promise_id}: {money}", context)


def remind(state: Borrower, loan: Loan, rule: ReminderRule, due: date, on: date, context: Context) -> None:
    """Schedule a reminder on the date `on`."""
    reminders.remember(loan, rule, due)
    amount = loan.past_due if rule.kind == "t+1" else None
    until = due + timedelta(days=rule.to_day)
    one = Reminder(context.next_id(), loan.loan_id, rule.kind, due, on, until, amount, loan.currency)
    data = events.Reminder(
        reminder_id=one.reminder_id,
        borrower_id=state.borrower_id,
        loan_id=one.loan_id,
        kind=one.kind,
        instalment_due=due,
        amount=None if amount is None else decimal_text(amount, loan.currency),
        currency=loan.currency,
        on_date=on,
        until=until,
    )
    context.emit(CASES, state.borrower_id, events.ReminderScheduled, data)
    state.reminders.append(one)
