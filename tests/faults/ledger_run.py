"""What every fault test does: produce a history, run workers, wait until they are through, and compare five witnesses.

The books' digest = a replay with a batch of one record = a fold in memory; and the derived events on the broker, read
without what a relay published twice, = what the replay derived.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from lendlog.histories import Produced
from services.ledger.digest import digest_of
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.replay import note, replay_ledger
from services.ledger.worker import topics_of
from shared.database import connect, open_pool
from shared.streams.kafka import KafkaLog
from shared.streams.outbox_rows import unpack
from shared.streams.replay import Holds, read_partition
from tests.places import Place

DEADLINE_SECONDS = 60.0
SESSION_SECONDS = "1.5"
"""A killed worker's partitions go to others after this time; the tests' broker allows it."""


async def produce(place: Place, records: Iterable[Produced]) -> None:
    """Append the records to the log, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=place.kafka_bootstrap, enable_idempotence=True, linger_ms=5)
    await producer.start()
    topic = topics_of(place.settings()).lifecycle
    try:
        batches: dict[int, Any] = {}
        for record in records:
            batch = batches.get(record.partition) or producer.create_batch()
            batches[record.partition] = batch
            if batch.append(key=record.key, value=record.value, timestamp=1_700_000_000_000) is None:
                batch.close()
                await producer.send_batch(batch, topic, partition=record.partition)
                batch = batches[record.partition] = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=1_700_000_000_000)
        for partition, batch in batches.items():
            batch.close()
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


class Worker:
    """One worker process."""

    module = "services.ledger.app"
    role = "ledger"

    def __init__(self, place: Place, log: Path, **variables: str) -> None:
        self.log = log
        variables = {"LENDLOG_SESSION_SECONDS": SESSION_SECONDS} | variables
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                env=place.environment(self.role, **variables), stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and, where it ends the process, wait for the end."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(timeout=20)

    def complaints(self) -> str:
        """What its log says besides what is usual."""
        lines = (line for line in self.log.read_text().splitlines() if '"level": "info"' not in line)
        return "\n".join(line[-1500:] for line in lines)[:4000]

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def workers(place: Place, folder: Path, count: int = 1, **variables: str) -> Any:
    """`count` workers, killed at the end."""
    running = [Worker(place, folder / f"worker-{n}.log", **variables) for n in range(count)]
    try:
        yield running
    finally:
        for worker in running:
            worker.kill()


async def caught_up(place: Place, *, seconds: float = DEADLINE_SECONDS, alive: Sequence[Worker] = ()) -> None:
    """Wait until the books stand at the end of the log and everything derived is published."""
    settings = place.settings()
    topics = topics_of(settings)
    log_port = KafkaLog(place.kafka_bootstrap)
    await log_port.start()
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        deadline = time.monotonic() + seconds
        while True:
            rows = await connection.fetch(
                "SELECT partition, next_offset, halted, outbox_next, outbox_mark, snapshot_mark"
                " FROM position JOIN relay USING (partition)"
            )
            lag = {}
            for row in rows:
                _, end = await log_port.bounds(topics.lifecycle, row["partition"])
                missing = await _records_between(place, topics.lifecycle, row["partition"], row["next_offset"], end)
                if missing or row["outbox_next"] != row["outbox_mark"]:
                    lag[row["partition"]] = (missing, dict(row))
            if not lag:
                return
            for worker in alive:
                assert not worker.ended, worker.complaints()
            logs = "".join(worker.complaints() for worker in alive)
            assert time.monotonic() < deadline, f"not caught up: {lag}\n{logs}"
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
        await log_port.stop()


async def _records_between(place: Place, topic: str, partition: int, start: int, end: int) -> int:
    if start >= end:
        return 0
    if end - start > 3:
        return end - start
    found = 0
    async for records in read_partition(place.kafka_bootstrap, topic, partition, start=start, end=end, batch=10):
        found += len(records)
    return found


async def live_digest(place: Place) -> dict[str, Any]:
    """The books' digest."""
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        return await digest_of(connection, range(place.partitions))
    finally:
        await connection.close()


async def _without_waiting_for_the_disk(connection: Any) -> None:
    """A scratch schema is made again where it is lost."""
    await connection.execute("SET synchronous_commit = off")


