"""Reminders around a due date: T-3 and T0 of the next instalment, T+1 of one that is not paid. Each once.

When a business date has closed, the next one is open: what is to be sent on it is scheduled then. A kind that was
missed (the loan came later) is scheduled late, as long as its days last. Once a case stands, collectors talk about
arrears, and T+1 falls away.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from services.collections.state import Borrower, Loan, Reminder
from services.collections.strategy import ReminderRule

REMINDED_MAX = 6
"""Kinds remembered per loan: those of the last two due dates."""


def schedule(state: Borrower, closed: date, rules: list[ReminderRule]) -> Iterator[tuple[Loan, ReminderRule, date]]:
    """(loan, rule, instalment's due date) of what is to be scheduled when `closed` has closed."""
    opened = closed + timedelta(days=1)
    for loan_id in sorted(state.loans):
        loan = state.loans[loan_id]
        for rule in rules:
            due = _concerned(state, loan, rule)
            if due is None or _mark(rule, due) in loan.reminded:
                continue
            if due + timedelta(days=rule.from_day) <= opened <= due + timedelta(days=rule.to_day):
                yield loan, rule, due


def remember(loan: Loan, rule: ReminderRule, due: date) -> None:
    """Never schedule this one again."""
    loan.reminded = [*loan.reminded, _mark(rule, due)][-REMINDED_MAX:]


def still_due(state: Borrower, reminder: Reminder, opened: date) -> bool:
    """Whether a scheduled reminder may still be sent: in time, and about something that is still to be paid."""
    loan = state.loans.get(reminder.loan_id)
    if loan is None or loan.status != "active" or opened > reminder.until:
        return False
    return loan.past_due > 0 if reminder.kind == "t+1" else loan.next_due == reminder.instalment_due


def next_closing(state: Borrower, rules: list[ReminderRule]) -> date | None:
    """The next date whose closing schedules a reminder."""
    dates = [
        action for loan in state.loans.values() for rule in rules if (action := _action(state, loan, rule)) is not None
    ]
    return min(dates, default=None)


def _action(state: Borrower, loan: Loan, rule: ReminderRule) -> date | None:
    due = _concerned(state, loan, rule)
    if due is None or _mark(rule, due) in loan.reminded:
        return None
    first, last = due + timedelta(days=rule.from_day - 1), due + timedelta(days=rule.to_day - 1)
    if state.as_of is not None:
        first = max(first, state.as_of + timedelta(days=1))
    return first if first <= last else None


def _concerned(state: Borrower, loan: Loan, rule: ReminderRule) -> date | None:
    """The due date that a kind of reminder is about now, if any."""
    if loan.status != "active":
        return None
    if rule.from_day <= 0:
        return loan.next_due
    worked = state.case is not None and state.case.status != "closed"
    return loan.fell_due if loan.past_due > 0 and not worked else None


def _mark(rule: ReminderRule, due: date) -> str:
    return f"{rule.kind}/{due}"
