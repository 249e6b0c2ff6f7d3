"""What monitoring knows of one borrower. Mutable and compact, bounded in size; determinism is the rule here.

A month is counted as 12 x year + month - 1, a day by its proleptic ordinal, money in minor units, figures as decimals.
"""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from shared.calendar import days_in_month
from shared.events.monitoring import Class, Severity

ZERO = Decimal(0)
UNKNOWN = "unknown"
SEGMENT_MAX = 40
"""Characters, so that `<indicator>.<segment>` is a subject (64)."""


def month_of(day: date) -> int:
    """The month that a day lies in."""
    return day.year * 12 + day.month - 1


def month_start(month: int) -> date:
    """Its first day."""
    return date(month // 12, month % 12 + 1, 1)


def month_end(month: int) -> date:
    """Its last day."""
    year, index = divmod(month, 12)
    return date(year, index + 1, days_in_month(year, index + 1))


def month_text(month: int) -> str:
    """As people write it: 1994-03."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def segment_of(*parts: str) -> str:
    """Peer group or market: the parts joined by dots; the end of a long one is a hash, so that it stays its own."""
    whole = ".".join(parts)
    if len(whole) <= SEGMENT_MAX:
        return whole
    return f"{whole[: SEGMENT_MAX - 9].rstrip('.-')}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


class Party(msgspec.Struct, array_like=True):
    """Where the borrower belongs."""

    industry: str = UNKNOWN
    region: str = UNKNOWN
    size: str = UNKNOWN

    @property
    def segment(self) -> str:
        """The borrower's peer group."""
        return segment_of(self.industry, self.region, self.size)


class Loan(msgspec.Struct):
    """A loan as the ledger told it last."""

    loan_id: str
    currency: str = ""
    principal: int = 0
    past_due: int = 0
    since: date | None = None
    next_due: date | None = None
    status: str = "unknown"
    parked: bool = False
    as_of: date | None = None
    """Booking date of the event that told it."""
    effective: date | None = None
    """Value date of the last entry."""
    classed: Class | None = None
    classed_by: str = ""
    defaulted: bool = False
    """Those who stand by the borrower were told of this arrears."""
    restructured: int = 0
    """How often."""
    watched_until: date | None = None
    """After a restructuring; this date included."""
    charged_off_on: date | None = None
    written_off: int = 0
    """Principal that was booked as a loss so far, in minor units."""


class Day(msgspec.Struct, array_like=True):
    """The account on one day that had movements."""

    inflow: int = 0
    sales: int = 0
    returned: int = 0
    moved: bool = False
    """Whether the owner moved it: interest, fees and collected instalments do not count."""
    balance: int = 0
    """After the last movement that arrived for the day."""


class Month(msgspec.Struct, array_like=True):
    """A month whose days are summed up."""

    inflow: int = 0
    sales: int = 0
    returned: int = 0
    negative: int = 0
    """Days that ended below zero."""
    days: int = 0
    """Days that had movements."""
    figures: dict[str, tuple[Decimal, Decimal]] = {}
    """Name → (sum of what people reported, sum of what devices did)."""


class Reported(msgspec.Struct, array_like=True):
    """One figure of a period; a second report of the period replaces it."""

    value: Decimal
    device: bool = False


class Series(msgspec.Struct):
    """The account and the business over event time: single days lately, sums of months before."""

    currency: str = ""
    first: int | None = None
    """Month of the earliest movement: not a whole month."""
    days: dict[int, Day] = {}
    months: dict[int, Month] = {}
    carried: int | None = None
    """Balance at the end of the last month that is summed up."""
    summed: int | None = None
    """The last month that is summed up."""
    moved: int | None = None
    """The last day of those months on which the owner moved the account."""
    reports: dict[str, dict[int, Reported]] = {}
    """Name → first day of the period → figure."""
    units: dict[str, str] = {}
    late: dict[int, int] = {}
    """Month → the longest that an instalment was late in it, in days."""
    given_back: dict[int, int] = {}
    """Month → payments to the lender that the borrower's bank gave back in it."""


class Standing(msgspec.Struct, array_like=True):
    """An indicator's chart after some month."""

    n: int = 0
    mean: Decimal = ZERO
    squares: Decimal = ZERO
    """Sum of squared deviations from the mean (Welford)."""
    z: Decimal = ZERO
    steps: int = 0
    up: bool = False
    """In alert."""
    held: int = 99
    """Months since that changed."""
    recent: list[int] = []
    """Whether each of the last months crossed the level: 1 or 0."""
    adaptive: Decimal = ZERO
    """The level before market and clamp; frozen while in alert."""
    raised: int | None = None
    """The month that raised it."""


class Observed(msgspec.Struct, array_like=True):
    """What a month was judged by: the value (None: there was none) and the peers of that month."""

    month: int
    x: Decimal | None
    peers: int = 0
    mean: Decimal = ZERO
    variance: Decimal = ZERO
    shift: Decimal = ZERO


class Chart(msgspec.Struct):
    """One indicator of one borrower: where it stood, the months since, and where they lead."""

    before: Standing
    observed: list[Observed] = []
    now: Standing = msgspec.field(default_factory=Standing)
    level: Decimal | None = None
    """As published last."""
    figure: Decimal | None = None
    """What was compared with the level last."""
    usual_since: int | None = None
    """A person accepted what began in this month; earlier ones are nothing to compare with."""


class Alert(msgspec.Struct):
    """An alert that is open; one that ended is forgotten."""

    alert_id: str
    indicator: str
    about: str
    """Together with the indicator: what is raised only once. A loan, or empty."""
    loan_id: str | None
    severity: Severity
    status: Literal["open", "acknowledged", "snoozed", "resolved", "superseded"]
    raised_on: date
    blocks: bool
    rule: str
    reason: str
    inputs: dict[str, str | int | None]
    snoozed_until: date | None = None
    ending: Literal["resolved", "superseded"] | None = None
    """Its reason is gone, and it blocks: it ends once it is released."""
    ending_reason: str = ""


class Borrower(msgspec.Struct):
    """Everything of one borrower."""

    borrower_id: str
    party: Party = msgspec.field(default_factory=Party)
    telemetry: bool = False
    """Consent to use what devices tell."""
    relations: dict[str, str] = {}
    """Who stands by this borrower → how."""
    loans: dict[str, Loan] = {}
    series: Series = msgspec.field(default_factory=Series)
    charts: dict[str, Chart] = {}
    alerts: dict[str, Alert] = {}
    records: dict[str, int] = {}
    """Kind of public record → count."""
    told: int | None = None
    """The last month that the peers were told of."""
    judged: int | None = None
    stale: int | None = None
    """The earliest judged month that late data changed."""
    recheck: date | None = None
    """A date whose closing concerns the borrower because something arrived on it."""
    next: date | None = None
    early: list[str] = []
    """Signals, as JSON, that came before any date was known to compare their clocks with."""
