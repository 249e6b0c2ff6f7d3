"""What concerns a partition's borrowers together: markets, and the peers' months. One event, not an alert a member."""

from datetime import date
from decimal import Decimal

from services.monitoring import alerts, intake, judging, peers
from services.monitoring.indicators import shown
from services.monitoring.policy import rules_on
from services.monitoring.state import month_of, month_text, segment_of
from shared.events import monitoring
from shared.events.envelope import Envelope
from shared.events.signals import IndicatorPublished
from shared.partitioner import partition_for
from shared.streams.fold import Context


def take_market(event: IndicatorPublished, context: Context) -> None:
    """A market's value; before any date is known it waits for the first one."""
    if context.today is None:
        context.group.early.append(event.model_dump_json(exclude_none=True))
    else:
        _take(event, context.today, context)


def _take(event: IndicatorPublished, today: date, context: Context) -> None:
    """It comes to every partition, and the one that its name belongs to tells what follows."""
    data, group = event.data, context.group
    place = segment_of(data.industry, data.region)
    teller = partition_for(place.encode(), context.partitions) == context.partition
    known = group.markets.get(f"{data.indicator}.{place}")
    try:
        intake.check_clock(data.observed_on, today)
        if known is not None and known.unit != data.unit:
            raise intake.NotCounted("unit-changed", f"{data.indicator} in {data.unit}, before in {known.unit}")
    except intake.NotCounted as refused:
        if teller:
            set_aside(context, event, place, None, refused)
        return
    rules = rules_on(today)
    value = Decimal(data.value)
    moved = peers.take_market(group, data.indicator, place, value, unit=data.unit, day=data.observed_on, rules=rules)
    if moved is None or not teller:
        return
    before, market = moved
    reason = f"{data.indicator} is " + ("beyond its limit" if market.shift else "within its limit again")
    inputs: monitoring.Inputs = {"index": data.indicator, "value": data.value, "usual": shown(market.mean)}
    for soft in rules.soft:
        if soft.market:
            _tell_shift(context, soft.code, place, before, market.shift, data.observed_on, reason, inputs)


def close(day: date, context: Context) -> None:
    """Take in what waited for a date; on the first of a month the values of the month before are in."""
    early, context.group.early = context.group.early, []
    for one in early:
        _take(IndicatorPublished.model_validate_json(one), day, context)
    if day.day != 1:
        return
    month = month_of(day) - 1
    for key, before, observed, mean in peers.settle(context.group, month, rules_on(day)):
        code, _, segment = key.partition(".")
        reason = f"the peers' mean of {month_text(month)} is "
        reason += "beyond its limit" if observed.shift else "within its limit again"
        inputs: monitoring.Inputs = {"mean": shown(mean), "usual": shown(observed.mean), "values": observed.peers}
        _tell_shift(context, code, segment, before, observed.shift, day, reason, inputs)


def _tell_shift(
    context: Context,
    code: str,
    segment: str,
    old: Decimal,
    new: Decimal,
    day: date,
    reason: str,
    inputs: monitoring.Inputs,
) -> None:
    """The members' levels move."""
    rules = rules_on(day)
    soft = rules.of(code)
    if soft is None:
        return
    data = monitoring.Level(
        indicator=code,
        segment=segment,
        old=shown(old),
        new=shown(new),
        unit=soft.unit,
        as_of=day,
        reason=reason,
        rule=rules.rule(code),
        inputs=inputs,
    )
    event_id = context.emit(judging.THRESHOLDS, f"{code}.{segment}", monitoring.LevelChanged, data)
    judging.put_level(context, data, event_id)


def set_aside(context: Context, event: Envelope, key: str, borrower_id: str | None, refused: intake.NotCounted) -> None:
    """Name a signal that can't count; the inbox keeps it."""
    reason = refused.reason[:300]
    data = monitoring.SetAside(borrower_id=borrower_id, signal_id=event.id, reason=reason, rule=refused.rule)
    context.emit(alerts.TOPIC, key, monitoring.SignalSetAside, data)
    context.put("set_aside", event.id, key, refused.rule, reason, context.today)