async def replayed(place: Place, *, batch: int = 1) -> tuple[dict[str, Any], dict[int, list[bytes]]]:
    """(digest, derived messages by partition of the log) of a replay into the scratch schema."""
    await place.create_scratch()
    pool = await open_pool(place.url("replay"), place.scratch_schema, setup=_without_waiting_for_the_disk)
    topics = topics_of(place.settings())
    try:
        async with asyncio.TaskGroup() as group:
            for partition in range(place.partitions):
                options = {"bootstrap": place.kafka_bootstrap, "topics": topics, "pool": pool, "batch": batch}
                group.create_task(replay_ledger(partition, **options, closing_chunk=7))
        async with pool.acquire() as connection:
            digest = await digest_of(connection, range(place.partitions))
            derived: dict[int, list[bytes]] = {}
            for row in await connection.fetch("SELECT partition, messages FROM outbox ORDER BY partition, sequence"):
                values = [m.value for m in unpack(row["messages"]) if m.topic == topics.events]
                derived.setdefault(row["partition"], []).extend(values)
            return digest, derived
    finally:
        await pool.close()


async def records_of(place: Place, partition: int, topic: str = "") -> list[Any]:
    """Every committed record of a partition of a topic, by default of the log, in order."""
    topic = topic or topics_of(place.settings()).lifecycle
    log_port = KafkaLog(place.kafka_bootstrap)
    await log_port.start()
    try:
        _, end = await log_port.bounds(topic, partition)
        batches = read_partition(place.kafka_bootstrap, topic, partition, start=0, end=end, batch=5000)
        return [record async for records in batches for record in records]
    finally:
        await log_port.stop()


async def in_memory(place: Place) -> dict[str, Any]:
    """The digest of a plain fold of the log in memory, told of releases and retries as a replay is."""
    topics = topics_of(place.settings())
    books = []
    for partition in range(place.partitions):
        holds = Holds()
        records = await records_of(place, partition)
        for record in records:
            note(record, holds)
        books.append(MemoryBooks(partition, topics, holds=holds.released, retried=holds.retried))
        for record in records:
            books[-1].take(record)
    return digest_in_memory(books)


async def published(place: Place) -> dict[int, dict[str, bytes]]:
    """Derived events on the broker by partition, by id in order of first appearance."""
    topic = topics_of(place.settings()).events
    found: dict[int, dict[str, bytes]] = {}
    for partition in range(place.partitions):
        events = found.setdefault(partition, {})
        for record in await records_of(place, partition, topic):
            events.setdefault(json.loads(record.value)["id"], record.value)
    return found


def assert_published(found: dict[int, dict[str, bytes]], derived: dict[int, list[bytes]]) -> None:
    """The broker has each derived event of the replay, no other, and those of one source in the replay's order."""
    wanted = {json.loads(value)["id"]: (source, n) for source in derived for n, value in enumerate(derived[source])}
    on_broker = sorted(value for events in found.values() for value in events.values())
    replay = sorted(value for values in derived.values() for value in values)
    differing = sorted(set(on_broker) ^ set(replay))[:2]
    assert on_broker == replay, f"{len(on_broker)} derived events are published, {len(replay)} replayed: {differing}"
    for partition, events in found.items():
        last: dict[int, int] = {}
        for event_id in events:
            source, n = wanted[event_id]
            assert n > last.get(source, -1), f"partition {partition}: {event_id} of source {source} is out of order"
            last[source] = n


async def first_difference(place: Place) -> str:
    """For a failed test: the first loan whose state or postings differ between the books and the replay."""
    live = await connect(place.admin_url, place.ledger_schema)
    replay = await connect(place.url("replay"), place.scratch_schema)
    try:
        for partition in range(place.partitions):
            for query in (
                f"SELECT loan, loan_id, state FROM loan_p{partition} ORDER BY loan",
                (
                    'SELECT loan, "offset", n, debit, credit, amount, effective_date, booking_date'
                    f' FROM posting_p{partition} ORDER BY loan, "offset", n'
                ),
                f'SELECT "offset", event_id FROM event_p{partition} ORDER BY "offset"',
                f'SELECT "offset", reason FROM dead_letter WHERE partition = {partition} ORDER BY "offset"',
                f'SELECT "offset", loan_id FROM parked_event WHERE partition = {partition} ORDER BY "offset"',
            ):
                one, other = [[tuple(row) for row in await side.fetch(query)] for side in (live, replay)]
                differing = sorted(set(one) ^ set(other), key=str)[:6]
                if differing:
                    sides = ["books" if row in set(one) else "replay" for row in differing]
                    return f"partition {partition}: {query}\n" + "\n".join(map(str, zip(sides, differing, strict=True)))
        return "nothing that the tables show"
    finally:
        await live.close()
        await replay.close()


async def assert_all_agree(place: Place, *, memory: bool = True) -> dict[str, Any]:
    """The five witnesses. Returns the digest."""
    live = await live_digest(place)
    replay, derived = await replayed(place)
    assert live == replay, f"the books differ from a replay of the log: {await first_difference(place)}"
    if memory:
        assert live == await in_memory(place), "the books differ from a fold in memory"
    assert_published(await published(place), derived)
    return live
