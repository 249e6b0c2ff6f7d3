"""The broker behind the ports: `KafkaLog` reads without a group, `KafkaPublisher` writes in transactions (D6, D8)."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from shared.partitioner import murmur2, partition_for
from shared.streams.ports import FencedError, Message, Record, RetryableError

__all__ = ["KafkaLog", "KafkaPublisher", "murmur2", "partition_for"]

BATCH_BYTES_MAX = 1 << 20
"""Bytes of one record batch: one produce request carries at most one batch a partition."""
MESSAGE_BYTES_MAX = (8 << 20) - (64 << 10)
"""Key and value of one message: the topics' `max.message.bytes` (shared/topics.py) less the batch's framing."""
TRANSACTION_SECONDS = 60
"""The broker aborts and fences a transaction that stays open longer."""
PUBLISH_SECONDS = 30.0
"""How long one `publish` may take before it is given up."""
ABORT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
READ_SECONDS = 10.0
MARKERS_MS = 20
"""A fetch of markers alone wakes nobody: how long to wait before looking how far it has led."""


class KafkaLog:
    """The port `Log` on Kafka, reading committed records only, without a consumer group.

    One consumer, one call at a time (a lock). `RetryableError` when the broker doesn't answer. Ends are last stable
    offsets: what a transaction wrote is beyond the end until its marker stands, a moment after the commit returned.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = asyncio.Lock()
        self._consumer: Any = None
        self._markers: dict[TopicPartition, tuple[int, int]] = {}
        """Ranges that were found to hold nothing but markers, which they do for ever."""

    async def start(self) -> None:
        """Connect. Raises RetryableError when no broker answers."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            request_timeout_ms=int(READ_SECONDS * 1000),
            max_partition_fetch_bytes=MESSAGE_BYTES_MAX,
            fetch_max_wait_ms=MARKERS_MS,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise RetryableError(f"No Kafka broker answers at {self._bootstrap}: {error}") from error
        except asyncio.CancelledError:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect; harmless when not started."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """(first offset still held, end offset): the end is that of the next committed record."""
        async with self._lock:
            return await self._bounds(TopicPartition(topic, partition))

    async def read_one(self, topic: str, partition: int, offset: int) -> Record | None:
        """The committed record at exactly `offset`; None where a marker, an aborted record or nothing stands."""
        found = await self._read_from(TopicPartition(topic, partition), offset)
        return found if found is not None and found.offset == offset else None

    async def first_from(self, topic: str, partition: int, offset: int) -> int | None:
        """The offset of the first committed record at or after `offset`: what lies between are markers."""
        found = await self._read_from(TopicPartition(topic, partition), offset)
        return None if found is None else found.offset

    async def _read_from(self, at: TopicPartition, offset: int) -> Record | None:
        async with self._lock:
            first, end = await self._bounds(at)
            if not first <= offset < end:
                return None
            try:
                self._consumer.assign([at])
                self._consumer.seek(at, offset)
                return await self._next(at, end)
            except KafkaError as error:
                raise RetryableError(f"{at.topic}[{at.partition}] can't be read at {offset}: {error!r}") from error
            finally:
                # Not unsubscribed: aiokafka's fetcher ends for good where it finds no subscription at all.
                self._consumer.pause(at)

    async def first_unread(self, offsets: Mapping[tuple[str, int], int]) -> tuple[str, int] | None:
        """One of these (topic, partition) that has a committed record at or after its offset; None: only markers. All
        are read at once, since each reading of markers alone takes its wait."""
        asked = {TopicPartition(*at): offset for at, offset in offsets.items()}
        try:
            async with self._lock, asyncio.timeout(READ_SECONDS):
                firsts = await self._consumer.beginning_offsets(list(asked))
                ends = await self._consumer.end_offsets(list(asked))
                gaps = {at: (max(offset, firsts[at]), ends[at]) for at, offset in asked.items() if offset < ends[at]}
                gaps = {at: gap for at, gap in gaps.items() if self._markers.get(at) != gap}
                found = await self._any_of({at: start for at, (start, _) in gaps.items()}, ends) if gaps else None
                if found is None:
                    self._markers |= gaps
                return found
        except (KafkaError, TimeoutError) as error:
            raise RetryableError(f"What is unread can't be found out: {error!r}") from error

    async def _any_of(self, starts: dict[Any, int], ends: dict[Any, int]) -> tuple[str, int] | None:
        try:
            self._consumer.assign(list(starts))
            for at, start in starts.items():
                self._consumer.seek(at, start)
            while any([await self._consumer.position(at) < ends[at] for at in starts]):
                if found := await self._consumer.getmany(timeout_ms=MARKERS_MS, max_records=1):
                    return next((at.topic, at.partition) for at in found)
            return None
        finally:
            self._consumer.pause(*starts)

    async def _bounds(self, at: TopicPartition) -> tuple[int, int]:
        try:
            async with asyncio.timeout(READ_SECONDS):
                first = await self._consumer.beginning_offsets([at])
                end = await self._consumer.end_offsets([at])
        except (KafkaError, TimeoutError) as error:
            raise RetryableError(f"The bounds of {at.topic}[{at.partition}] can't be read: {error!r}") from error
        return first[at], end[at]

    async def _next(self, at: TopicPartition, end: int) -> Record | None:
        """What the consumer gets next: it skips markers and aborted records, and moves its position past them."""
        deadline = time.monotonic() + READ_SECONDS
        while time.monotonic() < deadline:
            fetched = await self._consumer.getmany(at, timeout_ms=200, max_records=1)
            for found in fetched.get(at, ()):
                headers = tuple(found.headers)
                return Record(
                    found.topic, found.partition, found.offset, found.timestamp, found.key, found.value, headers
                )
            if await self._consumer.position(at) >= end:
                return None
        raise RetryableError(f"{at.topic}[{at.partition}] gave nothing before {end} in {READ_SECONDS:g} s.")


class KafkaPublisher:
    """The port `Publisher`: each `publish` is one Kafka transaction, in order per partition; `read_committed` readers
    see all of it or nothing.

    `start` makes it the only publisher of its transactional id: an older one gets `FencedError` from then on, for good.
    A publisher never initialises itself again (a zombie that did would fence its successor): when its state at the
    broker is no longer known (a failed batch, a commit without an answer) it is spent, which its owner sees as
    `FencedError` at the next `publish`, and has to claim again.

    Batches are made with aiokafka's `create_batch`/`send_batch`: `send` costs 50 µs a message, this 1.4-2.7 µs.
    """

    def __init__(self, bootstrap: str, transactional_id: str, *, publish_seconds: float = PUBLISH_SECONDS) -> None:
        self._bootstrap = bootstrap
        self._transactional_id = transactional_id
        self._publish_seconds = publish_seconds
        self._producer: Any = None
        self._lock = asyncio.Lock()
        self._spent: str | None = None

    async def start(self) -> None:
        """Connect and fence every older publisher of this id. Raises RetryableError when the broker doesn't answer."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            transactional_id=self._transactional_id,
            transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=int(ABORT_SECONDS * 1000),
        )
        self._producer = producer
        try:
            async with asyncio.timeout(self._publish_seconds):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise RetryableError(f"{self._transactional_id} can't be initialised: {error!r}") from error

    async def close(self) -> None:
        """Disconnect; waits `CLOSE_SECONDS` at most for what is still under way. Harmless when not started."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._spent = self._spent or "it was closed"
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await producer.stop()
                return
        await _give_up(producer)

    async def publish(self, messages: Iterable[Message]) -> None:
        """Publish all of `messages` or none, in one transaction; an empty iterable costs nothing at the broker.

        Raises FencedError (another publisher has this id, or this one is spent: claim again), RetryableError (nothing
        is visible; or the commit's outcome is not known, and then the publisher is spent), ValueError (a message is
        larger than `MESSAGE_BYTES_MAX`; nothing is visible).
        """
        async with self._lock:
            if self._spent is not None:
                raise FencedError(f"{self._transactional_id} can't publish any more: {self._spent}.")
            try:
                async with asyncio.timeout(self._publish_seconds):
                    await self._producer.begin_transaction()
                    await self._send(messages)
            except BaseException as error:  # noqa: BLE001  # always raised again
                await self._abort(error)
                raise self._translated(error) from None
            try:
                async with asyncio.timeout(self._publish_seconds):
                    await self._producer.commit_transaction()
            except BaseException as error:  # noqa: BLE001  # always raised again
                self._spent = f"a commit ended in {error!r}"
                raise self._translated(error) from None

    async def _send(self, messages: Iterable[Message]) -> None:
        """Fill one batch a partition and hand over those that are full; return when every batch is acknowledged."""
        producer = self._producer
        now = int(time.time() * 1000)
        open_batches: dict[tuple[str, int], Any] = {}
        sent: list[asyncio.Future[Any]] = []
        for topic, partition, key, value, headers in messages:
            if len(value or b"") + len(key or b"") > MESSAGE_BYTES_MAX:
                raise ValueError(f"A message for {topic} is larger than {MESSAGE_BYTES_MAX} bytes.")
            at = (topic, partition)
            batch = open_batches.get(at)
            if batch is None:
                batch = open_batches[at] = producer.create_batch()
            if batch.append(timestamp=now, key=key, value=value, headers=list(headers)) is None:  # full
                sent.append(await self._hand_over(batch, *at))
                batch = open_batches[at] = producer.create_batch()
                taken = batch.append(timestamp=now, key=key, value=value, headers=list(headers))
                assert taken is not None, "an empty batch takes any one record"
        for at, batch in open_batches.items():
            batch.close()
            sent.append(await self._hand_over(batch, *at))
        await asyncio.gather(*sent)

    async def _hand_over(self, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        """Queue a batch behind its partition's last one. Its failure counts as seen: `_send` awaits only the first."""
        future: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    async def _abort(self, cause: BaseException) -> None:
        """End the transaction so that the next one can begin; where that is not certain, the publisher is spent."""
        if isinstance(cause, ProducerFenced):
            self._spent = "another publisher has its transactional id"
            return
        if isinstance(cause, KafkaError):  # a refused batch leaves a gap in its partition's sequence numbers
            self._spent = f"a batch ended in {cause!r}"
        try:
            async with asyncio.timeout(ABORT_SECONDS):
                await self._producer.abort_transaction()
        except (KafkaError, TimeoutError, AssertionError) as error:
            self._spent = f"an abort ended in {error!r} after {cause!r}"

    def _translated(self, error: BaseException) -> BaseException:
        """The port's name for a client error; anything else (a cancellation, the caller's own) as it is."""
        if isinstance(error, ProducerFenced):
            self._spent = "another publisher has its transactional id"
            return FencedError(f"{self._transactional_id}: {self._spent}.")
        if isinstance(error, (KafkaError, TimeoutError, AssertionError)):
            return RetryableError(f"{self._transactional_id} could not publish: {error!r}")
        return error


async def _stop(consumer: Any) -> None:
    """End a consumer that may just have been unsubscribed: aiokafka's fetcher swallows a cancellation that comes while
    it drops an assignment, and its `stop` then waits for ever. Cancelling the fetcher again ends it."""
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        while not (await asyncio.wait({stopping}, timeout=0.2))[0]:
            consumer._fetcher._fetch_task.cancel()  # noqa: SLF001
    finally:
        stopping.cancel()
    await stopping


async def _give_up(producer: Any) -> None:
    """End a producer whose `stop` hangs because the broker is away: an idempotent one would retry for ever.

    aiokafka has no call for it. Its sender, when cancelled, awaits its requests, which retry too: cancelling it again
    while it waits cancels those.
    """
    accumulator, sender = producer._message_accumulator, producer._sender.sender_task  # noqa: SLF001
    accumulator.fail_all(KafkaError("the publisher was closed"))
    for _ in range(5):
        if sender is None or sender.done():
            break
        sender.cancel()
        await asyncio.wait({sender}, timeout=0.1)
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.client.close()
