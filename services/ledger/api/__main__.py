"""The API's process: its composition root. SIGTERM drains requests and outbox and leaves within 10 s."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

import asyncpg
import uvicorn

from services.ledger.api.app import create_app
from services.ledger.api.serving import Services
from services.ledger.commands import LedgerCommands
from services.ledger.schema import API_MIGRATIONS
from shared import telemetry
from shared.database import open_pool, require_current
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams import crash_points
from shared.streams.command_outbox import CommandRelay
from shared.streams.kafka import KafkaPublisher
from shared.streams.topic_admin import verify_topics
from shared.topics import LIFECYCLE

REQUESTS_SECONDS = 4
"""For requests under way, after SIGTERM."""
OUTBOX_SECONDS = 3.0
"""For what they recorded; what is left is published at the next start."""
POOL_SIZE = 8
_log = telemetry.logger(__name__)


class Server(uvicorn.Server):
    """Uvicorn, leaving the signals to us: its own handling would end the process before the outbox is drained."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Capture none."""
        yield


async def main(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with _services(settings) as (services, relay):
        config = uvicorn.Config(
            create_app(services),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=REQUESTS_SECONDS,
        )
        server = Server(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _leave, server)
        publishing = asyncio.create_task(relay.run())
        publishing.add_done_callback(lambda _: _leave(server))
        await server.serve()
        relay.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTBOX_SECONDS):
                await publishing


def _leave(server: uvicorn.Server) -> None:
    server.should_exit = True


@contextlib.asynccontextmanager
async def _services(settings: ServiceSettings) -> AsyncIterator[tuple[Services, CommandRelay]]:
    url = settings.database_url.get_secret_value()
    if not url:
        raise MissingPrecondition("Set LENDLOG_DATABASE_URL to the API's own database role.")
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(await _pool(url, settings.ledger_api_schema))
        ledger = await stack.enter_async_context(await _pool(url, settings.ledger_schema))
        async with api.acquire() as connection:
            await require_current(connection, API_MIGRATIONS)
        await _require_partitions(ledger, settings)
        name = f"{settings.topic_prefix}ledger-api"
        relay = CommandRelay(
            api,
            lambda: KafkaPublisher(settings.kafka_bootstrap, name),
            name=name,
            partitions=settings.partitions,
        )
        topic = settings.topic_prefix + LIFECYCLE.name
        commands = LedgerCommands(api, settings.partitions, topic, on_recorded=relay.wake)

        async def unready() -> list[str]:
            return await _unready(api, ledger, relay)

        yield Services(commands, api, ledger, unready), relay


async def _pool(url: str, schema: str) -> asyncpg.Pool:
    try:
        return await open_pool(url, schema, size=POOL_SIZE)
    except (OSError, asyncpg.PostgresError) as error:
        raise MissingPrecondition(f"The database does not let us in: {error}") from error


async def _require_partitions(ledger: asyncpg.Pool, settings: ServiceSettings) -> None:
    """A closing goes to every partition: log, books and settings must agree on how many there are."""
    await verify_topics(settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions)
    try:
        held = await ledger.fetchval("SELECT count(*) FROM position")
    except asyncpg.UndefinedTableError:
        raise MissingPrecondition("The books have no tables yet: run `lendlog run`, which makes them.") from None
    if held != settings.partitions:
        raise MissingPrecondition(f"The books have {held} partitions: set LENDLOG_PARTITIONS={held}.")


async def _unready(api: asyncpg.Pool, ledger: asyncpg.Pool, relay: CommandRelay) -> list[str]:
    missing = []
    try:
        async with asyncio.timeout(2):
            async with api.acquire() as connection:
                await require_current(connection, API_MIGRATIONS)
            await ledger.fetchval("SELECT count(*) FROM position")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        missing.append("The database doesn't answer.")
    except MissingPrecondition as error:
        missing.append(str(error))
    if not relay.ready:
        missing.append("The relay has not reached the broker.")
    return missing


if __name__ == "__main__":
    read = ServiceSettings()
    telemetry.configure_logging("ledger-api", read.log_level)
    crash_points.arm(read.crash_at, read.crash_log)
    try:
        asyncio.run(main(read))
    except MissingPrecondition as error:
        _log.error("cannot start", reason=str(error))
        sys.exit(2)
