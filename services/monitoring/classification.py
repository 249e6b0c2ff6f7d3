"""Five classes of loans, by days past due and by how a loan stands, and buckets; each by the policy row of its date."""

from datetime import date, timedelta
from typing import NamedTuple

from services.monitoring.policy import CLASSES, BucketRow, ClassRow, bucket_rows, class_rows, in_force
from shared.events.monitoring import Class, Trigger


class Marks(NamedTuple):
    """What a loan is classed by besides days past due. `watched_until`: for a restructuring, this date included."""

    watched_until: date | None = None
    charged_off: bool = False


class Classed(NamedTuple):
    """A class, and what gave it if not days past due alone."""

    name: Class
    trigger: Trigger | None = None


def marks_of(status: str, watched_until: date | None, charged_off_on: date | None) -> Marks:
    """The marks of a loan as the ledger tells it; of one that is settled nothing is left to class."""
    if status == "settled":
        return Marks()
    return Marks(watched_until, charged_off_on is not None or status == "written-off")


def days_past_due(since: date | None, day: date) -> int:
    """Days from the due date from which arrears count to a closed `day`; 0 without arrears."""
    return max(0, (day - since).days) if since is not None else 0


def row_on(day: date) -> ClassRow:
    """The classes in force on that day."""
    return in_force(class_rows(), day)


def buckets_on(day: date) -> BucketRow:
    """The delinquency buckets in force on that day."""
    return in_force(bucket_rows(), day)


def bucket_of(days: int, row: BucketRow) -> str:
    """The name of the bucket that holds so many days past due."""
    return next(bucket.name for bucket in reversed(row.buckets) if days >= bucket.from_days)


def class_of(days: int, row: ClassRow) -> Class:
    """The worst class whose boundary the days past due exceed."""
    found: Class = CLASSES[0]
    for name in CLASSES[1:]:
        if days > row.more_than[name]:
            found = name
    return found


def classed(days: int, row: ClassRow, marks: Marks, day: date) -> Classed:
    """The worst class that days past due or a mark give on `day`; a mark is its trigger if days give a better one."""
    found = Classed(class_of(days, row))
    least = row.restructured_at_least
    if least is not None and marks.watched_until is not None and day <= marks.watched_until:
        found = _worse(found, Classed(least, "restructured"))
    return _worse(found, Classed(row.charged_off, "charged-off")) if marks.charged_off else found


def _worse(one: Classed, other: Classed) -> Classed:
    return other if CLASSES.index(other.name) > CLASSES.index(one.name) else one


def non_performing(name: Class, row: ClassRow) -> bool:
    """Whether a loan of that class counts as non-performing."""
    return name in row.non_performing


def next_crossing(since: date, day: date, bounds: tuple[int, ...]) -> date | None:
    """The first date after `day` on which the days past due exceed one more of `bounds`."""
    later = (since + timedelta(days=bound + 1) for bound in bounds)
    return min((crossing for crossing in later if crossing > day), default=None)


def next_of_watch(until: date, day: date) -> date | None:
    """The first date after `day` on which a watch that lasts through `until` may change a class: it is over, or another
    row is in force."""
    changes = [row.start for row in class_rows() if row.start <= until]
    if until < date.max:
        changes.append(until + timedelta(days=1))
    return min((change for change in changes if change > day), default=None)
