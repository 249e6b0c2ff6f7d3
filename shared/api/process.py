"""An API as a process, and what its composition root is made of. A service's `api/__main__.py` is

    @contextlib.asynccontextmanager
    async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
        schema = SERVICE.api_schema(settings)
        async with api_pool(settings, schema, COMMANDS, MIGRATIONS) as pool:
            await verify_topics(settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions)
            relay = command_relay(pool, settings, "origination-api")
            commands = Commands(pool, scope=schema, on_recorded=relay.wake)

            async def unready() -> list[str]:
                return await missing(pool, COMMANDS, MIGRATIONS, relay=relay)

            yield Served(create_app("Lendlog origination", ROUTES, MATRIX, Services(commands, pool, unready)), relay)

    if __name__ == "__main__":
        run("origination-api", ServiceSettings(), build)

where SERVICE is the service's `SubjectService`, COMMANDS is `shared.commands.MIGRATIONS`, and MIGRATIONS the folder of
the API's own tables.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import uvicorn
from fastapi import FastAPI

from shared import telemetry
from shared.database import open_pool, require_current
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams import crash_points
from shared.streams.command_outbox import CommandRelay
from shared.streams.kafka import KafkaPublisher

REQUESTS_SECONDS = 4
"""For requests under way, after SIGTERM."""
BACKGROUND_SECONDS = 1.0
"""For background tasks to end, once they are cancelled."""
OUTBOX_SECONDS = 3.0
"""For what was recorded; what is left is published at the next start."""
CLOSE_SECONDS = 1.0
POOL_SIZE = 8
ANSWER_SECONDS = 2
"""How long /readyz waits for the database."""
NO_ANSWER = "The database doesn't answer."
_log = telemetry.logger(__name__)


class EndedEarly(Exception):
    """A background task ended although it should run for as long as the process does."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a process runs. `background` tasks (by name) run for as long as the process does: each is cancelled when the
    process leaves, and one that fails, or returns, ends the process with its trace and exit code 1."""

    app: FastAPI
    relay: CommandRelay | None = None
    background: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=dict)


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
Build = Callable[[SettingsT], AbstractAsyncContextManager[Served]]
"""The composition root: opens what the process needs, yields it, and closes it."""


def run(name: str, settings: SettingsT, build: Build[SettingsT]) -> None:
    """The whole of a process called `name` in logs. A MissingPrecondition is said in one line, with exit code 2."""
    telemetry.configure_logging(name, settings.log_level)
    crash_points.arm(settings.crash_at, settings.crash_log)
    try:
        asyncio.run(serve(settings, build))
    except MissingPrecondition as error:
        _log.error("cannot start", reason=str(error))
        sys.exit(2)


async def serve(settings: SettingsT, build: Build[SettingsT]) -> None:
    """Serve until SIGTERM or SIGINT, then leave within 10 s: requests first, then background tasks, then the outbox
    (a broker that doesn't answer may take longer to let go of).

    Raises what a background task or the relay failed with.
    """
    async with build(settings) as served:
        server = _Server(
            uvicorn.Config(
                served.app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=REQUESTS_SECONDS,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _leave, server)
        background = [asyncio.create_task(_lasting(name, body, server)) for name, body in served.background.items()]
        publishing = [asyncio.create_task(served.relay.run())] if served.relay else []
        for task in (*background, *publishing):
            task.add_done_callback(lambda _: _leave(server))
        try:
            await server.serve()
            await _end(background, BACKGROUND_SECONDS)
            if served.relay:
                served.relay.stop()
                await asyncio.wait(publishing, timeout=OUTBOX_SECONDS)
        finally:  # what still runs would hold connections that the pools wait for
            await _end([*background, *publishing], BACKGROUND_SECONDS)
        for task in (*background, *publishing):
            if task.done() and not task.cancelled():
                task.result()


@contextlib.asynccontextmanager
async def api_pool(
    settings: ServiceSettings, schema: str, *migrations: Path, size: int = POOL_SIZE
) -> AsyncIterator[asyncpg.Pool]:
    """A pool on `schema`, which has every migration of these folders; raises MissingPrecondition."""
    url = settings.database_url.get_secret_value()
    if not url:
        raise MissingPrecondition("Set LENDLOG_DATABASE_URL to the API's own database role.")
    try:
        pool = await open_pool(url, schema, size=size)
    except (OSError, asyncpg.PostgresError) as error:
        raise MissingPrecondition(f"The database does not let us in: {error}") from error
    try:
        async with pool.acquire() as connection:
            for folder in migrations:
                await require_current(connection, folder)
        yield pool
    finally:
        with contextlib.suppress(TimeoutError):  # then it is terminated
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()


def command_relay(pool: asyncpg.Pool, settings: ServiceSettings, name: str) -> CommandRelay:
    """The relay of the outbox in the pool's schema; `name`, with the platform's prefix, is its transactional id."""
    full = f"{settings.topic_prefix}{name}"
    return CommandRelay(
        pool, lambda: KafkaPublisher(settings.kafka_bootstrap, full), name=full, partitions=settings.partitions
    )


async def missing(pool: asyncpg.Pool, *migrations: Path, relay: CommandRelay | None = None) -> list[str]:
    """What keeps an API from being ready: its database, a migration, or its relay. A sentence each."""
    found = []
    try:
        async with asyncio.timeout(ANSWER_SECONDS), pool.acquire() as connection:
            for folder in migrations:
                await require_current(connection, folder)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        found.append(NO_ANSWER)
    except MissingPrecondition as error:
        found.append(str(error))
    if relay is not None and not relay.ready:
        found.append("The relay has not reached the broker.")
    return found


class _Server(uvicorn.Server):
    """Uvicorn, leaving the signals to us: its own handling would end the process before the outbox is drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _leave(server: uvicorn.Server) -> None:
    server.should_exit = True


async def _lasting(name: str, body: Callable[[], Coroutine[Any, Any, None]], server: uvicorn.Server) -> None:
    try:
        await body()
    except Exception:
        _log.exception("background task failed", task=name)
        raise
    if not server.should_exit:
        raise EndedEarly(f"The background task {name} ended.")


async def _end(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Cancel the tasks, and wait for them as long as that."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
