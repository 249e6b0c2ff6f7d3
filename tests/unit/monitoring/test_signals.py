"""Indicators over signals in event time: seasons, peers, markets, late data, and signals that can't count."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from services.monitoring.indicators import Value, observe
from services.monitoring.state import month_of
from shared.events import signals
from tests.unit.monitoring.bench import BORROWER, Bench

HARVEST = {9: "9000", 10: "6000"}


def feed(
    bench: Bench, month: str, amount: str, *, borrower: str = BORROWER, days: tuple[int, ...] = (5, 15, 25)
) -> None:
    """A month's income in equal parts."""
    part = str(Decimal(amount) / len(days))
    for day in days:
        bench.moved(f"{month}-{day:02d}", part, borrower=borrower)


def months(first: str, count: int) -> list[str]:
    start = month_of(date.fromisoformat(f"{first}-01"))
    return [f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(start, start + count)]


def live(bench: Bench, first: str, amounts: list[str], borrower: str = BORROWER) -> None:
    """Months with these incomes, each closed to the first of the next."""
    for month, amount in zip(months(first, len(amounts)), amounts, strict=True):
        feed(bench, month, amount, borrower=borrower)
        end = date.fromisoformat(f"{month}-28") + timedelta(days=4)
        bench.close_through(end.replace(day=1).isoformat())


def test_income_that_falls_and_stays_low_is_an_alert_with_its_figures() -> None:
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 6 + ["600"] * 4)
    alert = bench.alert("inflow-fall")
    assert alert is not None
    assert (alert.severity, alert.rule) == ("yellow", "inflow-fall@1")
    assert {"month", "x", "ewma", "level", "mean", "sd", "reference", "basis"} <= set(alert.inputs)


def test_a_fall_that_lasts_does_not_become_the_usual() -> None:
    """A year and a half later the alert stands: what came after it was raised is nothing to compare with."""
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 6 + ["600"] * 18)
    alert = bench.alert("inflow-fall")
    assert alert is not None
    assert alert.raised_on < date(2024, 10, 2)


def test_a_harvest_dip_is_no_alert_in_the_second_year() -> None:
    """Deseasonalised by the same month last year: from 9,000 in September to 300 in December is the usual year."""
    year = ["300"] * 8 + ["9000", "6000", "300", "300"]
    bench = Bench("2023-01-01")
    bench.party()
    live(bench, "2022-12", ["300", *year])
    before = len(bench.told("AlertRaised"))
    live(bench, "2024-01", year)
    assert [d["indicator"] for d in bench.told("AlertRaised")[before:]] == []


def test_a_season_that_sells_nothing_is_missed() -> None:
    year = ["300"] * 8 + ["9000", "6000", "300", "300"]
    bench = Bench("2022-12-01")
    bench.party()
    for n, month in enumerate(months("2022-12", 22)):
        amount = "300" if n == 0 or n == 21 else year[(n - 1) % 12]
        for day in (5, 15):
            bench.moved(f"{month}-{day:02d}", str(int(amount) // 2), kind="sales")
        bench.close_through((date.fromisoformat(f"{month}-28") + timedelta(days=4)).replace(day=1).isoformat())
    alert = bench.alert("missed-season-sale")
    assert alert is not None
    assert (alert.inputs["value"], alert.inputs["reference"], alert.inputs["basis"]) == ("300", "9000", "2023-09")


def test_days_below_zero_are_counted_to_the_next_movement_whatever_the_order_of_arrival() -> None:
    orders = ([0, 1, 2], [2, 1, 0], [1, 0, 2])
    moves = [("2024-01-03", "-50"), ("2024-01-10", "20"), ("2024-01-25", "-1")]
    found = []
    for order in orders:
        bench = Bench()
        bench.moved("2023-12-20", "10", balance="100")
        for n in order:
            bench.moved(moves[n][0], "10", balance=moves[n][1], direction="out")
        bench.close_through("2024-02-01")
        found.append(bench.puts_of("figure", "negative-balance"))
    assert found == [[Decimal(14)]] * 3  # 3 to 9 January and 25 to 31 January


def test_an_account_that_nobody_moves_is_dormant_although_interest_is_charged() -> None:
    bench = Bench()
    bench.moved("2024-01-02", "10")
    for day in ("2024-01-31", "2024-02-29"):
        bench.moved(day, "1", direction="out", kind="penalty-interest")
    bench.close_through("2024-03-01")
    alert = bench.alert("dormancy")
    assert alert is not None
    assert (alert.raised_on, alert.inputs["days-since-moved"]) == (date(2024, 2, 1), 29)


def test_late_data_supersede_an_alert_that_would_not_have_been_raised() -> None:
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 6)
    bench.close_through("2024-08-01")  # nothing arrived for July
    assert [d["indicator"] for d in bench.told("AlertRaised")] == ["dormancy"]
    feed(bench, "2024-07", "3000")
    assert bench.alert("dormancy") is not None, "a signal counts from the closing of the open date"
    bench.close()
    assert bench.alert("dormancy") is None
    assert [d["indicator"] for d in bench.told("AlertSuperseded")] == ["dormancy"]


def test_late_data_give_what_data_in_time_give() -> None:
    punctual, late = Bench(), Bench()
    for bench in (punctual, late):
        bench.party()
        live(bench, "2024-01", ["3000"] * 5)
    feed(punctual, "2024-06", "900")
    for bench in (punctual, late):
        bench.close_through("2024-07-15")
    feed(late, "2024-06", "900")
    for bench in (punctual, late):
        bench.close_through("2024-08-01")
    for code in ("inflow-fall", "negative-balance", "returned-items"):
        charts = [bench.states[BORROWER].charts[code] for bench in (punctual, late)]
        assert [one.x for one in charts[0].observed] == [one.x for one in charts[1].observed]
        assert charts[0].now.up == charts[1].now.up


def test_every_change_of_a_level_says_why_and_nothing_is_said_without_one() -> None:
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 12)
    told = [d for d in bench.told("LevelChanged") if d["indicator"] == "dormancy"]
    assert told
    for before, after in pairwise(told):
        assert before["new"] == after["old"] != after["new"]
    assert {"mean", "sd", "peers", "shift", "x", "ewma"} <= set(told[-1]["inputs"])
    keys = {message.key for message in bench.context.messages if message.topic == "monitoring.thresholds.v1"}
    assert b"dormancy.farming.north.micro" in keys


