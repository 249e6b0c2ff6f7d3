"""What callers send."""

from pydantic import Field

from shared.api import Body, Day
from shared.events.monitoring import Name, Reason


class ActionBody(Body):
    """Why. `by` is the person who acts; without it, the holder of the token."""

    reason: Reason
    by: Name | None = None


class SnoozeBody(ActionBody):
    """Until when it is quiet; it is open again once that date is closed."""

    until: Day


class ReleaseBody(Body):
    """Who lifts the block, by name, and why."""

    by: Name = Field(min_length=2)
    reason: Reason
