"""Collections as a fold over its inbox: which event changes what of a borrower, what follows, and the readings."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from services.collections import case, party, promises, readings, reminders
from services.collections.state import Borrower, Loan, Stop
from services.collections.strategy import Strategy, strategy_on
from services.collections.telling import note, remind, settle, snapshot, tell_promise
from shared.errors import InvariantBroken, Refusal
from shared.events import collections as events
from shared.events import ledger, monitoring
from shared.events.envelope import Envelope
from shared.money import minor_units
from shared.streams.fold import Context, Row

TAKES_IN: Final = (
    ledger.EntryPosted,
    ledger.InstalmentFellDue,
    ledger.LoanParked,
    ledger.LoanUnparked,
    *party.EVENTS,
    monitoring.AlertRaised,
    monitoring.AlertEscalated,
    monitoring.AlertAcknowledged,
    monitoring.AlertSnoozed,
    monitoring.AlertReleased,
    monitoring.AlertResolved,
    monitoring.AlertSuperseded,
    events.PromiseRecorded,
    events.PromiseWithdrawn,
    events.StopSet,
    events.StopLifted,
    events.CaseTaken,
    events.CaseGivenBack,
    events.ContactReserved,
    events.ContactConcluded,
)
STRATEGY_BEFORE_THE_BOOK = date(2000, 1, 1)
"""Whose rules hold until the ledger has told a date: only promises ask, and none is made before the book is open."""
ENDED = ("resolved", "superseded")


class CollectionsFold:
    """Implements `shared.streams.fold.Fold`."""

    service = "collections"
    events: Mapping[str, type[Envelope]] = MappingProxyType(
        {model.model_fields["type"].default: model for model in TAKES_IN}
    )
    state_type = Borrower
    group_type = dict
    tables = readings.TABLES
    history = readings.HISTORY

    def new_state(self, subject: str) -> Borrower:
        """Nothing is known yet."""
        return Borrower(subject)

    def new_group(self) -> dict[str, str]:
        """Borrowers share nothing here."""
        return {}

    def concerns_group(self, event: Any) -> bool:  # noqa: ARG002 - the protocol's
        """No event concerns more than one borrower."""
        return False

    def apply_to_group(self, event: Any, context: Context) -> None:
        """None comes here."""

    def close_group(self, day: date, context: Context) -> None:
        """Nothing to do."""

    def apply(self, state: Borrower, event: Any, context: Context) -> None:
        """Take in what the event says, then look at the case as of the last closed date."""
        _take_in(state, event, context)
        if context.today is not None:
            settle(state, context.today - timedelta(days=1), context)

    def close(self, state: Borrower, day: date, context: Context) -> None:
        """Judge promises, schedule reminders of the day that opens, move the case."""
        strategy = strategy_on(day)
        for promise in promises.judge(state, day, strategy.promises):
            tell_promise(state, promise, context)
        for loan, rule, due in list(reminders.schedule(state, day, strategy.reminders)):
            remind(state, loan, rule, due, day + timedelta(days=1), context)
        settle(state, day, context)

    def next_action(self, state: Borrower) -> date | None:
        """The next date whose closing judges, reminds or moves a step."""
        strategy = _strategy_for(state)
        dates = (case.next_closing(state, strategy), reminders.next_closing(state, strategy.reminders))
        return min((day for day in dates if day is not None), default=None)

    def rows(self, state: Borrower) -> Mapping[str, Sequence[Row]]:
        """The borrower's rows of `tables`."""
        return readings.rows(state)


def _strategy_for(state: Borrower) -> Strategy:
    return strategy_on(state.as_of or STRATEGY_BEFORE_THE_BOOK)


# What an event says ---------------------------------------------------------------------------------------------------


def _take_in(state: Borrower, event: Any, context: Context) -> None:
    """Raises InvariantBroken where an amount can't be what it says."""
    try:
        _take(state, event, context)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal


