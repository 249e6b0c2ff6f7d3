"""Monitoring on real servers: from events to alerts, what people do with them, and the same again by replay."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.monitoring import metrics
from shared.database import open_pool
from shared.events.monitoring import Action, AlertActionTaken
from shared.streams.kafka import KafkaLog
from shared.streams.replay import read_partition
from shared.topics import ALERTS, MONITORING_INBOX, THRESHOLDS
from tests.integration.monitoring.running import PARTITIONS, TIME, Monitoring, event_id, rule, running

pytestmark = pytest.mark.servers
OPENED = date(2024, 1, 1)
LATE, WELL = "borrower-late", "borrower-well"


@pytest.fixture
async def monitoring(places: Any) -> Monitoring:
    return Monitoring(await places(partitions=PARTITIONS, services=("monitoring",)))


async def arrears(one: Monitoring, days: int) -> date:
    """Two loans of 1,000.00 and 3,000.00, one of them past due since 10 January; the date that is open after `days`."""
    for borrower in (LATE, WELL):
        await one.register(borrower)
    await one.close(OPENED - timedelta(days=1), OPENED + timedelta(days=8))
    await one.entry(LATE, "loan-late", date(2024, 1, 10), principal="1000.00", since=date(2024, 1, 10))
    await one.entry(WELL, "loan-well", date(2024, 1, 10), principal="3000.00")
    last = date(2024, 1, 10) + timedelta(days=days)
    await one.close(date(2024, 1, 10), last)
    return last + timedelta(days=1)


async def published(one: Monitoring, topic: str) -> list[dict[str, Any]]:
    """Every event of a topic, one an id."""
    log_port = KafkaLog(one.place.kafka_bootstrap)
    await log_port.start()
    found: dict[str, dict[str, Any]] = {}
    try:
        for partition in range(PARTITIONS):
            name = one.place.prefix + topic
            _, end = await log_port.bounds(name, partition)
            async for records in read_partition(
                one.place.kafka_bootstrap, name, partition, start=0, end=end, batch=1000
            ):
                for record in records:
                    event = json.loads(record.value or b"")
                    found[event["id"]] = event
    finally:
        await log_port.stop()
    return list(found.values())


async def test_arrears_become_an_alert_a_class_and_a_portfolio_figure(monitoring: Monitoring, tmp_path: Path) -> None:
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.until_open(await arrears(monitoring, 61), worker)
        async with monitoring.api("risk", "auditor", "teller", f"applicant:{WELL}") as client:
            (alert,) = (await client.get("/v1/alerts"))["alerts"]
            assert (alert["severity"], alert["blocks"], alert["loan_id"]) == ("red", True, "loan-late")
            why = await client.get(f"/v1/alerts/{alert['alert_id']}/why")
            assert [step["type"] for step in why["steps"]] == [
                "monitoring.AlertRaised.v1",
                "monitoring.AlertEscalated.v1",
            ]
            assert why["steps"][0]["cause"]["type"] == "ledger.LedgerDateClosed.v1"
            figures = (await client.get("/v1/portfolio"))["currencies"]["CNY"]
            assert figures["par60"] == {"loans": 1, "amount": "1000.00", "ratio": "0.250000"}
            assert figures["par90"]["ratio"] == "0.000000"
            assert (figures["buckets"]["61-90"]["loans"], figures["restructured"]["loans"]) == (1, 0)
            earlier = (await client.get("/v1/portfolio?as_of=2024-01-11"))["currencies"]["CNY"]
            assert (earlier["par1"]["ratio"], earlier["classes"]["special-mention"]["loans"]) == ("0.000000", 1)
            known = await client.get("/v1/portfolio?known=2024-01-11&effective=2024-01-20")
            assert (known["currencies"]["CNY"], known["known"]) == (earlier, "2024-01-11")
            back = await client.send("risk", "GET", "/v1/portfolio?effective=2024-01-11")
            assert (back.status_code, rule(back)) == (422, "earlier-value-date")
            found = await client.get("/v1/loans/loan-late/classification")
            assert (found["class"], found["days_past_due"], found["bucket"]) == ("special-mention", 61, "61-90")
            assert (found["restructured"], found["watched_until"], found["written_off"]) == (0, None, "0.00")
            useful = await client.get("/v1/usefulness")
            assert (useful["indicators"], useful["acknowledged_after_days"]) == ([], None)
            assert [change["new"] for change in found["changes"]] == ["normal", "special-mention"]
            ahead = await client.send("risk", "GET", "/v1/portfolio?as_of=2025-01-01")
            assert (ahead.status_code, rule(ahead)) == (422, "date-not-closed")
            assert (await client.send("teller", "GET", "/v1/portfolio")).status_code == 403
            applicant = f"applicant:{WELL}"
            assert (await client.send(applicant, "GET", "/v1/loans/loan-well/classification")).status_code == 200
            for path in ("/v1/loans/loan-late/classification", "/v1/loans/none/classification"):
                assert (await client.send(applicant, "GET", path)).status_code == 403
            assert (await client.send(applicant, "GET", f"/v1/borrowers/{LATE}/indicators")).status_code == 403


async def test_two_people_release_at_once_and_one_wins(monitoring: Monitoring, tmp_path: Path) -> None:
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.until_open(await arrears(monitoring, 61), worker)
        async with monitoring.api("risk", "officer") as client:
            (alert,) = (await client.get("/v1/alerts"))["alerts"]
            path = f"/v1/alerts/{alert['alert_id']}"
            early = await client.send("risk", "POST", f"{path}/resolve", {"reason": "no"})
            assert (early.status_code, rule(early)) == (409, "alert-still-blocks")
            nameless = await client.send("risk", "POST", f"{path}/release", {"reason": "harvest"})
            assert nameless.status_code == 422
            stranger = await client.send("officer", "POST", f"{path}/release", {"reason": "harvest", "by": "A B"})
            assert stranger.status_code == 403
            both = await asyncio.gather(
                *(
                    client.send("risk", "POST", f"{path}/release", {"reason": "harvest", "by": name})
                    for name in ("Chen Mei", "Li Wei")
                )
            )
            assert sorted(answer.status_code for answer in both) == [202, 409]
            lost = next(answer for answer in both if answer.status_code == 409)
            won = next(answer for answer in both if answer.status_code == 202).json()
            assert rule(lost) == "alert-does-not-block"
            assert won["by"] in lost.json()["detail"]
            await monitoring.until("NOT (SELECT bool_or(blocks) FROM alert)", worker)
            assert (await client.get(path))["by"] == won["by"]
            late = await client.send("risk", "POST", f"{path}/snooze", {"reason": "x", "until": "2024-01-31"})
            assert rule(late) == "snooze-not-ahead"
            done = await client.send("risk", "POST", f"{path}/snooze", {"reason": "x", "until": "2024-04-01"})
            assert done.status_code == 202
            again = await client.send("risk", "POST", f"{path}/snooze", {"reason": "x", "until": "2024-04-02"})
            assert rule(again) == "alert-already-snoozed"
            await monitoring.until("(SELECT bool_and(status = 'snoozed') FROM alert)", worker)
    live = await monitoring.digest()
    assert await monitoring.replayed(1) == live


@pytest.mark.ops
async def test_a_killed_worker_says_everything_once_and_a_replay_is_the_same(
    monitoring: Monitoring, tmp_path: Path
) -> None:
    aside = await monitoring.moved(WELL, date(2034, 1, 5), "10.00")
    for month in range(1, 4):
        for day in (3, 13, 23):
            await monitoring.moved(WELL, date(2024, month, day), "500.00")
    await arrears(monitoring, 61)
    for point in ("batch.before-commit:2", "batch.after-commit:1", "relay.after-publish:1"):
        with running(monitoring.place, tmp_path, LENDLOG_CRASH_AT=point, LENDLOG_BATCH_RECORDS="40") as worker:
            await asyncio.to_thread(worker.process.wait, 60)
            assert worker.process.returncode == 137, worker.complaints()
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.close(date(2024, 3, 12), date(2024, 4, 1))
        await monitoring.until_open(date(2024, 4, 2), worker)
        counts = await monitoring.fetch(
            "SELECT (SELECT count(*) FROM alert_event) + (SELECT count(*) FROM class_event)"
            " + (SELECT count(*) FROM set_aside) AS alerts, (SELECT count(*) FROM level_event) AS levels"
        )
        told = await published(monitoring, ALERTS.name)
        assert len(told) == counts[0]["alerts"]
        assert len(await published(monitoring, THRESHOLDS.name)) == counts[0]["levels"]
    live = await monitoring.digest()
    assert live["set_aside"] == int((await monitoring.fetch("SELECT count(*) AS n FROM set_aside"))[0]["n"])
    assert {row["rule"] for row in await monitoring.fetch("SELECT rule FROM set_aside")} <= {"clock-too-far"}
    assert aside
    assert await monitoring.replayed(1) == live
    assert await monitoring.replayed(5000) == live


async def test_signals_that_cannot_count_are_kept_and_named(monitoring: Monitoring, tmp_path: Path) -> None:
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.register(WELL)
        await monitoring.close(OPENED - timedelta(days=1), OPENED)
        await monitoring.until_open(OPENED + timedelta(days=1), worker)
        far = await monitoring.moved(WELL, date(2034, 1, 5), "10.00")
        await monitoring.moved(WELL, date(2024, 1, 1), "10.00")
        unit = await monitoring.moved(WELL, date(2024, 1, 1), "11.00", currency="USD")
        await monitoring.until("(SELECT count(*) FROM set_aside) = 2", worker)
        async with monitoring.api("risk") as client:
            seen = (await client.get(f"/v1/borrowers/{WELL}/indicators"))["set_aside"]
            assert {one["signal_id"]: one["rule"] for one in seen} == {far: "clock-too-far", unit: "unit-changed"}
        kept = await monitoring.fetch("SELECT count(*) AS n FROM event WHERE event_id = ANY($1::uuid[])", [far, unit])
        assert kept[0]["n"] == 2
        pool = await open_pool(monitoring.place.url("monitoring_api"), monitoring.schema)
        async with pool.acquire() as connection:
            await metrics.refresh(connection)
        await pool.close()
        assert metrics.ASIDE.labels("unit-changed")._value.get() == 1


async def test_levels_are_told_with_the_reason_and_explained(monitoring: Monitoring, tmp_path: Path) -> None:
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.register(WELL)
        await monitoring.close(OPENED - timedelta(days=1), OPENED)
        await monitoring.until_open(OPENED + timedelta(days=1), worker)
        await monitoring.moved(WELL, date(2024, 1, 3), "500.00", balance="-5.00")
        await monitoring.until("(SELECT count(*) FROM event WHERE subject <> 'book') = 2", worker)
        await monitoring.close(OPENED + timedelta(days=1), date(2024, 3, 1))
        await monitoring.until_open(date(2024, 3, 2), worker)
        async with monitoring.api("risk", "auditor") as client:
            found = await client.get(f"/v1/borrowers/{WELL}/indicators")
            negative = next(one for one in found["indicators"] if one["indicator"] == "negative-balance")
            assert (negative["in_alert"], negative["months"][0]["value"]) == (True, "29")
            why = await client.get(f"/v1/borrowers/{WELL}/indicators/negative-balance/why")
            assert why["changes"][0]["inputs"]["days-below-zero"] == 29
            assert why["changes"][0]["cause"]["type"] == "ledger.LedgerDateClosed.v1"
            alerts = (await client.get(f"/v1/alerts?borrower_id={WELL}&indicator=negative-balance"))["alerts"]
            resolved = await client.send(
                "risk", "POST", f"/v1/alerts/{alerts[0]['alert_id']}/resolve", {"reason": "an agreed overdraft"}
            )
            assert resolved.status_code == 202
            await monitoring.until("EXISTS (SELECT FROM alert WHERE status = 'resolved')", worker)
            gone = await client.send(
                "risk", "POST", f"/v1/alerts/{alerts[0]['alert_id']}/acknowledge", {"reason": "late"}
            )
            assert rule(gone) == "alert-ended"
        told = await published(monitoring, THRESHOLDS.name)
        assert all(event["subject"] == f"{event['data']['indicator']}.{event['data']['segment']}" for event in told)
    assert await monitoring.replayed(7) == await monitoring.digest()


async def test_an_action_out_of_date_changes_nothing(monitoring: Monitoring, tmp_path: Path) -> None:
    """The inbox takes what is in it: an action on an alert that ended meanwhile is passed over, and nobody parks."""
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.register(WELL)
        action = Action(alert_id=event_id("none"), action="release", by="Li Wei", reason="late")
        event = AlertActionTaken(id=event_id("act"), source="/monitoring", subject=WELL, time=TIME, data=action)
        await monitoring.publish(MONITORING_INBOX.name, [event])
        await monitoring.until("(SELECT sum(events) FROM position) = 2", worker)
        parked = await monitoring.fetch("SELECT count(*) AS n FROM parked_subject")
        assert parked[0]["n"] == 0


async def test_alerts_are_held_against_what_came_of_them(monitoring: Monitoring, tmp_path: Path) -> None:
    """A borrower whose account was below zero in January is more than 30 days past due on 10 February."""
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.register(LATE)
        await monitoring.close(OPENED - timedelta(days=1), OPENED)
        await monitoring.until_open(OPENED + timedelta(days=1), worker)
        await monitoring.moved(LATE, date(2024, 1, 3), "500.00", balance="-5.00")
        for month in range(1, 9):
            index = str(100 + month % 2) if month < 8 else "70"
            await monitoring.market(date(2024, 1, month), index)
        await monitoring.until("(SELECT count(*) FROM event WHERE subject = 'book') >= 20", worker)
        await monitoring.entry(LATE, "loan-late", date(2024, 1, 10), principal="1000.00", since=date(2024, 1, 10))
        await monitoring.close(OPENED + timedelta(days=1), date(2024, 5, 10))
        await monitoring.until_open(date(2024, 5, 11), worker)
        async with monitoring.api("risk") as client:
            found = {one["indicator"]: one for one in (await client.get("/v1/usefulness"))["indicators"]}
            assert found["negative-balance"]["led_to_arrears"] == 1
            assert found["negative-balance"]["lead_days"] == 9
            shifts = (await client.get("/v1/shifts"))["shifts"]
            assert {(one["segment"], one["shift"]) for one in shifts} == {("farming.north", "30")}
