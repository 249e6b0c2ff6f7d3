"""The process around a worker: Faust, health, signals. A service's composition root hands in what is its own (D6)."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import faust

from shared import telemetry
from shared.database import open_pool, require_current
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams import crash_points
from shared.streams.health import serve_health
from shared.streams.kafka import KafkaLog
from shared.streams.topic_admin import verify_topics
from shared.streams.transport import new_app
from shared.streams.worker import StreamWorker
from shared.topics import Topic

LEAVE_SECONDS = 8.0
"""From a signal or a crash to the end; a client whose server is away may wait longer than that."""
POOL_SIZE = 6
log = telemetry.logger(__name__)


class SideTask(Protocol):
    """Something that a worker process does beside its batches. `run` ends by `stop`, or by what nobody expected."""

    ready: bool

    async def run(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a service brings to its worker process."""

    name: str
    """The consumer group, and the name in the log."""
    topic: Topic
    """What the worker folds."""
    topics: Sequence[Topic]
    """What must be as the map has it before the process starts."""
    schema: str
    migrations: Sequence[Path]
    worker: Callable[[asyncpg.Pool, KafkaLog], StreamWorker]
    side_tasks: Sequence[SideTask] = field(default=())


class Process:
    """What the process opens before the first claim and closes after the last batch."""

    def __init__(self, settings: ServiceSettings, hosting: Hosting) -> None:
        self.settings = settings
        self.hosting = hosting
        self.topic = settings.topic_prefix + hosting.topic.name
        self.app = new_app(
            settings.topic_prefix + hosting.name,
            bootstrap=settings.kafka_bootstrap,
            claim=self._claim,
            positions=lambda: self.worker.positions(),  # noqa: PLW0108 - there is no worker yet
            batch_records=settings.batch_records,
            session_seconds=settings.session_seconds,
        )
        self.channel = self.app.topic(self.topic, key_serializer="raw", value_serializer="records", acks=False)
        self.worker: StreamWorker
        self._pool: asyncpg.Pool
        self._log_port: KafkaLog
        self._health: Any = None

    async def start(self) -> None:
        """Open everything; refuse to start on a schema or topics that are not as the code needs them."""
        settings, hosting = self.settings, self.hosting
        self._pool = await open_pool(settings.database_url.get_secret_value(), hosting.schema, size=POOL_SIZE)
        async with self._pool.acquire() as connection:
            for folder in hosting.migrations:
                await require_current(connection, folder)
        await verify_topics(
            settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            topics=hosting.topics,
            partitions=settings.partitions,
        )
        self._log_port = KafkaLog(settings.kafka_bootstrap)
        await self._log_port.start()
        worker = self.worker = hosting.worker(self._pool, self._log_port)
        topic, consumer = self.topic, self._consumer()
        worker.current_run = lambda partition: consumer.runs.get(faust.types.TP(topic, partition), -1)  # type: ignore[method-assign]

        async def seek(offsets: dict[int, int]) -> None:
            await consumer.seek_anew({faust.types.TP(topic, p): offset for p, offset in offsets.items()})

        async def revoked(*_: Any, **__: Any) -> None:
            worker.revoked()

        worker.seek = seek
        self.app.on_partitions_revoked.connect(revoked, weak=False)
        self._health = await serve_health(
            settings.host, settings.port, not_ready=self._not_ready, refresh=worker.refresh_metrics
        )

    def _consumer(self) -> Any:
        return self.app.consumer

    def _not_ready(self) -> str | None:
        if reason := self.worker.not_ready():
            return reason
        return None if all(task.ready for task in self.hosting.side_tasks) else "the inbox is not being filled yet"

    async def stop(self) -> None:
        """Close everything, the publishers first."""
        for task in self.hosting.side_tasks:
            task.stop()
        if self._health is not None:
            await self.worker.close()
            await self._health.cleanup()
            await self._log_port.stop()
            await self._pool.close()

    async def _claim(self, partitions: set[int], generation: int) -> Any:
        return await self.worker.claim(partitions, generation)


def build(settings: ServiceSettings, hosting: Hosting) -> faust.App:
    """The Faust app with its one agent."""
    process = Process(settings, hosting)
    app = process.app
    app.on_start = process.start  # type: ignore[method-assign] # Faust's own hooks; app.task runs after the first claim
    app.on_shutdown = process.stop  # type: ignore[method-assign]

    @app.agent(process.channel)
    async def take_in(batches: Any) -> None:
        consumer: Any = app.consumer
        async for batch in batches:
            await process.worker.take(batch)
            consumer.ahead = max(0, consumer.ahead - 1)

    @app.task  # type: ignore[untyped-decorator]
    async def keep_house() -> None:
        await process.worker.keep_house()

    for task in hosting.side_tasks:
        app.task(task.run)

    return app


class Worker(faust.Worker):
    """Faust's worker, with our logging instead of its own, and gone within 10 s whatever its clients wait for."""

    def _setup_logging(self) -> None:
        return

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        _end_after(LEAVE_SECONDS, 0)
        super()._schedule_shutdown(signal)

    def _crash(self, reason: BaseException) -> None:
        _end_after(LEAVE_SECONDS, 1)
        super()._crash(reason)


def _end_after(seconds: float, code: int) -> None:
    """End the process by force after this time: what is not committed by then is taken in again by the next owner."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()


def main(new_hosting: Callable[[ServiceSettings], Hosting]) -> None:
    """Run until SIGTERM or SIGINT."""
    gc.disable()  # see StreamWorker.keep_house: collected between batches, not inside them
    settings = ServiceSettings()
    hosting = new_hosting(settings)
    telemetry.configure_logging(hosting.name, settings.log_level)
    crash_points.arm(settings.crash_at, settings.crash_log)
    try:
        Worker(build(settings, hosting), quiet=True, redirect_stdouts=False).execute_from_commandline()
    except MissingPrecondition as missing:
        sys.stderr.write(f"{missing}\n")
        sys.exit(2)
    except asyncio.CancelledError:
        pass