def _take(state: Borrower, event: Any, context: Context) -> None:
    match event:
        case ledger.EntryPosted() | ledger.InstalmentFellDue():
            _take_entry(state, event, context)
        case ledger.LoanParked() | ledger.LoanUnparked():
            _loan(state, event.data.loan_id).parked = isinstance(event, ledger.LoanParked)
        case events.PromiseRecorded():
            _take_promise(state, event, context)
        case events.PromiseWithdrawn():
            _withdraw(state, event.data, context)
        case events.StopSet():
            _lift(state, event.data)
            state.stops.append(Stop(event.data.kind, event.data.loan_id, event.data.by, event.data.reason))
        case events.StopLifted():
            _lift(state, event.data)
        case events.CaseTaken() | events.CaseGivenBack():
            _take_lease(state, event, context)
        case events.ContactReserved() | events.ContactConcluded():
            _take_contact(event.data, context)
        case _ if event.type.startswith("monitoring."):
            _take_alert(state, event.data)
        case _:
            party.take_in(state, event)


def _loan(state: Borrower, loan_id: str) -> Loan:
    return state.loans.setdefault(loan_id, Loan(loan_id))


def _take_entry(state: Borrower, event: Any, context: Context) -> None:
    entry: ledger.Entry = event.data
    loan, account, code = _loan(state, entry.loan_id), entry.account, entry.currency
    if isinstance(event, ledger.InstalmentFellDue):
        loan.fell_due = loan.next_due if loan.next_due not in (None, account.next_due_date) else entry.booking_date
    loan.status, loan.next_due, loan.past_due_since = account.status, account.next_due_date, account.past_due_since
    if code is not None:
        loan.currency = code
        loan.past_due = minor_units(account.past_due, code)
        loan.debt = minor_units(account.principal_outstanding, code) + minor_units(account.interest_due, code)
        loan.in_suspense = minor_units(account.in_suspense, code)
    for promise in promises.receive(state, entry, _strategy_for(state).promises):
        tell_promise(state, promise, context)


def _take_alert(state: Borrower, alert: monitoring.Alert) -> None:
    if alert.status in ENDED:
        state.alerts.pop(alert.alert_id, None)
    else:
        state.alerts[alert.alert_id] = alert.severity


def _take_promise(state: Borrower, event: Any, context: Context) -> None:
    command: events.PromiseCommand = event.data
    on = context.today or command.due_date
    promise = promises.recorded(event.id, command, on=on, rule=_strategy_for(state).promises)
    state.promises.append(promise)
    loan = state.loans.get(command.loan_id)
    if loan is None or loan.currency != command.currency:
        promise.status, promise.reason = "cancelled", "not a loan of this borrower in this currency"
    tell_promise(state, promise, context)


def _withdraw(state: Borrower, withdrawal: events.PromiseWithdrawal, context: Context) -> None:
    for promise in state.active_promises():
        if promise.promise_id == withdrawal.promise_id:
            promise.status, promise.reason = "cancelled", withdrawal.reason
            tell_promise(state, promise, context)


def _lift(state: Borrower, stop: events.Stop) -> None:
    """Take away the stop of this kind and loan, if there is one."""
    state.stops = [one for one in state.stops if (one.kind, one.loan_id) != (stop.kind, stop.loan_id)]


def _take_lease(state: Borrower, event: Any, context: Context) -> None:
    lease: events.Lease = event.data
    if state.case is None or state.case.case_id != lease.case_id:
        return
    taken = isinstance(event, events.CaseTaken)
    state.case.taken_by = lease.by if taken else None
    reason = f"taken by {lease.by}" if taken else f"given back by {lease.by}: {lease.skipped or 'done'}"
    note(state, event.id, event.type, reason, context)
    snapshot(state, context)


def _take_contact(contact: events.Contact, context: Context) -> None:
    at = datetime.fromisoformat(contact.at)
    context.put(
        "contact_log",
        *(contact.contact_id, contact.borrower_id, at, contact.channel, contact.purpose, contact.outcome),
        *(contact.loan_id, contact.about, contact.by, contact.policy, contact.detail),
    )
