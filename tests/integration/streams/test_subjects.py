"""A service of borrowers on real servers: whatever dies, each event counts once, and the inbox replayed is the same."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from lendlog.servers.provision import provision_scratch
from shared.database import connect, open_pool
from shared.events.envelope import BOOK, Envelope
from shared.events.inbox import ParkedSubjectReleased, SubjectRelease
from shared.events.ledger import LedgerDateClosed, PartitionDate
from shared.events.signals import AccountMoved, Indicator, IndicatorPublished, Movement
from shared.partitioner import partition_for
from shared.streams.kafka import KafkaLog
from shared.streams.replay import read_partition
from shared.streams.subject_store import create_tables
from shared.topics import ALERTS, LEDGER_EVENTS, MARKET, MONITORING_INBOX, SIGNALS, topics_of
from tests.integration.streams.tally import FORBIDDEN, SERVICE
from tests.places import Place

pytestmark = pytest.mark.servers
PARTITIONS = 2
DEADLINE_SECONDS = 60.0
DAY = date(2024, 3, 1)


class TallyPlace:
    """Schemas and topics of the tally service for one test."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.schema = SERVICE.schema(place.settings())

    async def create(self) -> None:
        admin = await connect(self.place.admin_url)
        await create_tables(admin, self.schema, SERVICE.migrations, PARTITIONS)
        await admin.execute(f'GRANT USAGE ON SCHEMA "{self.schema}" TO lendlog_test_monitoring')
        await admin.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA "{self.schema}" TO lendlog_test_monitoring')
        await admin.close()

    async def drop(self) -> None:
        admin = await connect(self.place.admin_url)
        await admin.execute(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')
        await admin.execute(f'DROP SCHEMA IF EXISTS "{self.schema}_scratch" CASCADE')
        await admin.close()

    async def publish(self, topic: str, events: list[Envelope], partition: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.place.kafka_bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            for event in events:
                key = event.subject.encode()
                target = partition_for(key, PARTITIONS) if partition is None else partition
                await producer.send(self.place.prefix + topic, event.to_json(), key, target)
            await producer.flush()
        finally:
            await producer.stop()

    async def digest(self) -> dict[str, Any]:
        connection = await connect(self.place.url("monitoring"), self.schema)
        try:
            return await SERVICE.digest(connection)
        finally:
            await connection.close()

    async def replayed(self, batch: int) -> dict[str, Any]:
        schema, settings = f"{self.schema}_scratch", self.place.settings()

        async def create(connection: Any, name: str, partitions: int) -> None:
            await create_tables(connection, name, SERVICE.migrations, partitions)

        await provision_scratch(self.place.url("replay"), schema, PARTITIONS, create)
        pool = await open_pool(self.place.url("replay"), schema)
        try:
            for partition in range(PARTITIONS):
                await SERVICE.replay(partition, settings, pool, batch=batch)
            async with pool.acquire() as connection:
                return await SERVICE.digest(connection)
        finally:
            await pool.close()

    async def until(self, condition: str, *workers: "Worker") -> None:
        """Wait until an SQL condition holds in the schema."""
        connection = await connect(self.place.url("monitoring"), self.schema)
        deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            while not await connection.fetchval(f"SELECT {condition}"):
                for worker in workers:
                    assert worker.process.poll() is None, worker.complaints()
                text = "".join(worker.complaints() for worker in workers)
                assert time.monotonic() < deadline, f"{condition} does not hold\n{text}"
                await asyncio.sleep(0.05)
        finally:
            await connection.close()


class Worker:
    """The tally service's process."""

    def __init__(self, place: Place, log: Path, **variables: str) -> None:
        self.log = log
        environment = place.environment("monitoring", LENDLOG_SESSION_SECONDS="1.5", **variables)
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.streams.tally"],
                env=environment, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def complaints(self) -> str:
        """What its log says besides what is usual."""
        lines = (line for line in self.log.read_text().splitlines() if '"level": "info"' not in line)
        return "\n".join(line[-1500:] for line in lines)[:4000]

    def kill(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


@contextmanager
def worker(place: Place, folder: Path, **variables: str) -> Iterator[Worker]:
    one = Worker(place, folder / "worker.log", **variables)
    try:
        yield one
    finally:
        one.kill()


@pytest.fixture
async def tally(places: Any) -> AsyncIterator[TallyPlace]:
    place = await places(partitions=PARTITIONS, services=())
    made = TallyPlace(place)
    from shared.streams.topic_admin import delete_topics, ensure_topics

    topics = topics_of("monitoring")
    await ensure_topics(place.kafka_bootstrap, prefix=place.prefix, topics=topics, partitions=PARTITIONS)
    await made.create()
    yield made
    await made.drop()
    await delete_topics(place.kafka_bootstrap, prefix=place.prefix, topics=topics)


def moved(borrower: str, amount: str, number: int) -> AccountMoved:
    data = Movement(direction="in", amount=amount, balance="1.00", currency="CNY", observed_on=DAY)
    event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{borrower}/{number}"))
    return AccountMoved(id=event_id, source="/test", subject=borrower, time="2024-03-01T10:00:00Z", data=data)


def closed(day: date, source: int) -> LedgerDateClosed:
    data = PartitionDate(partition=source, partitions=PARTITIONS, business_date=day)
    event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{day}/{source}"))
    return LedgerDateClosed(id=event_id, source="/ledger", subject=BOOK, time="2024-03-01T23:59:00Z", data=data)


async def close(tally: TallyPlace, day: date) -> None:
    for source in range(PARTITIONS):
        for target in range(PARTITIONS):
            await tally.publish(LEDGER_EVENTS.name, [closed(day, source)], target)


def borrowers(count: int) -> list[str]:
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"borrower {n}")) for n in range(count)]


