"""Monitoring's fold: whatever arrives, nobody parks, an alert stands once, and a block goes only with a release."""

import json
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import monitoring, parties, signals
from shared.topics import TOPICS
from tests.unit.monitoring.bench import BORROWER, Bench

START = date(2024, 1, 1)
DAYS = st.integers(-900, 700).map(lambda n: START + timedelta(days=n))
MODELS: dict[str, Any] = {
    model.model_fields["type"].default: model
    for topic in TOPICS
    for model, writer in topic.writers.items()
    if writer == "monitoring"
}
STEPS = st.one_of(
    st.tuples(st.just("close"), st.integers(1, 40)),
    st.tuples(
        st.just("moved"),
        DAYS,
        st.sampled_from(["0", "10", "3000.55", "0.001"]),
        st.sampled_from(["-400", "0", "90000.5"]),
        st.sampled_from(["CNY", "CNY", "CNY", "USD", "XXQ"]),
        st.sampled_from(["ordinary", "sales", "returned-item", "penalty-interest", "interest"]),
        st.sampled_from(["in", "out"]),
    ),
    st.tuples(
        st.just("figure"),
        st.sampled_from(["sales", "machine-hours", "other"]),
        DAYS,
        st.integers(-5, 60),
        st.sampled_from(["0", "-5", "100.5"]),
        st.sampled_from(["CNY", "h"]),
        st.booleans(),
    ),
    st.tuples(st.just("entry"), st.none() | st.integers(0, 120), st.sampled_from(["0", "1000.00"])),
    st.tuples(st.just("record"), st.sampled_from(["court-case", "licence-lost"]), st.integers(0, 3)),
    st.tuples(st.just("market"), DAYS, st.sampled_from(["0", "100", "50"]), st.sampled_from(["index", "%"])),
    st.tuples(st.just("consent"), st.booleans()),
    st.tuples(st.just("relation"), st.booleans()),
    st.tuples(st.just("default"), st.sampled_from(["guarantor", "group-member"])),
    st.tuples(
        st.just("act"), st.integers(0, 5), st.sampled_from(["acknowledge", "snooze", "release", "resolve"]), DAYS
    ),
)


def _entry(bench: Bench, days: int | None, principal: str) -> None:
    today = bench.context.today
    assert today is not None
    bench.entry(since=None if days is None else (today - timedelta(days=days)).isoformat(), principal=principal)


def _record(bench: Bench, kind: Any, count: int) -> None:
    bench.take(signals.RecordFound, signals.PublicRecord(kind=kind, count=count, observed_on=START))


def _relation(bench: Bench, stands: bool) -> None:
    kind = parties.RelationStated if stands else parties.RelationEnded
    bench.take(kind, parties.Relation(other="friend", kind="guarantor"))


def _default(bench: Bench, relation: Any) -> None:
    data = monitoring.MemberDefault(member="m", loan_id="l", relation=relation, days_past_due=91, as_of=START)
    bench.take(monitoring.MemberDefaulted, data)


def _figure(bench: Bench, name: str, start: date, length: int, value: str, unit: str, device: bool) -> None:
    data = signals.Figures(
        name=name,
        value=value,
        unit=unit,
        period_start=start,
        observed_on=start + timedelta(days=length),
        device=device,
    )
    bench.take(signals.FigureReported, data)


def _act(bench: Bench, n: int, action: str, until: date) -> None:
    state = bench.states.get(BORROWER)
    known = sorted(state.alerts) if state is not None else []
    if known:
        bench.act(state.alerts[known[n % len(known)]], action, until=until.isoformat())  # type: ignore[union-attr]


def _step(bench: Bench, kind: str, *rest: Any) -> None:
    match kind:
        case "close":
            for _ in range(rest[0]):
                bench.close()
        case "moved":
            day, amount, balance, code, sort, direction = rest
            bench.moved(day.isoformat(), amount, balance, currency=code, kind=sort, direction=direction)
        case "market":
            bench.market("price-index", rest[0].isoformat(), rest[1], rest[2])
        case "consent":
            bench.consent(given=rest[0])
        case _:
            {"entry": _entry, "record": _record, "relation": _relation, "default": _default, "figure": _figure,
             "act": _act}[kind](bench, *rest)  # type: ignore[operator]  # fmt: skip


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=1, max_size=40), st.booleans())
def test_nobody_parks_and_what_was_said_is_what_stands(steps: list[Any], opened: bool) -> None:
    bench = Bench()
    if not opened:
        bench.context.today = None
        steps = [step for step in steps if step[0] in ("moved", "figure", "record", "market", "consent")]
    for step in steps:
        _step(bench, *step)
    bench.context.today = bench.context.today or START
    bench.close()
    open_alerts: dict[str, tuple[str, str | None, bool]] = {}
    for message in bench.context.messages:
        event = MODELS[json.loads(message.value or b"")["type"]].model_validate_json(message.value or b"")
        assert message.key == event.subject.encode()
        if isinstance(event.data, monitoring.Alert):
            data = event.data
            before = open_alerts.pop(data.alert_id, None)
            assert before is None or not before[2] or data.blocks or isinstance(event, monitoring.AlertReleased)
            if data.status in ("resolved", "superseded"):
                assert not data.blocks
            else:
                about = data.loan_id or data.inputs.get("loan")
                assert (data.indicator, about) not in {(one[0], one[1]) for one in open_alerts.values()}
                open_alerts[data.alert_id] = (data.indicator, about, data.blocks)  # type: ignore[assignment]
    state = bench.states.get(BORROWER)
    assert set(open_alerts) == set(state.alerts if state is not None else ())
    if state is not None:
        assert {alert_id for alert_id, one in open_alerts.items() if one[2]} == {
            alert_id for alert_id, one in state.alerts.items() if one.blocks
        }
        assert state.next is None or bench.context.today is None or state.next >= bench.context.today
