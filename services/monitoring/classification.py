"""What a loan is classed by, as the ledger tells it, buckets, and when either may change (the classes themselves:
`shared/loan_classes.py`)."""

from datetime import date, timedelta

from services.monitoring.policy import BucketRow, bucket_rows
from shared.dated_rows import in_force
from shared.loan_classes import Marks, class_rows


def marks_of(status: str, watched_until: date | None, charged_off_on: date | None) -> Marks:
    """The marks of a loan as the ledger tells it; of one that is settled nothing is left to class."""
    if status == "settled":
        return Marks()
    return Marks(watched_until, charged_off_on is not None or status == "written-off")


def days_past_due(since: date | None, day: date) -> int:
    """Days from the due date from which arrears count to a closed `day`; 0 without arrears."""
    return max(0, (day - since).days) if since is not None else 0


def buckets_on(day: date) -> BucketRow:
    """The delinquency buckets in force on that day."""
    return in_force(bucket_rows(), day)


def bucket_of(days: int, row: BucketRow) -> str:
    """The name of the bucket that holds so many days past due."""
    return next(bucket.name for bucket in reversed(row.buckets) if days >= bucket.from_days)


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
