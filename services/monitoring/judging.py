"""A borrower's months: told to the peers when they end, judged a day later, and again when late data changes them."""

from datetime import date
from decimal import Decimal

from services.monitoring import alerts, indicators, levels, loans, peers, series
from services.monitoring.indicators import Value, shown
from services.monitoring.policy import IndicatorRow, Soft, rules_on
from services.monitoring.state import (
    Borrower,
    Chart,
    Observed,
    Party,
    Standing,
    month_end,
    month_of,
    month_start,
    month_text,
)
from shared.events import monitoring
from shared.events.monitoring import Severity
from shared.streams.fold import Context

THRESHOLDS = "monitoring.thresholds.v1"
COMBINED = "combined-signs"
LATE_DATA = "late data"
MONTHS_MAX = 26
"""Months that one closing catches up, for a borrower who was parked; the account of earlier ones is let go."""


def watched(borrower: Borrower) -> bool:
    """Whether there is anything to judge: a loan that is not settled, a signal, or an alert that may end."""
    if borrower.early or any(loan.status in ("contracted", "active") for loan in borrower.loans.values()):
        return True
    if any(chart.now.up for chart in borrower.charts.values()):
        return True
    return borrower.series.first is not None or bool(borrower.series.reports)


def next_date(borrower: Borrower, day: date) -> date | None:
    """The next date after `day` on whose closing a month is told or judged."""
    if not watched(borrower):
        return None
    told = borrower.told if borrower.told is not None else month_of(day) - 1
    judged = borrower.judged if borrower.judged is not None else told
    return min(month_end(told + 1), month_start(judged + 2))


def close(borrower: Borrower, day: date, context: Context) -> None:
    """A date ended. A month is told on its last day and judged on the next: then all members have told theirs."""
    if not watched(borrower):
        return
    this = month_of(day)
    if borrower.told is None or borrower.judged is None:
        borrower.told = borrower.judged = this - 1
    borrower.judged = max(borrower.judged, this - 1 - MONTHS_MAX)
    if borrower.stale is not None:
        _judge_again(borrower, day, context)
        borrower.stale = None
    for month in range(borrower.judged + 1, this):
        _judge(borrower, month, day, context)
        borrower.judged = month
        series.sum_up(borrower.series, month)
    if day == month_end(this) and borrower.told < this:
        _tell(borrower, this, context)
    borrower.told = max(borrower.told, this if day == month_end(this) else this - 1)


def _season(borrower: Borrower, month: int, context: Context) -> Decimal | None:
    return peers.season_of(context.group, borrower.party.segment, month)


def _tell(borrower: Borrower, month: int, context: Context) -> None:
    """Give the peers this month's values: as no more than the ceiling, so that one member is not all of them. Borrowers
    of whom nothing is known are nobody's peers."""
    note_open_lateness(borrower, month)
    if borrower.party == Party():
        return
    segment, season = borrower.party.segment, _season(borrower, month, context)
    for rule in rules_on(month_end(month)).soft:
        value = indicators.observe(rule.code, borrower, month, season)
        if value is not None:
            chart = borrower.charts.get(rule.code)
            calm = chart is None or not (chart.now.up or (chart.level is not None and value.x > chart.level))
            x = min(value.x, rule.ceiling)
            peers.tell(context.group, rule.code, segment, month, x, calm=calm)
    index = indicators.season_index(borrower.series, month)
    if index is not None:
        peers.tell_season(context.group, segment, month, index)


def note_open_lateness(borrower: Borrower, month: int) -> None:
    """An instalment that is still late at the month's end was late for that long in it."""
    end = month_end(month)
    for loan in borrower.loans.values():
        if loan.since is not None and loan.since <= end:
            late = borrower.series.late
            late[month] = max(late.get(month, 0), (end - loan.since).days)


def _judge(borrower: Borrower, month: int, day: date, context: Context) -> None:
    """A month's values against their levels."""
    rules, season = rules_on(month_end(month)), _season(borrower, month, context)
    for rule in rules.soft:
        value = indicators.observe(rule.code, borrower, month, season)
        chart = borrower.charts.get(rule.code)
        if value is None and chart is None:
            continue
        if chart is None:
            chart = borrower.charts.setdefault(rule.code, Chart(Standing()))
        observed = peers.peers_of(context.group, rule, borrower.party, month)
        observed.x = value.x if value is not None else None
        run = levels.append(rule, chart, _copied(observed))
        if run.last is not None:
            _follow(borrower, rule, chart, run, value, day, "month judged", rules, context)
    _combine(borrower, day, rules, context)


def _copied(one: Observed) -> Observed:
    """The group's own stays as it is."""
    return Observed(one.month, one.x, one.peers, one.mean, one.variance, one.shift)


def _judge_again(borrower: Borrower, day: date, context: Context) -> None:
    """Late data: the months of event time are observed again, and each chart is led from its beginning through them."""
    rules = rules_on(day)
    for rule in rules.soft:
        chart = borrower.charts.get(rule.code)
        if chart is None:
            continue
        latest: Value | None = None
        changed = False
        for one in chart.observed:
            value = indicators.observe(rule.code, borrower, one.month, _season(borrower, one.month, context))
            x = value.x if value is not None else None
            changed, one.x, latest = changed or x != one.x, x, value or latest
        if changed:
            run = levels.again(rule, chart)
            _follow(borrower, rule, chart, run, latest, day, LATE_DATA, rules, context)
    _combine(borrower, day, rules, context)


