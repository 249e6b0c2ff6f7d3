"""Faust fed with whole partition batches, from positions that the database owns (D6).

Stock Faust hands over one message at a time and acknowledges what its handlers did not finish; here it assigns
partitions, keeps the group alive and hands over lists of records. Topics are `acks=False`; Kafka's committed offsets
are not used.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

import faust
from faust.serializers import codecs
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage

from shared.streams.ports import Record

FETCH_WAIT_MS = 50
"""How long the broker may hold an empty fetch: about the longest wait of a record that was just written."""


BATCHES_AHEAD_MAX = 4
"""Batches handed over and not yet taken, before fetching pauses. Faust's own back-pressure stays off: a partition whose
queue is cleared by a rebalance while it is marked full is never fetched again (seen with 0.15.3)."""
AHEAD_SECONDS = 0.005
OFFSETS_ABOVE_ALL = 1 << 61
REQUEST_SECONDS = 60.0
CLAIM_SECONDS_MAX = REQUEST_SECONDS - 10
"""Faust goes on without the seek after REQUEST_SECONDS; a claim that takes this long ends the process before that."""


class Batch(NamedTuple):
    """What the agent gets: records of one partition, in order, fetched one after another since the `run` began."""

    partition: int
    run: int
    sequence: int
    records: list[Record]


class _Unchanged(codecs.Codec):
    """A batch is already the list of records: nothing to load."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register("records", _Unchanged())

Claim = Callable[[set[int], int], Awaitable[Mapping[int, int]]]
"""(partitions, generation) → next offset of each partition that may be consumed."""


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only: the command relay writes in transactions."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has no setting for either
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer


class BatchConsumer(driver.Consumer):
    """Hands over batches, and seeks to claimed positions after every assignment."""

    def _new_consumer_thread(self) -> Any:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs: dict[TP, int] = {}
        self.sequences: dict[TP, int] = {}
        self.ahead = 0
        """Batches handed over and not yet taken; the host counts down."""
        self.dropped: set[TP] = set()
        """Partitions of which something was fetched and not handed over."""
        self._handed_over = 0
        self._claiming = asyncio.Lock()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - Faust calls it
        """One message per fetched partition batch; a batch fetched around a seek or a rebalance is dropped."""
        # Polled: three conditions end this wait, and Faust has an event for one of them.
        while self.ahead > BATCHES_AHEAD_MAX and self.flow_active and not self.should_stop:  # noqa: ASYNC110
            await asyncio.sleep(AHEAD_SECONDS)
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type] # an event of mode's or of asyncio's
        if self.dropped:
            await self._fetch_again()
        runs = dict(self.runs)  # not before the wait: what is fetched after a rebalance's seek belongs to its run
        generation = self.app.consumer_generation_id
        found, _active = await self._wait_next_records(timeout)
        fetched = found or {}
        left = {tp for tp, records in fetched.items() if records}
        try:
            for tp in sorted(left):
                if not self.flow_active or self.should_stop or self.app.consumer_generation_id != generation:
                    return
                run = self.runs.get(tp)
                if run is not None and run == runs.get(tp):
                    left.discard(tp)
                    yield tp, self._message(tp, run, fetched[tp], generation)
        finally:
            self.dropped |= left

    def _message(self, tp: TP, run: int, records: list[Any], generation: int) -> ConsumerMessage:
        """One Faust message for a batch. Its offset only ever grows, for Faust drops a message whose offset is below
        the last one's, also after a seek back; nothing else looks at it."""
        sequence = self.sequences[tp] = self.sequences.get(tp, -1) + 1
        self.ahead += 1
        self._handed_over += 1
        batch: Any = Batch(tp.partition, run, sequence, records)  # where Faust has bytes, see _Unchanged
        last = records[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, OFFSETS_ABOVE_ALL + self._handed_over, last.timestamp / 1000, last.timestamp_type,
            None, None, batch, None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip

    async def _fetch_again(self) -> None:
        """Seek to the position of every partition of which something was fetched and not handed over: it may have come
        from after a seek, and would never be fetched again."""
        transport: Any = self.transport
        positions = transport.positions()
        dropped, self.dropped = self.dropped, set()
        await self.seek_anew({tp: positions[tp.partition] for tp in dropped if tp.partition in positions})

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust after every assignment, and sometimes twice for one: claim, then seek."""
        async with self._claiming:
            self.ahead = 0  # the rebalance cleared Faust's queues
            assigned: Iterable[TP] = self.assignment()
            topics = {tp.partition: tp for tp in assigned}
            transport: Any = self.transport
            claim: Claim = transport.claim
            async with asyncio.timeout(CLAIM_SECONDS_MAX):
                positions = await claim(set(topics), self.app.consumer_generation_id)
            for tp in list(self.runs):
                if tp.partition not in positions:
                    del self.runs[tp]
            offsets = {topics[partition]: offset for partition, offset in positions.items()}
            await self.seek_anew(offsets)
            return offsets

    async def seek_anew(self, offsets: Mapping[TP, int]) -> None:
        """Seek, and begin a new run of each partition: what was fetched before the seek is not handed over."""
        for tp in offsets:
            self.runs[tp] = self.runs.get(tp, 0) + 1
        await self.seek_wait(offsets)
        for tp in offsets:
            self.runs[tp] += 1
            self.sequences[tp] = -1


class BatchTransport(driver.Transport):
    """`claim` and `positions` (the next offset of each partition that is owned now) are the host's."""

    Consumer = BatchConsumer
    claim: Claim
    positions: Callable[[], Mapping[int, int]]


class BatchApp(faust.App):
    """Keeps nothing on disk, so it makes no folders; stock Faust makes three even without tables."""

    def _create_directories(self) -> None:
        return


def new_app(
    name: str,
    *,
    bootstrap: str,
    claim: Claim,
    positions: Callable[[], Mapping[int, int]],
    batch_records: int,
    session_seconds: float,
) -> faust.App:
    """A Faust app on this transport: no tables, no web server, no leader topic, no acknowledgements."""
    from yarl import URL

    broker = f"kafka://{bootstrap}"
    app = BatchApp(
        name,
        broker=broker,
        store="memory://",
        web_enabled=False,
        agent_supervisor="mode.CrashingSupervisor",  # an error that nobody expected ends the process, visibly
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=1 << 20,  # see BATCHES_AHEAD_MAX
        broker_max_poll_records=batch_records,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=min(1.0, session_seconds / 5),
        broker_rebalance_timeout=20.0,
        broker_request_timeout=REQUEST_SECONDS,
        broker_max_poll_interval=600.0,
        consumer_max_fetch_size=16 << 20,
    )
    transport = BatchTransport([URL(broker)], app)
    transport.claim = claim
    transport.positions = positions
    app.transport = transport
    return app
