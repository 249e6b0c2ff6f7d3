"""Which signals count. One that can't is kept (it stands on the inbox), named and counted, and harms nobody."""

from datetime import date, timedelta

from services.monitoring import series
from services.monitoring.state import Borrower
from shared.events.monitoring import SignalRule
from shared.events.signals import Figures, Movement, PublicRecord
from shared.money import CURRENCIES

AHEAD_DAYS_MAX = 400
"""A signal may come before its date is open: signals and ledger reach the inbox on their own ways, and a ledger whose
dates are closed late is behind the calendar. A clock that is off by years is none of that."""
BEHIND_DAYS_MAX = 800
"""26 months: older than any comparison looks."""
USED_FIGURES = ("sales", "machine-hours")
"""Figures that an indicator looks at; others stand on the inbox."""


class NotCounted(Exception):
    """The signal can't count: by which rule, and why."""

    def __init__(self, rule: SignalRule, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


def check_clock(observed: date, today: date) -> None:
    """Raise NotCounted where the day of observation can't be."""
    if observed > today + timedelta(days=AHEAD_DAYS_MAX) or observed < today - timedelta(days=BEHIND_DAYS_MAX):
        raise NotCounted("clock-too-far", f"observed on {observed}, while {today} is open")


def take_movement(borrower: Borrower, data: Movement, today: date) -> int:
    """Take in a movement; returns its month. Raises NotCounted."""
    check_clock(data.observed_on, today)
    own = borrower.series.currency
    if data.currency not in CURRENCIES or (own and data.currency != own):
        raise NotCounted("unit-changed", f"a movement in {data.currency}, the account is in {own or 'no currency yet'}")
    amount, balance = series.minor(data.amount, data.currency), series.minor(data.balance, data.currency)
    if amount is None or balance is None:
        raise NotCounted("unit-changed", f"{data.amount} or {data.balance} is no amount of {data.currency}")
    borrower.series.currency = data.currency
    return series.take_movement(borrower.series, data, amount, balance)


def take_figure(borrower: Borrower, data: Figures, today: date) -> int | None:
    """Take in a figure of the business; returns its month, or None if no indicator looks at it. Raises NotCounted."""
    check_clock(data.observed_on, today)
    check_clock(data.period_start, today)
    if data.period_start > data.observed_on:
        raise NotCounted("period-reversed", f"a period from {data.period_start}, observed on {data.observed_on}")
    if data.device and not borrower.telemetry:
        raise NotCounted("no-consent", "a device told it, and there is no consent to telemetry")
    if data.name not in USED_FIGURES:
        return None
    unit = borrower.series.units.get(data.name, data.unit)
    if unit != data.unit:
        raise NotCounted("unit-changed", f"{data.name} in {data.unit}, before in {unit}")
    month = series.take_figure(borrower.series, data)
    if month is None:
        raise NotCounted("clock-too-far", f"{data.name} from {data.period_start}: that month is summed up")
    borrower.series.units[data.name] = unit
    return month


def check_record(data: PublicRecord, today: date) -> None:
    """Raise NotCounted where a public record can't count."""
    check_clock(data.observed_on, today)