def _follow(
    borrower: Borrower,
    rule: Soft,
    chart: Chart,
    run: levels.Run,
    value: Value | None,
    day: date,
    why: str,
    rules: IndicatorRow,
    context: Context,
) -> None:
    """The level and the alert that follow from where a chart was led."""
    inputs = _inputs(run, chart, value)
    last = run.last
    if last is not None:
        chart.figure = last.figure
        _put_figure(borrower, rule, last, context)
        if last.level != chart.level:
            _tell_level(
                borrower, rule, chart, last.level, day, f"{why}: {month_text(last.month)}", rules, inputs, context
            )
    covered = rule.code == loans.TREND and alerts.find_any(borrower, loans.PAST_DUE)
    if run.now.up and last is not None and not covered:
        alerts.raise_alert(
            borrower,
            context,
            indicator=rule.code,
            severity=_severity(rule, last),
            day=day,
            reason=_reason(rule, last),
            rule=rules.rule(rule.code),
            inputs={"level": shown(last.level), **inputs},
        )
    elif not run.now.up:
        _end(borrower, rule, run, why, context)


def _reason(rule: Soft, last: levels.Verdict) -> str:
    told, bound, name = last.figure, last.level, "level"
    if last.x > rule.ceiling:
        told, bound, name = last.x, rule.ceiling, "ceiling"
    month = month_text(last.month)
    return f"{rule.code}: {shown(told)} {rule.unit} in {month}, above its {name} of {shown(bound)} {rule.unit}"


def _end(borrower: Borrower, rule: Soft, run: levels.Run, why: str, context: Context) -> None:
    """The indicator is back below its level: resolved, or superseded where no month since it was raised crossed it."""
    known = alerts.find(borrower, rule.code)
    if known is None:
        return
    raised = str(known.inputs.get("month", ""))
    crossed = any(verdict.crossed for verdict in run.verdicts if month_text(verdict.month) >= raised)
    if why == LATE_DATA and not crossed:
        alerts.end(borrower, context, known, "superseded", f"{why}: it would not have been raised")
    else:
        alerts.end(borrower, context, known, "resolved", f"{why}: it is back below its level")


def _severity(rule: Soft, last: levels.Verdict) -> Severity:
    """A single sign is yellow, beyond the ceiling orange; red takes a combination."""
    return "orange" if last.x > rule.ceiling else "yellow"


def _inputs(run: levels.Run, chart: Chart, value: Value | None) -> monitoring.Inputs:
    last, peer = run.last, chart.observed[-1] if chart.observed else None
    inputs: monitoring.Inputs = {}
    if last is not None:
        inputs |= {"month": month_text(last.month), "x": shown(last.x), "ewma": shown(last.figure)}
        inputs |= {"mean": shown(last.mean), "sd": shown(last.sd), "months": run.now.n, "step": run.now.steps}
    if peer is not None:
        inputs |= {"peers": peer.peers, "peer-mean": shown(peer.mean), "shift": shown(peer.shift)}
    return inputs | (value.inputs if value is not None else {})


def _tell_level(
    borrower: Borrower,
    rule: Soft,
    chart: Chart,
    level: Decimal,
    day: date,
    reason: str,
    rules: IndicatorRow,
    inputs: monitoring.Inputs,
    context: Context,
) -> None:
    segment = borrower.party.segment
    data = monitoring.Level(
        borrower_id=borrower.borrower_id,
        indicator=rule.code,
        segment=segment,
        old=None if chart.level is None else shown(chart.level),
        new=shown(level),
        floor=shown(rule.floor),
        ceiling=shown(rule.ceiling),
        unit=rule.unit,
        as_of=day,
        reason=reason,
        rule=rules.rule(rule.code),
        inputs=inputs,
    )
    chart.level = level
    put_level(context, data, context.emit(THRESHOLDS, f"{rule.code}.{segment}", monitoring.LevelChanged, data))


def put_level(context: Context, data: monitoring.Level, event_id: str) -> None:
    """The event's row."""
    cause = context.cause
    assert cause is not None
    document = data.model_dump_json(exclude_none=True)
    context.put("level_event", event_id, data.borrower_id, data.indicator, data.segment, data.as_of, document, cause.id)


def _put_figure(borrower: Borrower, rule: Soft, last: levels.Verdict, context: Context) -> None:
    month = month_start(last.month)
    context.put("figure", borrower.borrower_id, rule.code, month, last.x, last.figure, last.level, last.crossed)


def _combine(borrower: Borrower, day: date, rules: IndicatorRow, context: Context) -> None:
    """Several signs at once are a red one."""
    up = sorted(code for code, chart in borrower.charts.items() if chart.now.up)
    known = alerts.find(borrower, COMBINED)
    if len(up) >= rules.combined and known is None:
        alerts.raise_alert(
            borrower,
            context,
            indicator=COMBINED,
            severity="red",
            day=day,
            reason=f"{len(up)} indicators at once: {', '.join(up)}",
            rule=rules.rule(COMBINED),
            inputs={"indicators": ",".join(up), "level": rules.combined},
        )
    elif known is not None and len(up) < rules.combined:
        alerts.end(borrower, context, known, "resolved", f"{len(up)} indicators in alert")


def accept(borrower: Borrower, indicator: str) -> None:
    """A person resolved an alert: what is now counts as usual, and is learned anew."""
    for code, chart in borrower.charts.items():
        if chart.now.up and indicator in (code, COMBINED):
            levels.begin_anew(chart)


def forget_devices(borrower: Borrower, context: Context) -> None:
    """The consent to telemetry is gone: what devices told stops counting, also for months already judged."""
    series.drop_devices(borrower.series)
    if borrower.charts.pop("machine-idle", None) is not None:
        known = alerts.find(borrower, "machine-idle")
        if known is not None:
            alerts.end(borrower, context, known, "resolved", "the consent to telemetry was withdrawn")
    if borrower.judged is not None and context.today is not None:
        borrower.stale = borrower.judged - levels.OBSERVED_MAX + 1
        borrower.recheck = context.today
