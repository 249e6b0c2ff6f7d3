"""What people do with alerts, as rules: pure decisions on an alert's row and on actions that are on their way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from shared.errors import Refusal
from shared.events.monitoring import Action

SNOOZE_DAYS_MAX = 90
"""Longer than a quarter nobody looks away: then the level is wrong, or the alert is no alert."""
Kind = Literal["acknowledge", "snooze", "release", "resolve"]


class UnknownAlert(Refusal):
    """There is no such alert."""

    status = 404


class AlertEnded(Refusal):
    """The alert was resolved or superseded."""

    status = 409


class AlertAlreadyAcknowledged(Refusal):
    """Somebody takes care of the alert already."""

    status = 409


class AlertAlreadySnoozed(Refusal):
    """The alert is snoozed already."""

    status = 409


class AlertDoesNotBlock(Refusal):
    """The alert blocks nothing: it is not red, or was released."""

    status = 409


class AlertStillBlocks(Refusal):
    """A red alert is resolved after a named person released it."""

    status = 409


class HardLevelStands(Refusal):
    """The level of days past due never adapts: the alert ends when the loan is paid up."""

    status = 409


class SnoozeNotAhead(Refusal):
    """A snooze ends on a date that is still to come."""


class SnoozeTooLong(Refusal):
    """A snooze is longer than a person may look away."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An action that was accepted, and that the worker has not taken in yet."""

    event_id: str
    action: Kind
    by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as it is once all accepted actions are taken in. `by`: who acted last."""

    indicator: str
    status: str
    blocks: bool
    by: str | None


def standing(row: dict[str, Any], pending: Sequence[Pending]) -> Standing:
    """The worker's row of an alert, with the actions on top that it does not show yet."""
    status, blocks, by = row["status"], row["blocks"], row["by"]
    after = {"acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved"}
    for one in pending:
        status, by = after.get(one.action, status), one.by
        if one.action == "release":
            blocks = False
            status = row["ends_with_release"] or status
    return Standing(row["indicator"], status, blocks, by)


def decide(alert: Standing, action: Action, *, today: date | None) -> Action:
    """The action, or the refusal that names the rule it breaks."""
    if alert.status in ("resolved", "superseded"):
        raise AlertEnded(f"The alert is {alert.status}{_by(alert)}.")
    match action.action:
        case "acknowledge":
            if alert.status == "acknowledged":
                raise AlertAlreadyAcknowledged(f"The alert is acknowledged{_by(alert)}.")
        case "snooze":
            _check_snooze(alert, action.until, today)
        case "release":
            if not alert.blocks:
                raise AlertDoesNotBlock(f"The alert blocks nothing{_by(alert, ': it was released')}.")
        case "resolve":
            if alert.blocks:
                raise AlertStillBlocks("The alert is red and blocks; release it first.")
            if alert.indicator == "days-past-due":
                raise HardLevelStands("It ends by itself when nothing is past due any more; snooze it meanwhile.")
    return action


def _check_snooze(alert: Standing, until: date | None, today: date | None) -> None:
    if alert.status == "snoozed":
        raise AlertAlreadySnoozed(f"The alert is snoozed{_by(alert)}.")
    if until is None or today is None or until <= today:
        raise SnoozeNotAhead(f"{until} is not after {today}, which is open.", field="until")
    if until > today + timedelta(days=SNOOZE_DAYS_MAX):
        raise SnoozeTooLong(f"At most {SNOOZE_DAYS_MAX} days from {today}.", field="until")


def _by(alert: Standing, words: str = "") -> str:
    return f"{words} by {alert.by}" if alert.by else ""
