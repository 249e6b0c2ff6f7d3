"""Copies the topics that a service reads into its inbox, so that there is one order in which it takes them in (D15).

At least once, by a consumer group: offsets are committed after the broker has the copies. The inbox's reader drops by
event id what came twice. That is enough for order, too: a copier never skips, so the first copy of an event always
comes after the first copies of those before it on its partition, whoever else copies the same at the same time.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, RebalanceInProgressError

from shared.events.envelope import BOOK
from shared.partitioner import partition_for
from shared.telemetry import counter

log = structlog.get_logger(__name__)
POLL_MS = 200
RECORDS_MAX = 10_000
BATCH_BYTES_MAX = 1 << 20
REQUEST_BYTES_MAX = 8 << 20
AGAIN_SECONDS = 1.0
FAILING_SECONDS_MAX = 120.0
"""A broker that is away is waited for this long, then the process ends, visibly."""
VALUE_BYTES_MAX = 7 << 20
SOURCE = "lendlog-source"
"""Header of a copy: topic/partition/offset of the record that it copies."""
COPIED = counter("lendlog_inbox_copied_total", "records", "Records copied into the inbox", "topic")


class Merger:
    """One task of a service's worker; several workers share the topics' partitions among them."""

    def __init__(
        self,
        *,
        bootstrap: str,
        group: str,
        inbox: str,
        inputs: Sequence[str],
        everywhere: Sequence[str],
        partitions: int,
    ) -> None:
        """Full topic names. `everywhere`: those of `inputs` whose records go to every partition of the inbox."""
        self._bootstrap, self._group, self._inbox = bootstrap, group, inbox
        self._inputs, self._everywhere, self._partitions = tuple(inputs), frozenset(everywhere), partitions
        self._stop = asyncio.Event()
        self.ready = False
        """Whether the group has let this one in."""

    def stop(self) -> None:
        """Finish what was fetched, then let `run` return."""
        self._stop.set()

    async def run(self) -> None:
        """Copy until `stop`; whatever fails is logged and tried again from the last committed offsets."""
        failing_since: float | None = None
        while not self._stop.is_set():
            try:
                await self._copy()
                failing_since = None
            except (KafkaError, OSError, TimeoutError) as error:
                self.ready = False
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > FAILING_SECONDS_MAX:
                    raise
                log.warning("copying starts again", inbox=self._inbox, error=repr(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), AGAIN_SECONDS)

    async def _copy(self) -> None:
        consumer = AIOKafkaConsumer(
            *self._inputs,
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=REQUEST_BYTES_MAX,
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
        )
        try:
            await producer.start()
            await consumer.start()
            while not self._stop.is_set():
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                self.ready = True
                if records := [record for part in fetched.values() for record in part]:
                    await self._produce(producer, records)
                    await _commit(consumer, {at: part[-1].offset + 1 for at, part in fetched.items() if part})
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await consumer.stop()
            with contextlib.suppress(KafkaError, OSError):
                await producer.stop()

    async def _produce(self, producer: Any, records: Iterable[Any]) -> None:
        """Append copies in order, and wait until the broker has them all."""
        batches: dict[int, Any] = {}
        sent: list[Any] = []
        for record in records:
            COPIED.labels(record.topic).inc()
            for target in self._targets(record):
                copy = _copy_of(record)
                batch = batches.get(target)
                if batch is None or batch.append(**copy) is None:
                    if batch is not None:
                        sent.append(await self._send(producer, batch, target))
                    batches[target] = batch = producer.create_batch()
                    batch.append(**copy)  # an empty batch takes any record
        for target, batch in batches.items():
            sent.append(await self._send(producer, batch, target))
        await asyncio.gather(*sent)

    async def _send(self, producer: Any, batch: Any, target: int) -> Any:
        batch.close()
        return await producer.send_batch(batch, self._inbox, partition=target)

    def _targets(self, record: Any) -> Sequence[int]:
        """Which partitions of the inbox get a copy: the key's own, whatever partitioner the writer used; a record about
        the whole book or without a key goes where it came from."""
        if record.topic in self._everywhere:
            return range(self._partitions)
        if record.key is None or record.key == BOOK.encode():
            return (record.partition % self._partitions,)
        return (partition_for(record.key, self._partitions),)


def _copy_of(record: Any) -> dict[str, Any]:
    """Key, value and headers as they are, and where they are from. A value that leaves no room for that is left out:
    the copy becomes a dead letter that says where the whole record stands."""
    value = record.value if record.value is None or len(record.value) <= VALUE_BYTES_MAX else None
    source = f"{record.topic}/{record.partition}/{record.offset}".encode()
    headers = [*record.headers, (SOURCE, source)]
    return {"key": record.key, "value": value, "timestamp": record.timestamp, "headers": headers}


async def _commit(consumer: Any, offsets: dict[TopicPartition, int]) -> None:
    """Say how far the copies are; after a rebalance another copier does the rest again."""
    try:
        await consumer.commit(offsets)
    except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError) as error:
        log.info("offsets not committed", error=repr(error))
