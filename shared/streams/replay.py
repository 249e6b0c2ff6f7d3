"""The replay host: the log into a scratch schema, by the same processor, fold and store as the live worker (D10).

Outgoing effects are impossible by construction: there is no publisher here, and nothing to make one of.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.streams.clock import SystemClock
from shared.streams.intake import Hold
from shared.streams.kafka import MESSAGE_BYTES_MAX, KafkaLog
from shared.streams.ports import Record
from shared.streams.positions import Store
from shared.streams.processor import Processor

POLL_MS = 500


@dataclass(slots=True)
class Holds:
    """What later events say about earlier records of a partition: parked until released, dead until retried."""

    released: dict[Hold, str] = field(default_factory=dict)
    retried: dict[int, int] = field(default_factory=dict)
    """Dead offset → the offset below which no retry may succeed, since a later one says that it failed."""


async def read_partition(
    bootstrap: str, topic: str, partition: int, *, start: int, end: int, batch: int
) -> AsyncIterator[list[Record]]:
    """Committed records of [start, end) in lists of at most `batch`, in order."""
    if start >= end:
        return  # a consumer that is stopped as soon as it has started raises its own cancellation
    at = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=MESSAGE_BYTES_MAX,
    )
    await consumer.start()
    try:
        consumer.assign([at])
        consumer.seek(at, start)
        while await consumer.position(at) < end:
            fetched = await consumer.getmany(at, timeout_ms=POLL_MS, max_records=batch)
            if records := [record for record in fetched.get(at, []) if record.offset < end]:
                yield records
    finally:
        await consumer.stop()


async def scan_holds(
    bootstrap: str, topic: str, partition: int, *, end: int, note: Callable[[Record, Holds], None]
) -> Holds:
    """Look through a partition for releases and retries; `note` knows the service's events."""
    holds = Holds()
    async for records in read_partition(bootstrap, topic, partition, start=0, end=end, batch=10_000):
        for record in records:
            note(record, holds)
    return holds


async def replay_partition(
    *,
    bootstrap: str,
    topic: str,
    partition: int,
    store: Store,
    note: Callable[[Record, Holds], None],
    host: Callable[[int, Mapping[Hold, str], Mapping[int, int]], Any],
    batch: int,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Replay one partition up to its end as of now. Returns the number of records; `progress` hears of each batch."""
    log_port = KafkaLog(bootstrap)
    await log_port.start()
    try:
        _, end = await log_port.bounds(topic, partition)
        holds = await scan_holds(bootstrap, topic, partition, end=end, note=note)
        processor = Processor(
            topic=topic,
            store=store,
            log_port=log_port,
            clock=SystemClock(),
            host=lambda p: host(p, holds.released, holds.retried),
            on_commit=lambda *_: None,
        )
        position = (await processor.claim([partition]))[partition]
        total = 0
        async for records in read_partition(
            bootstrap, topic, partition, start=position.next_offset, end=end, batch=batch
        ):
            if records[0].offset > processor.owned[partition].position.next_offset:
                await processor.accept_gap(partition, records[0].offset, certain=True)
            await processor.process(partition, position.epoch, records)
            total += len(records)
            progress(len(records))
        return total
    finally:
        await log_port.stop()
