"""Publishes what the outside tells about borrowers and markets, and waits until a service has it in its order.

A signal counts from the closing of the business date that is open when it arrives in monitoring's inbox. So whoever
publishes the signals of a long time does it step by step: not before a date is open there, and the date is not closed
before they are in.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from lendlog.books import STALLED_SECONDS
from lendlog.platform import Platform
from lendlog.services import OF_BORROWERS, of_borrowers
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.events.envelope import CONTENT_TYPE, Envelope
from shared.events.signals import IndicatorPublished
from shared.partitioner import partition_for
from shared.settings import ServiceSettings
from shared.topics import MARKET, SIGNALS

HEADERS = [("content-type", CONTENT_TYPE.encode())]
LOOK_SECONDS = 0.01
"""Between two looks at how far a service is."""


class SignalPublisher:
    """Writes to the topics of signals and markets, and watches how far a service's merger has copied them."""

    def __init__(self, bootstrap: str, settings: ServiceSettings, *, stalled_seconds: float = STALLED_SECONDS) -> None:
        self._bootstrap, self._settings = bootstrap, settings
        self._stalled_seconds = stalled_seconds
        self._producer: Any = None
        self._admin: Any = None
        self._coordinators: dict[str, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True)
        await self._producer.start()
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect; harmless when not started."""
        with contextlib.suppress(KafkaError, OSError):
            if self._producer is not None:
                await self._producer.stop()
            if self._admin is not None:
                await self._admin.close()

    async def publish(self, signals: Sequence[Envelope]) -> None:
        """Append the events, in order; return once the broker has them all."""
        prefix, sent = self._settings.topic_prefix, []
        for signal in signals:
            topic = prefix + (MARKET if isinstance(signal, IndicatorPublished) else SIGNALS).name
            key = signal.subject.encode()
            partition = partition_for(key, self._settings.partitions)
            sent.append(
                await self._producer.send(topic, signal.to_json(), key=key, partition=partition, headers=HEADERS)
            )
        for appended in await asyncio.gather(*sent):
            at = TopicPartition(appended.topic, appended.partition)
            self._ends[at] = max(self._ends.get(at, 0), appended.offset + 1)

    async def until_copied(self, service: str) -> None:
        """Wait until the service's inbox holds everything that was published here."""
        group = f"{self._settings.topic_prefix}{service}-merger"
        if group not in self._coordinators:
            self._coordinators[group] = await self._admin.find_coordinator(group)

        async def left() -> tuple[int, int]:
            waiting = list(self._ends)
            offsets = await self._admin.list_consumer_group_offsets(group, self._coordinators[group], waiting)
            copied = sum(max(0, offsets[at].offset) for at in waiting)
            return sum(offsets[at].offset < self._ends[at] for at in waiting), copied

        if self._ends:
            await until_none_left(left, f"what was published in {service}'s inbox", self._stalled_seconds)


async def until_open(connection: Any, day: date, service: str, *, stalled_seconds: float = STALLED_SECONDS) -> None:
    """Wait until `day` is open in every partition of the service: every date before it is closed there.

    `connection`: asyncpg's, its search path the service's schema.
    """

    async def left() -> tuple[int, int]:
        row = await connection.fetchrow(_OPEN_DATES, day)
        if row["halted"] is not None:
            raise MissingPrecondition(f"A partition of {service} stopped: {row['halted']}")
        return int(row["behind"]), int(row["reached"])

    await until_none_left(left, f"{day} open in {service}", stalled_seconds)


# Partitions that are behind a date, how far all are, and why one stopped.
_OPEN_DATES = """
SELECT count(*) FILTER (WHERE open_date < $1 OR open_date IS NULL) AS behind, coalesce(sum(next_offset), 0) AS reached,
       max(halted) AS halted
FROM position
"""


async def until_none_left(left: Callable[[], Awaitable[tuple[int, int]]], what: str, stalled_seconds: float) -> None:
    """Wait until `left` says that none is left; it tells how far all are as well. Raises MissingPrecondition if nothing
    has moved for `stalled_seconds`."""
    reached, moved = -1, time.monotonic()
    while True:
        count, now = await left()
        if count == 0:
            return
        if now != reached:
            reached, moved = now, time.monotonic()
        elif time.monotonic() - moved > stalled_seconds:
            raise MissingPrecondition(
                f"There is still not {what} after {stalled_seconds:.0f} s: look at `lendlog status` and the logs."
            )
        await asyncio.sleep(LOOK_SECONDS)


async def until_closed(platform: Platform, day: date) -> None:
    """Wait until every running service that keeps a state per borrower has taken in the closing of `day`."""
    for name in platform.services:
        if name in OF_BORROWERS:
            async with reading_service(platform, name) as connection:
                await until_open(connection, day + timedelta(days=1), name)


@asynccontextmanager
async def reading_service(platform: Platform, service: str) -> AsyncIterator[Any]:
    """A connection by the reader's role whose search path is the service's schema."""
    connection = await connect(platform.url("reader"), of_borrowers(service).schema(ServiceSettings()))
    try:
        yield connection
    finally:
        await connection.close()


class Outside:
    """Publishes signals in step with the services that read them."""

    def __init__(self, publisher: SignalPublisher, readers: Mapping[str, Any]) -> None:
        """`readers`: services, each with a connection to its schema. Without any, nothing is waited for."""
        self._publisher, self._readers = publisher, readers

    @classmethod
    @asynccontextmanager
    async def of(cls, platform: Platform) -> AsyncIterator["Outside"]:
        """On a platform, for the duration of the context."""
        async with contextlib.AsyncExitStack() as stack:
            publisher = SignalPublisher(platform.kafka_bootstrap, ServiceSettings())
            stack.push_async_callback(publisher.stop)
            await publisher.start()
            readers = {
                name: await stack.enter_async_context(reading_service(platform, name))
                for name in platform.services
                if name in SIGNALS.readers
            }
            yield cls(publisher, readers)

    async def publish(self, day: date | None, signals: Sequence[Envelope]) -> None:
        """Publish signals once the date is open for those who read them, and return when they have them. `None`: those
        from before the book, at once."""
        if day is not None:
            for name, connection in self._readers.items():
                await until_open(connection, day, name)
        await self._publisher.publish(signals)
        for name in self._readers:
            await self._publisher.until_copied(name)
