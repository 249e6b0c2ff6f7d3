"""The ledger worker's composition root: `python -m services.ledger.app` (D6)."""

import asyncio
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import asyncpg
import faust

from services.ledger.worker import PROCESSOR, LedgerWorker
from shared import telemetry
from shared.database import open_pool, require_current
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams import crash_points
from shared.streams.health import serve_health
from shared.streams.kafka import KafkaLog
from shared.streams.topic_admin import verify_topics
from shared.streams.transport import new_app
from shared.topics import LIFECYCLE

LEAVE_SECONDS = 8.0
"""From a signal or a crash to the end; a client whose server is away may wait longer than that."""
MIGRATIONS = Path(__file__).parent / "migrations"
log = telemetry.logger(__name__)


class Process:
    """What the process opens before the first claim and closes after the last batch."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.app = new_app(
            settings.topic_prefix + PROCESSOR,
            bootstrap=settings.kafka_bootstrap,
            claim=self._claim,
            positions=lambda: self.worker.positions(),  # noqa: PLW0108 - there is no worker yet
            batch_records=settings.batch_records,
            session_seconds=settings.session_seconds,
        )
        self.lifecycle = self.app.topic(
            settings.topic_prefix + LIFECYCLE.name, key_serializer="raw", value_serializer="records", acks=False
        )
        self.worker: LedgerWorker
        self._pool: asyncpg.Pool
        self._log_port: KafkaLog
        self._health: Any = None

    async def start(self) -> None:
        """Open everything; refuse to start on a schema or topics that are not as the code needs them."""
        settings = self.settings
        url, schema = settings.database_url.get_secret_value(), settings.ledger_schema
        self._pool = await open_pool(url, schema, size=6)
        async with self._pool.acquire() as connection:
            await require_current(connection, MIGRATIONS)
        await verify_topics(settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions)
        self._log_port = KafkaLog(settings.kafka_bootstrap)
        await self._log_port.start()
        worker = self.worker = LedgerWorker(settings, self._pool, self._log_port)
        topic = settings.topic_prefix + LIFECYCLE.name
        consumer: Any = self.app.consumer
        worker.current_run = lambda partition: consumer.runs.get(faust.types.TP(topic, partition), -1)  # type: ignore[method-assign]

        async def seek(offsets: dict[int, int]) -> None:
            await consumer.seek_anew({faust.types.TP(topic, p): offset for p, offset in offsets.items()})

        async def revoked(*_: Any, **__: Any) -> None:
            worker.revoked()

        worker.seek = seek
        self.app.on_partitions_revoked.connect(revoked, weak=False)
        self._health = await serve_health(
            settings.host, settings.port, not_ready=worker.not_ready, refresh=worker.refresh_metrics
        )

    async def stop(self) -> None:
        """Close everything, the publishers first."""
        if self._health is not None:
            await self.worker.close()
            await self._health.cleanup()
            await self._log_port.stop()
            await self._pool.close()

    async def _claim(self, partitions: set[int], generation: int) -> Any:
        return await self.worker.claim(partitions, generation)


def build(settings: ServiceSettings) -> faust.App:
    """The Faust app with its one agent."""
    process = Process(settings)
    app = process.app
    app.on_start = process.start  # type: ignore[method-assign] # Faust's own hooks; app.task runs after the first claim
    app.on_shutdown = process.stop  # type: ignore[method-assign]

    @app.agent(process.lifecycle)
    async def post_entries(batches: Any) -> None:
        consumer: Any = app.consumer
        async for batch in batches:
            await process.worker.take(batch)
            consumer.ahead = max(0, consumer.ahead - 1)

    @app.task  # type: ignore[untyped-decorator]
    async def keep_house() -> None:
        await process.worker.keep_house()

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


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    gc.disable()  # see LedgerWorker.keep_house: collected between batches, not inside them
    settings = ServiceSettings()
    telemetry.configure_logging("ledger", settings.log_level)
    crash_points.arm(settings.crash_at, settings.crash_log)
    try:
        worker = Worker(build(settings), quiet=True, redirect_stdouts=False)
        worker.execute_from_commandline()
    except MissingPrecondition as missing:
        sys.stderr.write(f"{missing}\n")
        sys.exit(2)
    except asyncio.CancelledError:
        pass


if __name__ == "__main__":
    main()
