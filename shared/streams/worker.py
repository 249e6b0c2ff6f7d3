"""The worker of a service behind Faust: claims partitions, takes batches in, relays what follows from them (D6)."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared import telemetry
from shared.settings import ServiceSettings
from shared.streams import worker_metrics as metrics
from shared.streams.clock import SystemClock
from shared.streams.kafka import KafkaLog, KafkaPublisher
from shared.streams.ports import FencedError, HaltedPartition, Message, RetryableError
from shared.streams.positions import Hosted, Position
from shared.streams.processor import Counts, Owned, Processor
from shared.streams.relay import PartitionRelay
from shared.streams.sealing import SealingPublisher
from shared.streams.transport import Batch

log = telemetry.logger(__name__)
COLLECT_SECONDS = 30.0
COLLECT_EVERYTHING_SECONDS = 600.0
"""Cycles among what lives long (a client that reconnected) are few; looking for them walks every loan in memory."""
RECLAIM_SECONDS = 2.0
"""A fenced worker that is still assigned claims again after this time, in which a lost assignment would show."""
CLAIM_SECONDS = 40.0
"""How long a claim waits for broker and database: less than Faust waits for a seek before it goes on without it."""
CLAIM_AGAIN_SECONDS = 0.5
CLOSE_SECONDS = 2.0
BACKLOG_MAX = 400_000
"""Derived messages in memory per partition before the worker waits for its relay."""


IDLE_SECONDS = 0.25
"""Without a batch for this long, what is done between batches is done."""


class StreamWorker:
    """One process: its processor, a relay per claimed partition, and what is done between batches.

    A service with more to do (snapshots) overrides `taken_over`, `found_more` and `between_batches`.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        log_port: KafkaLog,
        *,
        name: str,
        topic: str,
        dead_letters: str,
        store: Any,
        host: Callable[[int], Hosted],
    ) -> None:
        """`topic` and `dead_letters` are full names; `name` makes the transactional ids; `store` implements the ports
        `shared.streams.positions.Store` and `shared.streams.relay.RelayStore`; `host` makes a partition's fold."""
        self.settings = settings
        self.name = name
        self.topic = topic
        self.dead_letters = dead_letters
        self.store = store
        self.processor = Processor(
            topic=topic,
            store=store,
            log_port=log_port,
            clock=SystemClock(),
            host=host,
            on_commit=self._committed,
            on_found=self._found,
        )
        self.relays: dict[int, PartitionRelay] = {}
        self.seek: Any = None
        """`await seek({partition: offset})`: set by the host once its consumer exists."""
        self.expected: dict[int, int] = {}
        self.claimed_for: tuple[frozenset[int], int] | None = None
        self._busy = asyncio.Lock()
        self._claims = asyncio.Lock()
        self._busy_at = 0.0
        self._fenced: set[int] = set()
        self._counted = Counts()
        self._again: asyncio.Task[None] | None = None

    async def taken_over(self, owned: Owned) -> None:
        """A partition was claimed, and its relay runs."""

    async def found_more(self, owned: Owned, position: Position) -> None:
        """A commit whose answer was lost went through: `position` is as the tables have it."""

    def between_batches(self, owned: Owned, *, idle: bool) -> None:
        """After each batch of a partition, and now and then while nothing comes."""

    # Claims -------------------------------------------------------------------------------------------------------

    async def claim(self, partitions: set[int], generation: int) -> Mapping[int, int]:
        """After an assignment: take the partitions over once per generation, and say where each one goes on."""
        if self._again is not None and self._again is not asyncio.current_task():
            self._again.cancel()
        async with self._claims:
            wanted = (frozenset(partitions), generation)
            if self.claimed_for != wanted or self._fenced:
                self.claimed_for = None
                async with self._busy:
                    await self._take_over_in_time(sorted(partitions))
                self.claimed_for = wanted
            self.expected = dict.fromkeys(self.processor.owned, 0)
            return self.positions()

    def positions(self) -> dict[int, int]:
        """Next offset of each owned partition."""
        return {p: owned.position.next_offset for p, owned in self.processor.owned.items()}

    def revoked(self) -> None:
        """The assignment is over: nothing is claimed until the next one."""
        self.claimed_for = None
        self._fenced.clear()

    async def _take_over_in_time(self, partitions: Sequence[int]) -> None:
        """Claim; a broker or database that is away for a moment is waited for, then the process ends, visibly."""
        deadline = time.monotonic() + CLAIM_SECONDS
        while True:
            try:
                return await self._take_over(partitions)
            except (RetryableError, FencedError) as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("claim will be tried again", partitions=list(partitions), error=str(error))
                await asyncio.sleep(CLAIM_AGAIN_SECONDS)

    async def _take_over(self, partitions: Sequence[int]) -> None:
        old, self.relays = self.relays, {}
        await asyncio.gather(*(relay.close() for relay in old.values()))
        self._fenced.clear()
        await self.processor.claim(partitions)
        relays = {partition: self._relay(partition) for partition in self.processor.owned}
        try:
            started = await asyncio.gather(*(relay.start() for relay in relays.values()), return_exceptions=True)
            for problem in started:
                if problem is not None:
                    raise problem
            for owned in self.processor.owned.values():
                await self.taken_over(owned)
        except BaseException:  # a relay that stayed would be fenced by the next claim's, and take that down
            self.processor.owned = {}
            await asyncio.gather(*(relay.close() for relay in relays.values()))
            raise
        self.relays = relays
        gc.collect()  # what the last claim left has cycles (clients), and there is little else to walk now
        log.info("claimed", partitions=list(partitions), halted=self.processor.halted)

    async def _found(self, owned: Owned, position: Position) -> None:
        """A commit whose answer was lost: relay what it left in the outbox."""
        rows = await self.store.unpublished(position.partition)
        await self.found_more(owned, position)
        for number, outgoing in rows:
            if number >= owned.position.outbox_next:
                self.relays[position.partition].hand_over(number, outgoing)

    def _relay(self, partition: int) -> PartitionRelay:
        async def new_publisher() -> SealingPublisher:
            name = f"{self.settings.topic_prefix}{self.name}-{partition}"
            publisher = KafkaPublisher(self.settings.kafka_bootstrap, name)
            await publisher.start()
            key = self.settings.dead_letter_key.get_secret_value()
            return SealingPublisher(publisher, self.dead_letters, key)

        return PartitionRelay(
            partition, store=self.store, new_publisher=new_publisher, on_fenced=lambda p: self._lost(p, "relay")
        )

    def _lost(self, partition: int, what: str) -> None:
        """A fenced worker that is still assigned claims again, but only after a while."""
        log.warning("fenced", partition=partition, what=what)
        self.processor.owned.pop(partition, None)
        self._fenced.add(partition)
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._claim_again(), name="claim again")

    async def _claim_again(self) -> None:
        before = self.claimed_for
        await asyncio.sleep(RECLAIM_SECONDS)
        if before is None or self.claimed_for != before or not self._fenced:
            return
        positions = await self.claim(set(before[0]), before[1])
        await self.seek(positions)

    # Batches ------------------------------------------------------------------------------------------------------

    async def take(self, batch: Batch) -> None:
        """Take one handed-over batch in. Whatever was fetched for a lost claim or before a seek is dropped."""
        partition = batch.partition
        async with self._busy:
            owned = self.processor.owned.get(partition)
            if owned is None or batch.run != self.current_run(partition):
                metrics.STALE.inc()
                return
            in_sequence = batch.sequence == self.expected.get(partition)
            self.expected[partition] = -1  # until this one is taken: a batch that was cut short proves no gap
            try:
                again = await self._process(owned, batch, in_sequence=in_sequence)
            except FencedError:
                metrics.FENCED.inc()
                self._lost(partition, "batch")
                return
            self.expected[partition] = batch.sequence + 1
        if again:
            await self.seek({partition: owned.position.next_offset})
            self.expected[partition] = 0
        if (relay := self.relays.get(partition)) and relay.backlog > BACKLOG_MAX:
            await relay.idle()

    def current_run(self, partition: int) -> int:  # noqa: ARG002 - the host's function has it
        """The consumer's current run of a partition; replaced by the host."""
        raise AssertionError("the host sets current_run")

    async def _process(self, owned: Owned, batch: Batch, *, in_sequence: bool) -> bool:
        """True: seek to the position and fetch again."""
        partition, first = batch.partition, batch.records[0].offset
        if first != owned.position.next_offset:
            certain = in_sequence and batch.sequence > 0
            if not await self.processor.accept_gap(partition, first, certain=certain):
                return partition in self.processor.owned
        started = time.perf_counter()
        taken = await self.processor.process(partition, owned.position.epoch, batch.records)
        metrics.TRANSACTION_SECONDS.observe(time.perf_counter() - started)
        metrics.LAST_EVENT.labels(partition).set(batch.records[-1].timestamp / 1000)
        self._busy_at = time.monotonic()
        self.between_batches(owned, idle=False)
        return not taken

    def _committed(self, owned: Owned, sequence: int, outgoing: Sequence[Message]) -> None:
        self.relays[owned.position.partition].hand_over(sequence, outgoing)

    # Between batches ----------------------------------------------------------------------------------------------

    async def keep_house(self) -> None:
        """Between batches: collect garbage; when no batch came for a moment, do what is left to do.

        Automatic collection is off: inside a batch it would walk tens of thousands of live events again and again (half
        of the decoding time), and what a batch leaves behind has no cycles.
        """
        collected = everything_at = time.monotonic()
        while True:
            await asyncio.sleep(IDLE_SECONDS)
            self.require_sound()
            idle = time.monotonic() - self._busy_at > IDLE_SECONDS
            if not idle and time.monotonic() - collected < COLLECT_SECONDS:
                continue
            async with self._busy:
                if time.monotonic() - collected >= COLLECT_SECONDS:
                    everything = idle and time.monotonic() - everything_at >= COLLECT_EVERYTHING_SECONDS
                    gc.collect(2 if everything else 1)
                    collected = time.monotonic()
                    everything_at = collected if everything else everything_at
                for owned in self.processor.owned.values() if idle else ():
                    self.between_batches(owned, idle=True)

    def require_sound(self) -> None:
        """Raise what ended a task of this worker that nobody awaits: the process ends with it, visibly."""
        for relay in self.relays.values():
            if relay.failure is not None:
                raise relay.failure
        if self._again is not None and self._again.done() and not self._again.cancelled():
            self._again.result()

    # What the process says about itself ---------------------------------------------------------------------------

    def not_ready(self) -> str | None:
        """Why this worker is not ready, or None."""
        return None if self.claimed_for is not None else "no partitions claimed yet"

    def refresh_metrics(self) -> None:
        """Bring counters and gauges up to date before a scrape."""
        metrics.refresh(self.processor, self.relays, self._counted)

    async def close(self) -> None:
        """Publish what can be published within a few seconds, then let go; the rest stays in the outbox."""
        if self._again is not None:
            self._again.cancel()
        with contextlib.suppress(TimeoutError, RetryableError, FencedError, HaltedPartition):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(relay.idle() for relay in self.relays.values()))
        await asyncio.gather(*(relay.close() for relay in self.relays.values()))
