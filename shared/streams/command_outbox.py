"""The API's relay: rows that commands left in the table `outbox` become records on the log, in order (D8).

Readers drop by event id what a crash between Kafka's commit and the deletion makes the relay publish again.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import asyncpg

from shared import telemetry
from shared.events.envelope import CONTENT_TYPE
from shared.partitioner import partition_for
from shared.streams.crash_points import reach
from shared.streams.ports import FencedError, Message, Publisher, RetryableError

BATCH_ROWS = 5000
"""Rows of one Kafka transaction at most."""
POLL_SECONDS = 0.05
"""How long rows of another process wait at most to be seen; this process's own commands wake the relay."""
STANDBY_SECONDS = 0.5
"""How often a relay that doesn't lead asks whether it may."""
BACKOFF_SECONDS = 1.0
HEADERS = (("content-type", CONTENT_TYPE.encode()),)

OLDEST = telemetry.gauge(
    "lendlog_command_outbox_oldest_seconds", "seconds", "Age of the oldest event that is not yet on the log"
)
PUBLISHED = telemetry.counter("lendlog_command_outbox_published_total", "events", "Events that the relay published")
LEADING = telemetry.gauge("lendlog_command_outbox_leading", "0 or 1", "Whether this process publishes the API's events")
FAILURES = telemetry.counter(
    "lendlog_command_outbox_failures_total", "failures", "Times the relay had to start again, by what failed", "what"
)
_log = telemetry.logger(__name__)


class StartablePublisher(Publisher, Protocol):
    """A publisher that becomes the only one of its name by `start`."""

    async def start(self) -> None: ...


class CommandRelay:
    """Publishes the outbox of one API schema.

    One relay leads: the one whose database session holds an advisory lock, so that two API processes don't fence each
    other in turns. A leader that lost its session without noticing is fenced by Kafka, for its successor's publisher
    has the same transactional id. Rows pass only below `pg_snapshot_xmin`: every transaction with a lower id has ended,
    so nothing can still come that would have to stand before them (shared/commands.py says why ids ascend). A
    long-running writer anywhere in the database cluster therefore holds the relay; OLDEST tells.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        new_publisher: Callable[[], StartablePublisher],
        *,
        name: str,
        partitions: int,
        batch_rows: int = BATCH_ROWS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`name` is the publisher's transactional id; the leader's lock is derived from it."""
        self._pool = pool
        self._new_publisher = new_publisher
        self._name = name
        self._partitions = partitions
        self._batch_rows = batch_rows
        self._poll_seconds = poll_seconds
        self._lock_number = int.from_bytes(hashlib.sha256(f"lead {name}".encode()).digest()[:8], "big", signed=True)
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._looked_at = 0.0
        self.ready = False
        """Whether this relay leads, or stands by for another one that does."""

    def wake(self) -> None:
        """There are new rows. Call it in the relay's event loop."""
        self._wake.set()

    def stop(self) -> None:
        """Publish what is there, then let `run` return."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Lead or stand by until `stop`; whatever fails is logged, counted, and tried again."""
        while not self._stop.is_set():
            try:
                async with self._pool.acquire() as connection:  # releasing it gives the lock up
                    if await connection.fetchval(_TRY_TO_LEAD, self._lock_number):
                        await self._lead(connection)
                    else:
                        self.ready = True
                        await self._observe(connection)
                await _wait(self._stop, STANDBY_SECONDS)
            except FencedError as error:
                await self._failed("fenced", error)
            except RetryableError as error:
                await self._failed("broker", error)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                await self._failed("database", error)

    async def _lead(self, connection: Any) -> None:
        publisher = self._new_publisher()
        try:
            await publisher.start()
            LEADING.set(1)
            self.ready = True
            _log.info("relay leads", name=self._name)
            while True:
                self._wake.clear()
                published = await self._publish_some(connection, publisher)
                await self._observe(connection)
                if published < self._batch_rows:
                    if self._stop.is_set():
                        return
                    await _wait(self._wake, self._poll_seconds)
        finally:
            LEADING.set(0)
            await publisher.close()

    async def _publish_some(self, connection: Any, publisher: Publisher) -> int:
        """One Kafka transaction of the next rows, then their deletion; returns how many there were."""
        rows = await connection.fetch(_NEXT, self._batch_rows)
        if not rows:
            return 0
        reach("command-relay.before-publish")
        await publisher.publish(map(self._message, rows))
        reach("command-relay.after-publish")
        await connection.execute(_DELETE, rows[0]["sequence"], rows[-1]["sequence"], rows[-1]["gate"])
        PUBLISHED.inc(len(rows))
        return len(rows)

    def _message(self, row: Any) -> Message:
        key, partition = row["aggregateid"].encode(), row["partition"]
        if partition is None:
            partition = partition_for(key, self._partitions)
        return Message(row["aggregatetype"], partition, key, row["payload"], HEADERS)

    async def _observe(self, connection: Any) -> None:
        """Bring the gauge up to date, once a second."""
        if time.monotonic() - self._looked_at >= 1.0:
            self._looked_at = time.monotonic()
            OLDEST.set(await connection.fetchval(_OLDEST) or 0.0)

    async def _failed(self, what: str, error: Exception) -> None:
        self.ready = False
        FAILURES.labels(what).inc()
        _log.warning("relay starts again", name=self._name, what=what, error=repr(error))
        await _wait(self._stop, BACKOFF_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or the time is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


# True where this session now leads (or led already).
_TRY_TO_LEAD = "SELECT pg_try_advisory_lock($1)"
# The next settled rows, in order, and the gate they passed.
_NEXT = """
SELECT sequence, aggregatetype, aggregateid, partition, payload, gate::text
FROM outbox, (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS gate) AS snapshot
WHERE transaction_id < gate
ORDER BY sequence LIMIT $1
"""
# The rows that _NEXT gave: between the first and the last of them, all that passed the same gate, and nothing that came
# later, since below the gate every transaction had ended.
_DELETE = "DELETE FROM outbox WHERE sequence BETWEEN $1 AND $2 AND transaction_id < $3::text::xid8"
_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - written_at)::float8 FROM outbox ORDER BY sequence LIMIT 1
"""