def test_a_shock_to_all_peers_moves_their_levels_and_alerts_nobody() -> None:
    """One event for the group instead of an alert for each member; who falls alone still gets one."""
    bench = Bench()
    names = [f"peer-{n}" for n in range(12)]
    for name in names:
        bench.party(name)
    for month, amount in zip(months("2024-01", 10), ["3000"] * 7 + ["1500"] * 3, strict=True):
        for name in names:
            feed(bench, month, "30" if name == "peer-3" and amount == "1500" else amount, borrower=name)
        bench.close_through((date.fromisoformat(f"{month}-28") + timedelta(days=4)).replace(day=1).isoformat())
    raised = [d["borrower_id"] for d in bench.told("AlertRaised") if d["indicator"] == "inflow-fall"]
    assert raised == ["peer-3"]
    moved = [d for d in bench.told("LevelChanged") if "borrower_id" not in d]
    assert moved
    assert moved[0]["segment"] == "farming.north.micro"
    assert Decimal(moved[0]["new"]) > 40


def test_a_market_beyond_its_limit_moves_the_levels_of_its_members() -> None:
    bench = Bench()
    for n, month in enumerate(months("2024-01", 8)):
        bench.market("price-index", f"{month}-01", str(100 + n % 2))
    bench.market("price-index", "2024-09-01", "60")
    moved = [d for d in bench.told("LevelChanged") if d["segment"] == "farming.north"]
    assert {d["indicator"] for d in moved} == {"inflow-fall", "missed-season-sale", "machine-idle"}
    assert {d["new"] for d in moved} == {"40"}
    bench.market("price-index", "2024-10-01", "101")
    assert bench.told("LevelChanged")[-1]["new"] == "0"


def test_three_signs_at_once_are_red() -> None:
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 4)
    for _ in range(5):
        bench.moved("2024-05-02", "10", balance="-500", direction="out", kind="returned-item")
    bench.close_through("2024-06-01")
    alert = bench.alert("combined-signs")
    assert alert is not None
    assert (alert.severity, alert.blocks) == ("red", True)
    assert {"inflow-fall", "negative-balance", "returned-items"} <= set(str(alert.inputs["indicators"]).split(","))


def test_a_person_who_resolves_an_alert_accepts_what_is_now_as_usual() -> None:
    bench = Bench()
    bench.party()
    live(bench, "2024-01", ["3000"] * 6 + ["1200"] * 3)
    alert = bench.alert("inflow-fall")
    assert alert is not None
    bench.act(alert, "resolve")
    live(bench, "2024-10", ["1200"] * 8)
    assert bench.alert("inflow-fall") is None


