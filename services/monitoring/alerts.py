"""An alert's life: raised once for what it is about, escalated, acknowledged, snoozed, released, resolved, superseded.

A red alert blocks from the moment it becomes red until a named person releases it. If its reason goes before, it stays
open and ends with the release: figures that change do not lift a block.
"""

from datetime import date
from typing import Literal

from services.monitoring.policy import SEVERITIES
from services.monitoring.state import Alert, Borrower
from shared.events import monitoring
from shared.events.envelope import Envelope
from shared.events.monitoring import Action, Inputs, Severity
from shared.streams.fold import Context

TOPIC = "monitoring.alerts.v1"
Ending = Literal["resolved", "superseded"]


def find(borrower: Borrower, indicator: str, about: str = "") -> Alert | None:
    """The open alert of an indicator about something."""
    found = (alert for alert in borrower.alerts.values() if (alert.indicator, alert.about) == (indicator, about))
    return next(found, None)


def find_any(borrower: Borrower, indicator: str) -> bool:
    """Whether an alert of the indicator is open, whatever it is about."""
    return any(alert.indicator == indicator for alert in borrower.alerts.values())


def raise_alert(
    borrower: Borrower,
    context: Context,
    *,
    indicator: str,
    severity: Severity,
    day: date,
    reason: str,
    rule: str,
    inputs: Inputs,
    about: str = "",
    loan_id: str | None = None,
) -> Alert:
    """Raise an alert, or make the open one of the same indicator and loan more severe; never less."""
    known = find(borrower, indicator, about)
    if known is not None:
        if known.ending is not None:
            known.ending, known.reason = None, reason[:300]
            _put(borrower, context, known, None)
        if SEVERITIES.index(severity) > SEVERITIES.index(known.severity):
            _escalate(borrower, context, known, severity, reason, rule, inputs)
        return known
    alert = Alert(
        alert_id=context.next_id(),
        indicator=indicator,
        about=about,
        loan_id=loan_id,
        severity=severity,
        status="open",
        raised_on=day,
        blocks=severity == "red",
        rule=rule,
        reason=reason[:300],
        inputs=inputs,
    )
    borrower.alerts[alert.alert_id] = alert
    _tell(borrower, context, alert, monitoring.AlertRaised, reason)
    return alert


def _escalate(
    borrower: Borrower, context: Context, alert: Alert, severity: Severity, reason: str, rule: str, inputs: Inputs
) -> None:
    alert.severity, alert.reason, alert.rule, alert.inputs = severity, reason[:300], rule, inputs
    alert.blocks = alert.blocks or severity == "red"
    if alert.status == "snoozed":
        alert.status, alert.snoozed_until = "open", None
    _tell(borrower, context, alert, monitoring.AlertEscalated, reason)


def end(borrower: Borrower, context: Context, alert: Alert, ending: Ending, reason: str, by: str | None = None) -> None:
    """Its reason is gone (resolved), or should not have been one (superseded); while it blocks that waits."""
    if alert.blocks:
        if alert.ending is None:
            alert.ending, alert.ending_reason = ending, reason[:300]
            _put(borrower, context, alert, None)
        return
    alert.status, alert.snoozed_until = ending, None
    kind = monitoring.AlertResolved if ending == "resolved" else monitoring.AlertSuperseded
    _tell(borrower, context, alert, kind, reason, by)
    del borrower.alerts[alert.alert_id]


def act(borrower: Borrower, context: Context, action: Action) -> Alert | None:
    """What a person does. The API refused what can't be done; what is out of date by now changes nothing."""
    alert = borrower.alerts.get(action.alert_id)
    if alert is None:
        return None
    if action.action == "release" and alert.blocks:
        alert.blocks = False
        _tell(borrower, context, alert, monitoring.AlertReleased, action.reason, action.by)
        if alert.ending is not None:
            end(borrower, context, alert, alert.ending, alert.ending_reason)
    elif action.action == "resolve" and not alert.blocks:
        end(borrower, context, alert, "resolved", action.reason, action.by)
    elif action.action == "acknowledge" and alert.status in ("open", "snoozed"):
        alert.status, alert.snoozed_until = "acknowledged", None
        _tell(borrower, context, alert, monitoring.AlertAcknowledged, action.reason, action.by)
    elif action.action == "snooze" and action.until is not None:
        alert.status, alert.snoozed_until = "snoozed", action.until
        _tell(borrower, context, alert, monitoring.AlertSnoozed, action.reason, action.by)
    else:
        return None
    return alert


def wake(borrower: Borrower, context: Context, day: date) -> None:
    """Alerts whose snooze ends are open again. No event says so: the date stands in AlertSnoozed."""
    for alert in borrower.alerts.values():
        if alert.status == "snoozed" and alert.snoozed_until is not None and alert.snoozed_until <= day:
            alert.status, alert.snoozed_until = "open", None
            _put(borrower, context, alert, None)


def next_waking(borrower: Borrower) -> date | None:
    """The next date on which a snooze ends."""
    return min((a.snoozed_until for a in borrower.alerts.values() if a.snoozed_until is not None), default=None)


def _tell(
    borrower: Borrower, context: Context, alert: Alert, kind: type[Envelope], reason: str, by: str | None = None
) -> None:
    data = monitoring.Alert(
        alert_id=alert.alert_id,
        borrower_id=borrower.borrower_id,
        loan_id=alert.loan_id,
        indicator=alert.indicator,
        severity=alert.severity,
        status=alert.status,
        raised_on=alert.raised_on,
        blocks=alert.blocks,
        snoozed_until=alert.snoozed_until,
        by=by,
        reason=reason[:300],
        rule=alert.rule,
        inputs=alert.inputs,
    )
    event_id = context.emit(TOPIC, borrower.borrower_id, kind, data)
    _put(borrower, context, alert, by)
    cause = context.cause
    assert cause is not None
    context.put(
        "alert_event",
        event_id,
        alert.alert_id,
        borrower.borrower_id,
        kind.model_fields["type"].default,
        data.model_dump_json(exclude_none=True),
        context.today,
        cause.id,
    )


def _put(borrower: Borrower, context: Context, alert: Alert, by: str | None) -> None:
    context.put(
        "alert",
        alert.alert_id,
        borrower.borrower_id,
        alert.loan_id,
        alert.indicator,
        alert.severity,
        alert.status,
        alert.raised_on,
        alert.blocks,
        alert.snoozed_until,
        by,
        alert.reason,
        alert.rule,
        alert.ending,
    )
