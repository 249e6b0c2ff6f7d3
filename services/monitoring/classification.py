"""Five classes of loans by days past due, each by the policy row of its date."""

from datetime import date, timedelta

from services.monitoring.policy import CLASSES, ClassRow, class_rows, in_force
from shared.events.monitoring import Class


def days_past_due(since: date | None, day: date) -> int:
    """Days from the due date from which arrears count to a closed `day`; 0 without arrears."""
    return max(0, (day - since).days) if since is not None else 0


def row_on(day: date) -> ClassRow:
    """The classes in force on that day."""
    return in_force(class_rows(), day)


def class_of(days: int, row: ClassRow) -> Class:
    """The worst class whose boundary the days past due exceed."""
    found: Class = CLASSES[0]
    for name in CLASSES[1:]:
        if days > row.more_than[name]:
            found = name
    return found


def non_performing(name: Class, row: ClassRow) -> bool:
    """Whether a loan of that class counts as non-performing."""
    return name in row.non_performing


def next_crossing(since: date, day: date, bounds: tuple[int, ...]) -> date | None:
    """The first date after `day` on which the days past due exceed one more of `bounds`."""
    later = (since + timedelta(days=bound + 1) for bound in bounds)
    return min((crossing for crossing in later if crossing > day), default=None)
