"""What each indicator looks at, a month at a time. Up is bad for all of them.

| indicator | looks at | unit | compared with |
| --- | --- | --- | --- |
| inflow-fall | what came in that was earned | fall in % | the month a year ago; else the months before |
| negative-balance | days that ended below zero | days | the borrower's and the peers' usual |
| dormancy | days since the owner moved the account | days | the same |
| returned-items | returned items and penalty interest | count | the same |
| late-trend | the longest that an instalment was late | days | the same |
| missed-season-sale | sales of a month that is a season | fall in % | the month a year ago; else the peers' season |
| machine-idle | machine hours, from devices with consent | fall in % | the month a year ago; else the months before |

The deviation from peers is taken in levels.py: where the peers' mean leaves its limits, the members' levels move.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from services.monitoring import series
from services.monitoring.state import Borrower, Series, month_end, month_text
from shared.money import currency

HUNDRED = Decimal(100)
SHOWN = Decimal("0.01")
BEFORE_MIN, BEFORE_MAX = 3, 6
"""Whole months before that stand in for last year."""
SEASON = Decimal("1.5")
"""A month is a season where it sells so many times the mean month."""


@dataclass(frozen=True, slots=True)
class Value:
    """An indicator's value in a month, and what it was computed from."""

    x: Decimal
    inputs: dict[str, str | int | None]


def shown(value: Decimal) -> str:
    """A figure as it stands in events: two decimals at most, none that is zero."""
    text = format(value.quantize(SHOWN, rounding=ROUND_HALF_EVEN), "f")
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def observe(code: str, borrower: Borrower, month: int, season: Decimal | None = None) -> Value | None:
    """The value of an indicator in a month that ended; None: it can't be told. `season`: the peers' season index."""
    if code == "missed-season-sale":
        return _missed_season(borrower.series, month, season)
    return _OBSERVE[code](borrower, month)


def _inflow_fall(borrower: Borrower, month: int) -> Value | None:
    own = borrower.series
    if own.first is None or month < own.first or series.is_silent(own, month):
        return None  # a silent month says nothing of the income: that is what dormancy is for
    exponent = currency(own.currency).exponent

    def earned(m: int) -> Decimal:
        return Decimal(series.inflow(own, m)).scaleb(-exponent)

    return _fall(earned, _first(borrower, "inflow-fall", own.first), month, _raised(borrower, "inflow-fall"))


def _machine_idle(borrower: Borrower, month: int) -> Value | None:
    own = borrower.series
    if series.figure(own, "machine-hours", month) is None:
        return None
    told = [m for m in range(month - 24, month) if series.figure(own, "machine-hours", m) is not None]
    if not told:
        return None

    def hours(m: int) -> Decimal:
        return series.figure(own, "machine-hours", m) or Decimal(0)

    return _fall(hours, _first(borrower, "machine-idle", told[0] - 1), month, _raised(borrower, "machine-idle"))


def _first(borrower: Borrower, code: str, first: int) -> int:
    """The month after which values compare: the account's first, or the one before what a person accepted as usual."""
    chart = borrower.charts.get(code)
    return first if chart is None or chart.usual_since is None else max(first, chart.usual_since - 1)


def _raised(borrower: Borrower, code: str) -> int | None:
    """The month since which the indicator is in alert."""
    chart = borrower.charts.get(code)
    return chart.now.raised if chart is not None and chart.now.up else None


def _fall(value: Callable[[int], Decimal], first: int, month: int, raised: int | None) -> Value | None:
    """By how many percent a month's value is below what it should be. Whole months begin after `first`.

    In alert since `raised`, the months from then on are nothing to compare with: the fall would become the usual.
    """
    now, year_ago = value(month), month - 12
    if raised is not None and raised <= year_ago:
        year_ago -= 12
    if year_ago > first and value(year_ago) > 0:
        reference, basis = value(year_ago), month_text(year_ago)
    else:
        end = min(month, raised) if raised is not None else month
        before = [value(m) for m in range(max(first + 1, end - BEFORE_MAX), end)]
        if len(before) < BEFORE_MIN or not sum(before):
            return None
        reference, basis = sum(before, Decimal(0)) / len(before), f"{len(before)}-months-before"
    return _shortfall(now, reference, basis)


def _shortfall(now: Decimal, reference: Decimal, basis: str) -> Value:
    x = max(-HUNDRED, min(HUNDRED, (1 - now / reference) * HUNDRED))
    inputs: dict[str, str | int | None] = {"value": shown(now), "reference": shown(reference), "basis": basis}
    return Value(x.quantize(SHOWN, rounding=ROUND_HALF_EVEN), inputs)


def _missed_season(own: Series, month: int, season: Decimal | None) -> Value | None:
    """The shortfall of a season's sales; no value in a month that is no season."""
    months = [month - 12 + n for n in range(12)]
    told = [series.sales(own, m) for m in months]
    year = sum(told, Decimal(0))
    if told[0] and (own.first is None or own.first < months[0]):
        if told[0] * 12 < SEASON * year:
            return None
        return _shortfall(series.sales(own, month), told[0], month_text(months[0]))
    known = [sold for sold in told if sold]
    if season is None or season < SEASON or len(known) < BEFORE_MIN:
        return None
    expected = sum(known, Decimal(0)) / len(known) * season
    return _shortfall(series.sales(own, month), expected, "peers-season")


def season_index(own: Series, month: int) -> Decimal | None:
    """How many times the mean month of the year that it ends this month sold; None: the year is not known."""
    told = [series.sales(own, m) for m in range(month - 11, month + 1)]
    year = sum(told, Decimal(0))
    if not year or (own.first is not None and own.first > month - 12):
        return None
    return (told[-1] * 12 / year).quantize(SHOWN, rounding=ROUND_HALF_EVEN)


def _negative_balance(borrower: Borrower, month: int) -> Value | None:
    days = series.negative_days(borrower.series, month) if borrower.series.first is not None else None
    return None if days is None else Value(Decimal(days), {"days-below-zero": days})


def _dormancy(borrower: Borrower, month: int) -> Value | None:
    days = series.quiet_days(borrower.series, month_end(month))
    return None if days is None else Value(Decimal(days), {"days-since-moved": days})


def _returned_items(borrower: Borrower, month: int) -> Value | None:
    known = [] if borrower.series.first is None else [borrower.series.first]
    if month < min([*known, *borrower.series.given_back], default=month + 1):
        return None
    count = series.returned(borrower.series, month)
    return Value(Decimal(count), {"items": count})


def _late_trend(borrower: Borrower, month: int) -> Value | None:
    """The longest that an instalment was late in the month; 0 with a loan and nothing late."""
    if not borrower.loans and month not in borrower.series.late:
        return None
    days = borrower.series.late.get(month, 0)
    return Value(Decimal(days), {"days-late": days})


_OBSERVE: dict[str, Callable[[Borrower, int], Value | None]] = {
    "inflow-fall": _inflow_fall,
    "negative-balance": _negative_balance,
    "dormancy": _dormancy,
    "returned-items": _returned_items,
    "late-trend": _late_trend,
    "machine-idle": _machine_idle,
}
CODES = frozenset(_OBSERVE) | {"missed-season-sale"}
"""Every adaptive indicator that a policy may name."""