# Signals that can't count ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "counts"), [("2034-06-01", False), ("2014-06-01", False), ("2024-05-01", True)])
def test_a_clock_ten_years_off_is_set_aside_and_harms_nothing(day: str, counts: bool) -> None:
    bench = Bench("2024-06-01")
    event_id = bench.moved(day, "1000")
    aside = bench.told("SignalSetAside")
    assert [d["signal_id"] for d in aside] == ([] if counts else [event_id])
    assert counts or aside[0]["rule"] == "clock-too-far"
    bench.close_through("2024-07-01")
    assert (bench.states[BORROWER].series.first is not None) == counts


def test_what_came_before_any_date_is_checked_against_the_first() -> None:
    bench = Bench()
    bench.context.today = None
    far = bench.moved("2034-01-05", "1000")
    bench.moved("2023-12-20", "1000")
    bench.market("price-index", "2034-01-01", "100")
    bench.market("price-index", "2023-12-01", "100")
    assert bench.fold.next_action(bench.states[BORROWER]) == date.min
    bench.context.today = date(2023, 12, 31)
    bench.close()
    assert {d["rule"] for d in bench.told("SignalSetAside")} == {"clock-too-far"}
    assert [d["signal_id"] for d in bench.told("SignalSetAside") if "borrower_id" in d] == [far]
    assert bench.states[BORROWER].series.first == month_of(date(2023, 12, 1))
    assert bench.context.group.markets["price-index.farming.north"].n == 1


def test_a_signal_from_the_future_waits_for_its_day() -> None:
    bench = Bench()
    bench.moved("2024-03-10", "1000")
    bench.close_through("2024-02-01")
    assert bench.told("SignalSetAside") == []
    assert "inflow-fall" not in bench.states[BORROWER].charts


def test_a_unit_that_changed_a_period_reversed_and_a_device_without_consent_are_set_aside_by_name() -> None:
    bench = Bench("2024-06-01")
    bench.figure("sales", "2024-04", "1200")
    bench.figure("sales", "2024-05", "1.2", unit="kCNY")
    bench.figure("sales", "2024-05", "1", observed_on=date(2024, 4, 30))
    bench.figure("machine-hours", "2024-05", "100", unit="h", device=True)
    bench.moved("2024-05-01", "10")
    bench.moved("2024-05-01", "10", currency="USD")
    bench.market("price-index", "2024-05-01", "100")
    bench.market("price-index", "2024-06-01", "1", unit="ratio")
    assert [d["rule"] for d in bench.told("SignalSetAside")] == [
        "unit-changed",
        "period-reversed",
        "no-consent",
        "unit-changed",
        "unit-changed",
    ]


def test_a_withdrawn_consent_stops_the_use_of_telemetry_at_once() -> None:
    bench = Bench("2024-01-01")
    bench.party()
    bench.consent()
    for month, hours in zip(months("2024-01", 7), ["200"] * 6 + ["5"], strict=True):
        bench.figure("machine-hours", month, hours, unit="h", device=True)
        bench.close_through((date.fromisoformat(f"{month}-28") + timedelta(days=4)).replace(day=1).isoformat())
    assert bench.alert("machine-idle") is not None
    bench.consent(given=False)
    assert bench.alert("machine-idle") is None
    assert "machine-hours" not in bench.states[BORROWER].series.reports
    assert all("machine-hours" not in month.figures for month in bench.states[BORROWER].series.months.values())


def test_a_figure_that_is_reported_again_replaces_the_first() -> None:
    bench = Bench("2024-03-01")
    bench.figure("sales", "2024-02", "100")
    bench.figure("sales", "2024-02", "150")
    assert [r.value for r in bench.states[BORROWER].series.reports["sales"].values()] == [Decimal(150)]


def test_a_signal_that_its_model_does_not_allow_is_not_taken_for_another() -> None:
    with pytest.raises(ValueError, match="amount"):
        signals.Movement(direction="in", amount="-5", balance="1", currency="CNY", observed_on=date(2024, 1, 1))


def test_a_debit_that_came_back_is_a_returned_item_and_the_feed_tells_it_no_second_time() -> None:
    bench = Bench()
    bench.party()
    bench.entry(since="2024-01-20", returned="AM04")
    state = bench.states[BORROWER]
    month = month_of(date(2024, 1, 1))
    assert observe("returned-items", state, month) == Value(Decimal(1), {"items": 1})
    assert observe("returned-items", state, month - 1) is None
    bench.moved("2024-01-01", "100", direction="out", kind="returned-item")
    assert observe("returned-items", bench.states[BORROWER], month) == Value(Decimal(1), {"items": 1})