OPEN_ON = "(SELECT min(open_date) FROM position) = '{}'"


@pytest.mark.ops
async def test_a_killed_worker_counts_nothing_twice_and_a_replay_is_the_same(tally: TallyPlace, tmp_path: Path) -> None:
    people = borrowers(20)
    facts = [moved(one, f"{n}.00", n) for n in range(1, 41) for one in people]
    market = IndicatorPublished(
        id=str(uuid.UUID(int=7)), source="/test", subject="farming.hubei", time="2024-03-01T10:00:00Z",
        data=Indicator(indicator="sales", industry="farming", region="hubei", value="1", unit="index", observed_on=DAY),
    )  # fmt: skip
    await tally.publish(SIGNALS.name, facts)
    await tally.publish(MARKET.name, [market])
    for point in ("batch.before-commit:2", "batch.after-commit:1", "relay.after-publish:1"):
        with worker(tally.place, tmp_path, LENDLOG_CRASH_AT=point, LENDLOG_BATCH_RECORDS="100") as one:
            await asyncio.to_thread(one.process.wait, 60)
            assert one.process.returncode == 137, one.complaints()
    with worker(tally.place, tmp_path) as one:
        await close(tally, DAY)
        await tally.publish(SIGNALS.name, facts[:100])  # and the outside repeats itself
        await close(tally, DAY + timedelta(days=1))
        await tally.until(OPEN_ON.format(DAY + timedelta(days=2)), one)
        await tally.until("NOT EXISTS (SELECT FROM outbox)", one)
    live = await tally.digest()
    assert live["subject"] == len(people)
    connection = await connect(tally.place.url("monitoring"), tally.schema)
    rows = await connection.fetch("SELECT count, total FROM tally")
    days = await connection.fetch("SELECT day, total FROM tally_day")
    shared = await connection.fetchval("SELECT min(events) FROM position")
    await connection.close()
    assert {tuple(row) for row in rows} == {(40, 82_000)}
    assert {tuple(row) for row in days} == {(DAY, 82_000)}
    assert shared > 0
    assert await tally.replayed(1) == live
    assert await tally.replayed(5000) == live
    derived = await _ids(tally, ALERTS.name)
    assert len(derived) == len(facts)


async def _ids(tally: TallyPlace, topic: str) -> set[str]:
    place, found = tally.place, set[str]()
    log_port = KafkaLog(place.kafka_bootstrap)
    await log_port.start()
    try:
        for partition in range(PARTITIONS):
            name = place.prefix + topic
            _, end = await log_port.bounds(name, partition)
            batches = read_partition(place.kafka_bootstrap, name, partition, start=0, end=end, batch=1000)
            found |= {json.loads(record.value or b"")["id"] async for records in batches for record in records}
    finally:
        await log_port.stop()
    return found


async def test_a_broken_rule_parks_one_borrower_and_a_release_goes_on(tally: TallyPlace, tmp_path: Path) -> None:
    good, bad = borrowers(2)
    with worker(tally.place, tmp_path) as one:
        await close(tally, DAY)
        await tally.publish(SIGNALS.name, [moved(bad, "1.00", 1), moved(bad, FORBIDDEN, 2), moved(bad, "3.00", 3)])
        await tally.publish(SIGNALS.name, [moved(good, "5.00", 1)])
        await tally.until("(SELECT count(*) FROM parked_event) = 2 AND (SELECT count(*) FROM tally) = 2", one)
        connection = await connect(tally.place.url("monitoring"), tally.schema)
        rows = {row["subject"]: row["total"] for row in await connection.fetch("SELECT subject, total FROM tally")}
        assert rows == {good: 500, bad: 100}  # as it was before the event that broke the rule
        parked = await connection.fetchrow("SELECT first_offset, reason FROM parked_subject")
        await connection.close()
        release = ParkedSubjectReleased(
            id=str(uuid.UUID(int=9)), source="/test", subject=bad, time="2024-03-01T11:00:00Z",
            data=SubjectRelease(
                first_held_offset=parked["first_offset"], held_reason=parked["reason"], discard_first=True, reason="ok"
            ),
        )  # fmt: skip
        await tally.publish(MONITORING_INBOX.name, [release])
        await tally.until(f"(SELECT total FROM tally WHERE subject = '{bad}') = 400", one)
        await tally.until("NOT EXISTS (SELECT FROM outbox)", one)
    live = await tally.digest()
    assert live["dead_letters"] == 1
    assert await tally.replayed(1) == live


async def test_what_cannot_be_read_stops_nobody(tally: TallyPlace, tmp_path: Path) -> None:
    (one,) = borrowers(1)
    broken = moved(one, "1.00", 1).model_dump(mode="json") | {"data": {"amount": "-1"}}
    producer = AIOKafkaProducer(bootstrap_servers=tally.place.kafka_bootstrap)
    await producer.start()
    for value in (b"{", json.dumps(broken).encode(), None):
        await producer.send(tally.place.prefix + SIGNALS.name, value, one.encode(), 0)
    await producer.send(tally.place.prefix + SIGNALS.name, moved(one, "2.00", 2).to_json(), one.encode(), 1)
    await producer.stop()
    with worker(tally.place, tmp_path) as running:
        await tally.until("(SELECT count(*) FROM dead_letter) = 3 AND (SELECT sum(total) FROM tally) = 200", running)
    live = await tally.digest()
    assert await tally.replayed(1) == live
