"""Monitoring's core: whatever arrives, in whatever order, sums and charts stay what the events say."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.monitoring import levels, series
from services.monitoring.policy import rules_on
from services.monitoring.portfolio import PAR_DAYS, Position, portfolio
from services.monitoring.state import Chart, Observed, Series, Standing, month_of, month_start
from shared.events.signals import Movement

START = date(2024, 1, 1)
RULES = st.sampled_from(rules_on(START).soft)
VALUES = st.lists(st.none() | st.integers(-100, 100), min_size=1, max_size=30)
SHIFTS = st.integers(0, 40)


def observed(values: list[int | None], shift: int) -> list[Observed]:
    month = month_of(START)
    return [
        Observed(month + n, None if x is None else Decimal(x), 9, Decimal(5), Decimal(100), Decimal(shift))
        for n, x in enumerate(values)
    ]


@given(RULES, VALUES, SHIFTS)
def test_a_level_never_leaves_floor_and_ceiling_and_is_frozen_in_alert(rule, values, shift) -> None:  # type: ignore[no-untyped-def]
    before = Standing()
    for one in observed(values, shift):
        now = levels.run(rule, before, [one])
        if now.last is not None:
            assert rule.floor <= now.last.level <= rule.ceiling
            if before.up:
                assert (now.now.n, now.now.mean, now.now.adaptive) == (before.n, before.mean, before.adaptive)
        before = now.now


@given(RULES, VALUES, SHIFTS)
def test_stepping_month_by_month_and_running_again_agree(rule, values, shift) -> None:  # type: ignore[no-untyped-def]
    chart = Chart(Standing())
    for one in observed(values, shift):
        levels.append(rule, chart, one)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(chart), type=Chart)
    assert levels.again(rule, stored).now == chart.now
    assert len(chart.observed) <= levels.OBSERVED_MAX


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 500)), min_size=1, max_size=40), st.randoms())
def test_sums_of_months_do_not_depend_on_the_order_of_arrival_or_on_when_they_are_summed_up(moves, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(moves)
    random.shuffle(shuffled)
    months = range(month_of(START), month_of(START) + 10)
    totals = []
    for order, judged in ((moves, None), (shuffled, None), (moves, months[-1])):
        own = Series(currency="CNY")
        for days, amount in order:
            data = Movement(
                direction="in",
                amount=str(amount),
                balance="0",
                currency="CNY",
                observed_on=START + timedelta(days=days),
            )
            series.take_movement(own, data, amount * 100, 0)
        if judged is not None:
            series.sum_up(own, judged)
            assert all(day >= month_start(judged - 2).toordinal() for day in own.days)
        totals.append([series.inflow(own, month) for month in months])
    assert totals[0] == totals[1] == totals[2]
    assert sum(totals[0]) == sum(amount * 100 for _, amount in moves)


LOANS = st.lists(st.tuples(st.integers(0, 10**9), st.none() | st.integers(0, 400)), max_size=20)


@given(LOANS)
def test_at_risk_shrinks_with_the_days_and_the_classes_are_the_whole(loans) -> None:  # type: ignore[no-untyped-def]
    positions = [
        Position(f"l{n}", f"b{n % 3}", "USD", principal, START - timedelta(days=days) if days is not None else None)
        for n, (principal, days) in enumerate(loans)
    ]
    for figures in portfolio(positions, START)["currencies"].values():
        at_risk = [Decimal(figures[f"par{x}"]["amount"]) for x in PAR_DAYS]
        assert at_risk == sorted(at_risk, reverse=True)
        assert figures["npl"]["amount"] == figures["par90"]["amount"]
        total = Decimal(figures["outstanding"])
        assert sum(Decimal(one["amount"]) for one in figures["classes"].values()) == total
        assert total == Decimal(sum(principal for principal, _ in loans)) / 100
