"""What monitoring derives: alerts and classes (`monitoring.alerts.v1`), levels (`monitoring.thresholds.v1`); and what
people do with alerts (`monitoring.inbox.v1`)."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import BorrowerId, Data, Envelope, EventId, LoanId
from shared.events.parties import Code
from shared.events.signals import Figure

Severity = Literal["yellow", "orange", "red"]
Class = Literal["normal", "special-mention", "substandard", "doubtful", "loss"]
Trigger = Literal["restructured", "charged-off"]
"""What gives a class where days past due alone would give a better one."""
SignalRule = Literal["clock-too-far", "unit-changed", "no-consent", "period-reversed"]
"""Why a signal can't count."""
AlertId = EventId
"""The id of the event that raised the alert."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Segment = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,40}$")]
"""Peer group, `<industry>.<region>.<size>`, or market, `<industry>.<region>`; the end of a long one is a hash."""
Inputs = dict[Code, str | int | None]
"""What a rule looked at, by name; figures are decimal strings."""


class Alert(Data):
    """The whole alert as it stands after the event."""

    alert_id: AlertId
    borrower_id: BorrowerId
    loan_id: LoanId | None = None
    indicator: Code
    severity: Severity
    status: Literal["open", "acknowledged", "snoozed", "resolved", "superseded"]
    raised_on: date
    blocks: bool
    """A red alert blocks tranche, top-up and disbursement until a named person releases it, and ends only then."""
    snoozed_until: date | None = None
    by: Name | None = None
    """Who acted; None: the rules did."""
    reason: Reason
    rule: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    inputs: Inputs


class AlertRaised(Envelope):
    """An indicator crossed its level."""

    type: Literal["monitoring.AlertRaised.v1"] = "monitoring.AlertRaised.v1"
    data: Alert


class AlertEscalated(Envelope):
    """An open alert became more severe."""

    type: Literal["monitoring.AlertEscalated.v1"] = "monitoring.AlertEscalated.v1"
    data: Alert


class AlertAcknowledged(Envelope):
    """A person takes care of it."""

    type: Literal["monitoring.AlertAcknowledged.v1"] = "monitoring.AlertAcknowledged.v1"
    data: Alert


class AlertSnoozed(Envelope):
    """It is quiet until a date, unless it becomes more severe."""

    type: Literal["monitoring.AlertSnoozed.v1"] = "monitoring.AlertSnoozed.v1"
    data: Alert


class AlertReleased(Envelope):
    """A named person lifted the block of a red alert."""

    type: Literal["monitoring.AlertReleased.v1"] = "monitoring.AlertReleased.v1"
    data: Alert


class AlertResolved(Envelope):
    """The reason is gone, or a person closed it."""

    type: Literal["monitoring.AlertResolved.v1"] = "monitoring.AlertResolved.v1"
    data: Alert


class AlertSuperseded(Envelope):
    """A later figure showed that it should not have been raised, or another alert stands for it."""

    type: Literal["monitoring.AlertSuperseded.v1"] = "monitoring.AlertSuperseded.v1"
    data: Alert


class Action(Data):
    """What a person does with an alert."""

    alert_id: AlertId
    action: Literal["acknowledge", "snooze", "release", "resolve"]
    by: Name
    reason: Reason
    until: date | None = None


class AlertActionTaken(Envelope):
    """A person acted on an alert; on monitoring's inbox, key = borrower id."""

    type: Literal["monitoring.AlertActionTaken.v1"] = "monitoring.AlertActionTaken.v1"
    data: Action


class Level(Data):
    """The level of one indicator changed, for one borrower or a whole peer group. `floor` and `ceiling` never adapt."""

    borrower_id: BorrowerId | None = None
    """None: the group's mean left its limits, and `new` is by how much the levels of its members move."""
    indicator: Code
    segment: Segment
    old: Figure | None = None
    new: Figure
    floor: Figure | None = None
    ceiling: Figure | None = None
    unit: Annotated[str, StringConstraints(max_length=20)]
    as_of: date
    reason: Reason
    rule: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    inputs: Inputs


class LevelChanged(Envelope):
    """A threshold moved; key and subject = `<indicator>.<segment>`."""

    type: Literal["monitoring.LevelChanged.v1"] = "monitoring.LevelChanged.v1"
    data: Level


class Classification(Data):
    """A loan's risk class by the policy row in force. `trigger`: absent where days past due alone give the class."""

    borrower_id: BorrowerId
    loan_id: LoanId
    old: Class | None = None
    new: Class
    days_past_due: Annotated[int, Field(ge=0, strict=True)]
    as_of: date
    policy: Annotated[str, StringConstraints(max_length=100)]
    trigger: Trigger | None = None


class LoanClassified(Envelope):
    """A loan moved to another class; key = borrower id."""

    type: Literal["monitoring.LoanClassified.v1"] = "monitoring.LoanClassified.v1"
    data: Classification


class SetAside(Data):
    """A signal that can't count: its clock, its unit, or a consent that is missing."""

    borrower_id: BorrowerId | None = None
    """None: a market's value."""
    signal_id: EventId
    reason: Reason
    rule: SignalRule


class SignalSetAside(Envelope):
    """A signal was kept and not counted; key = borrower id (a market's value: its segment)."""

    type: Literal["monitoring.SignalSetAside.v1"] = "monitoring.SignalSetAside.v1"
    data: SetAside


class MemberDefault(Data):
    """A member of the borrower's joint-liability group, or a borrower whom this one guarantees, defaulted."""

    member: BorrowerId
    loan_id: LoanId
    relation: Literal["guarantor", "group-member"]
    days_past_due: Annotated[int, Field(ge=0, strict=True)]
    as_of: date


class MemberDefaulted(Envelope):
    """To each who stands by a borrower that defaulted; on monitoring's inbox, key = that other borrower's id."""

    type: Literal["monitoring.MemberDefaulted.v1"] = "monitoring.MemberDefaulted.v1"
    data: MemberDefault
