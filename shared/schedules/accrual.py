"""How much interest a stretch of days earns: exact fractions of a year, and spans in which a balance stands still."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from shared.calendar import Unit, days_30_360
from shared.events.terms import Terms
from shared.schedules.dates import Period, back

Factor = tuple[int, int]
"""Interest per unit of balance as a fraction: (numerator, denominator)."""

LEAP, COMMON = 366, 365
_BASIS = {"actual/360": 360, "actual/364": 364, "actual/365": 365}


class Rate(NamedTuple):
    """An annual rate, numerator / scale, that holds from a date on."""

    since: date
    numerator: int
    scale: int


class Span(NamedTuple):
    """`added` is put on the balance, which then bears numerator / denominator of itself as interest, rounded once."""

    added: int
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Counting:
    """How the days of a loan count. `year_days`: the length of every year under the rule `disbursement-year`."""

    day_count: str
    unit: Unit
    every: int
    in_proportion: bool
    whole: Factor
    year_days: int | None


@lru_cache(maxsize=4096)
def exact_rate(text: str) -> tuple[int, int]:
    """A rate as numerator and power of ten: "0.12" is (12, 100)."""
    whole, _, decimals = text.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def year_length(year: int) -> int:
    """365 or 366 days."""
    return LEAP if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else COMMON


def counting(terms: Terms, first_disbursed: date) -> Counting:
    """The counting that the terms ask for.

    Equal periods, and a progressive schedule's 30/360, count periods: one that is cut or stretched counts in proportion
    to the actual days of a whole one.
    """
    proportional = terms.day_count == "equal-periods" or (
        terms.day_count == "30/360" and terms.schedule == "progressive"
    )
    year = first_disbursed.year if terms.year_rule == "disbursement-year" else 0
    return _counting(terms.day_count, terms.unit, terms.every, proportional, year)


@lru_cache(maxsize=1024)
def _counting(day_count: str, unit: Unit, every: int, proportional: bool, year: int) -> Counting:
    if unit == "month":
        whole = (every, 12)
    elif day_count == "equal-periods":
        whole = (every, 52) if unit == "week" else (every, 365)
    else:
        whole = (every * (7 if unit == "week" else 1), 360)
    return Counting(day_count, unit, every, proportional, whole, year_length(year) if year else None)


def of_year(rule: Counting, period: Period, start: date, end: date) -> Factor:
    """What part of a year [start, end) is; it lies in `period`."""
    if rule.in_proportion:
        if start == period.whole and end == period.end:
            return rule.whole
        if period.start < period.whole:  # stretched: counted from its start, so that its parts add up to the whole
            number, of = _periods_after(rule, period.start, end)
            if start != period.start:
                other, of_other = _periods_after(rule, period.start, start)
                number, of = number * of_other - other * of, of * of_other
        else:
            number, of = _periods_before(rule, period, start)
            if end != period.end:
                other, of_other = _periods_before(rule, period, end)
                number, of = number * of_other - other * of, of * of_other
        return number * rule.whole[0], of * rule.whole[1]
    if rule.day_count == "30/360":
        if rule.unit == "month" and start == period.whole and end == period.end:
            return 30 * rule.every, 360
        return days_30_360(start, end), 360
    days = (end - start).days
    if rule.day_count != "actual/actual":
        return days, _BASIS[rule.day_count]
    if rule.year_days is not None:
        return days, rule.year_days
    if start.year == end.year:
        return days, year_length(start.year)
    leap = sum(
        (min(end, date(year, 12, 31)) - max(start, date(year, 1, 1))).days + (year < end.year)
        for year in range(start.year, end.year + 1)
        if year_length(year) == LEAP
    )
    return leap * COMMON + (days - leap) * LEAP, LEAP * COMMON


def _periods_before(rule: Counting, period: Period, day: date) -> Factor:
    """How many periods lie between `day` and the period's end, whole ones counted back from it."""
    count, late, early = 0, period.end, period.whole
    while day < early:
        count += 1
        late = early
        try:
            early = back(period.end, count + 1, rule.every, rule.unit)
        except OverflowError:
            early = date.min
    size = (late - early).days or 1
    return count * size + (late - day).days, size


def _periods_after(rule: Counting, start: date, end: date) -> Factor:
    """How many periods a stretched one holds: whole ones from its start, its last days over the next one's."""
    count, early, late = -1, start, start
    while late <= end:
        count, early = count + 1, late
        try:
            late = back(start, -count - 1, rule.every, rule.unit)
        except OverflowError:
            late = date.max
    size = (late - early).days
    return count * size + (end - early).days, size


def rate_on(rates: Sequence[Rate], day: date) -> Rate:
    """The last rate that holds on the day."""
    found = rates[0]
    for rate in rates:
        if rate.since > day:
            break
        found = rate
    return found


def spans(
    rule: Counting,
    period: Period,
    rates: Sequence[Rate],
    moves: Sequence[tuple[date, int]],
    *,
    free: bool = False,
    until: date | None = None,
) -> tuple[Span, ...]:
    """The period cut where the balance moves (`moves`: day and amount, all in the period) or the rate changes.

    free: it bears no interest. until: leave out the days from there on, and what moves after it.
    """
    end = period.end if until is None else until
    if len(rates) == 1 and (not moves or (len(moves) == 1 and moves[0][0] == period.start)) and end > period.start:
        number, of = (0, 1) if free else of_year(rule, period, period.start, end)
        _, rate, scale = rates[0]
        return (Span(moves[0][1] if moves else 0, rate * number, scale * of),)
    added: dict[date, int] = {}
    for day, amount in moves:
        if day <= end:
            added[day] = added.get(day, 0) + amount
    cuts = {period.start, end, *added}
    cuts.update(rate.since for rate in rates if period.start < rate.since < end)
    days = sorted(cuts)
    made = []
    for start, stop in pairwise(days):
        number, of = (0, 1) if free else of_year(rule, period, start, stop)
        _, rate, scale = rate_on(rates, start)
        made.append(Span(added.get(start, 0), rate * number, scale * of))
    if end in added or not made:
        made.append(Span(added.get(end, 0), 0, 1))
    return tuple(made)


def whole_factor(rule: Counting, period: Period, rates: Sequence[Rate], *, free: bool) -> Factor:
    """The period's factor as if the balance stood still through all of it."""
    return together(spans(rule, period, rates, (), free=free))


def together(parts: Sequence[Span]) -> Factor:
    """The sum of the spans' factors."""
    if len(parts) == 1:
        return parts[0][1:]
    of = lcm(*{denominator for _, _, denominator in parts})
    return sum(numerator * (of // denominator) for _, numerator, denominator in parts), of
