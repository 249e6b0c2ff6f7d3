"""A borrower's account and business in event time: taking signals in, and sums of months, late ones included."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from services.monitoring.state import Day, Month, Reported, Series, month_end, month_of, month_start
from shared.calendar import days_in_month
from shared.events.signals import Figures, Movement
from shared.money import MAX_MINOR, currency

SINGLE_MONTHS = 3
"""So many months before the last judged one keep their days, so that late data can change every figure of theirs."""
KEPT_MONTHS = 26
"""Two years and the month before and after: what a comparison with last year needs."""
OWNER_KINDS = ("ordinary", "sales", "household")
INCOME_KINDS = ("ordinary", "sales")
RETURNED_KINDS = ("returned-item", "penalty-interest")


def minor(text: str, code: str) -> int | None:
    """A signed decimal string in minor units; None where it has more decimals than the currency, or is too large."""
    scaled = Decimal(text).scaleb(currency(code).exponent)
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) <= MAX_MINOR else None


def take_movement(series: Series, data: Movement, amount: int, balance: int) -> int:
    """Add a movement to its day; returns its month."""
    ordinal, month = data.observed_on.toordinal(), month_of(data.observed_on)
    if series.first is None or month < series.first:
        series.first = month
    income = amount if data.direction == "in" and data.kind in INCOME_KINDS else 0
    sales = amount if data.direction == "in" and data.kind == "sales" else 0
    returned, owner = int(data.kind in RETURNED_KINDS), data.kind in OWNER_KINDS
    if series.summed is not None and month <= series.summed:
        total = series.months.setdefault(month, Month())
        total.inflow, total.sales = total.inflow + income, total.sales + sales
        total.returned, total.days = total.returned + returned, total.days + 1
        series.moved = max(series.moved or 0, ordinal) if owner else series.moved
        return month
    day = series.days.setdefault(ordinal, Day())
    day.inflow, day.sales, day.returned = day.inflow + income, day.sales + sales, day.returned + returned
    day.moved, day.balance = day.moved or owner, balance
    return month


def take_figure(series: Series, data: Figures) -> int | None:
    """Put a figure where its period begins; returns its month, or None if that month is summed up and has one."""
    month = month_of(data.period_start)
    value = Decimal(data.value)
    if series.summed is not None and month <= series.summed:
        figures = series.months.setdefault(month, Month()).figures
        if data.name in figures:
            return None
        figures[data.name] = (Decimal(0), value) if data.device else (value, Decimal(0))
        return month
    series.reports.setdefault(data.name, {})[data.period_start.toordinal()] = Reported(value, data.device)
    return month


def drop_devices(series: Series) -> None:
    """A consent is gone: what devices told is used no more."""
    for name, reports in list(series.reports.items()):
        kept = {day: report for day, report in reports.items() if not report.device}
        series.reports[name] = kept
        if not kept:
            del series.reports[name]
    for month in series.months.values():
        for name, (people, _) in list(month.figures.items()):
            month.figures[name] = (people, Decimal(0))
            if not people:
                del month.figures[name]


def _days(series: Series, month: int) -> Iterator[tuple[int, Day]]:
    if series.summed is not None and month <= series.summed:
        return
    first = month_start(month).toordinal()
    for ordinal in range(first, first + days_in_month(month // 12, month % 12 + 1)):
        if (day := series.days.get(ordinal)) is not None:
            yield ordinal, day


def is_silent(series: Series, month: int) -> bool:
    """Whether nothing at all moved in the month: the account sleeps, or its feed does."""
    return not _month(series, month).days and next(_days(series, month), None) is None


def inflow(series: Series, month: int) -> int:
    """What came in that was earned, in minor units."""
    return _month(series, month).inflow + sum(day.inflow for _, day in _days(series, month))


def give_back(series: Series, on: date) -> None:
    """A payment to the lender came back on this date."""
    month = month_of(on)
    series.given_back[month] = series.given_back.get(month, 0) + 1


def returned(series: Series, month: int) -> int:
    """Items that the bank gave back, or charged penalty interest for, by the account's feed or by what came back of
    payments to the lender: the larger figure, since the feed of an account tells the same items."""
    told = _month(series, month).returned + sum(day.returned for _, day in _days(series, month))
    return max(told, series.given_back.get(month, 0))


def sales(series: Series, month: int) -> Decimal:
    """What was reported as sales; without a report, what came in as sales, in major units."""
    reported = figure(series, "sales", month)
    if reported is not None:
        return reported
    moved = _month(series, month).sales + sum(day.sales for _, day in _days(series, month))
    return Decimal(moved).scaleb(-currency(series.currency).exponent) if series.currency else Decimal(0)


def figure(series: Series, name: str, month: int) -> Decimal | None:
    """The sum of a figure over the periods that begin in the month; None: nobody reported one."""
    summed, reports = _month(series, month).figures.get(name), series.reports.get(name)
    found = [] if summed is None else [*summed]
    if reports:
        first, last = month_start(month).toordinal(), month_end(month).toordinal()
        found += [report.value for day, report in reports.items() if first <= day <= last]
    return sum(found, Decimal(0)) if found else None


def negative_days(series: Series, month: int) -> int | None:
    """Days of the month that ended below zero, each day's balance standing until the next movement; None: not known."""
    if series.summed is not None and month <= series.summed:
        return _month(series, month).negative
    first = month_start(month).toordinal()
    end = first + days_in_month(month // 12, month % 12 + 1)
    earlier = [ordinal for ordinal in series.days if ordinal < first]
    balance = series.days[max(earlier)].balance if earlier else series.carried
    known, negative, since = balance is not None, 0, first
    for ordinal, day in _days(series, month):
        if balance is not None and balance < 0:
            negative += ordinal - since
        balance, since, known = day.balance, ordinal, True
    if balance is not None and balance < 0:
        negative += end - since
    return negative if known else None


def quiet_days(series: Series, end: date) -> int | None:
    """Days up to `end` since the owner moved the account; None: never."""
    last = end.toordinal()
    moved = [ordinal for ordinal, day in series.days.items() if day.moved and ordinal <= last]
    if series.moved is not None and series.moved <= last:
        moved.append(series.moved)
    return last - max(moved) if moved else None


def sum_up(series: Series, judged: int) -> None:
    """Turn the days of months long judged into sums, and let go what is older than a comparison needs."""
    last = judged - SINGLE_MONTHS
    border = month_start(last + 1).toordinal()
    days = [*series.days, *(day for reports in series.reports.values() for day in reports)]
    told = [day for day in days if day < border]
    if not told and series.summed is None:
        return
    earliest = series.summed + 1 if series.summed is not None else month_of(date.fromordinal(min(told)))
    for month in range(max(earliest, last - KEPT_MONTHS), last + 1):
        _sum_month(series, month)
    series.summed = max(series.summed or 0, last)
    for month in [month for month in series.months if month <= judged - KEPT_MONTHS]:
        del series.months[month]
    for month in [month for month in series.late if month <= judged - KEPT_MONTHS]:
        del series.late[month]
    for month in [month for month in series.given_back if month <= judged - KEPT_MONTHS]:
        del series.given_back[month]


def _sum_month(series: Series, month: int) -> None:
    negative = negative_days(series, month) or 0
    total = series.months.setdefault(month, Month())
    for ordinal, day in list(_days(series, month)):
        total.inflow, total.sales = total.inflow + day.inflow, total.sales + day.sales
        total.returned, total.days = total.returned + day.returned, total.days + 1
        series.moved = max(series.moved or 0, ordinal) if day.moved else series.moved
        series.carried = day.balance
        del series.days[ordinal]
    total.negative = negative
    _sum_figures(series, month, total)


def _sum_figures(series: Series, month: int, total: Month) -> None:
    first, last = month_start(month).toordinal(), month_end(month).toordinal()
    for name, reports in list(series.reports.items()):
        for start in [start for start in reports if first <= start <= last]:
            report = reports.pop(start)
            people, devices = total.figures.get(name, (Decimal(0), Decimal(0)))
            if report.device:
                devices += report.value
            else:
                people += report.value
            total.figures[name] = (people, devices)
        if not reports:
            del series.reports[name]


_NO_MONTH = Month()


def _month(series: Series, month: int) -> Month:
    return series.months.get(month, _NO_MONTH)
