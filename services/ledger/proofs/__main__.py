"""The notary's process: `python -m services.ledger.proofs`, with the reader's database role and the signing key."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable

import asyncpg
from aiokafka.errors import KafkaError

from services.ledger.proofs import metrics
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.notary import require_current
from services.ledger.proofs.publishing import Publishing
from services.ledger.proofs.settings import NotarySettings
from shared import telemetry
from shared.database import connect
from shared.errors import MissingPrecondition, Refusal
from shared.streams.health import serve_health
from shared.streams.kafka import KafkaPublisher
from shared.streams.ports import FencedError, RetryableError
from shared.topics import CHECKPOINTS, LIFECYCLE

NAME = "ledger-notary"
POLL_SECONDS = 1.0
"""How soon after the close of a date its head is signed."""
AGAIN_SECONDS = 5.0
"""After a round that broker or database did not let finish."""
MAY_PASS = (RetryableError, FencedError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_log = telemetry.logger(__name__)


async def keep_signing(settings: NotarySettings) -> None:
    """Sign and publish for as long as the process runs. Raises MissingPrecondition; RetiredKey for an old key."""
    ready = False

    def not_ready() -> str | None:
        return None if ready else "no round has been finished yet"

    def finished() -> None:
        nonlocal ready
        ready = True

    files = HeadFiles(settings.folder())
    with files.locked():
        require_current(files, settings.signing_key())
        runner = await serve_health(settings.host, settings.port, not_ready=not_ready, refresh=lambda: None)
        try:
            while True:
                try:
                    await _rounds(settings, finished)
                except MAY_PASS as error:
                    metrics.FAILED.inc()
                    _log.warning("a round could not be finished", reason=repr(error))
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await runner.cleanup()


async def _rounds(settings: NotarySettings, finished: Callable[[], None]) -> None:
    """Rounds on one connection and one publisher, until something fails."""
    async with connected(settings) as (connection, publisher):
        with contextlib.closing(publishing_of(settings)) as publishing:
            while True:
                await publishing.round(connection, publisher)
                finished()
                await asyncio.sleep(POLL_SECONDS)


def publishing_of(settings: NotarySettings) -> Publishing:
    """The rounds that these settings ask for."""
    return Publishing(
        HeadFiles(settings.folder()),
        settings.signing_key(),
        bootstrap=settings.kafka_bootstrap,
        lifecycle=settings.topic_prefix + LIFECYCLE.name,
        checkpoints=settings.topic_prefix + CHECKPOINTS.name,
        seconds=settings.checkpoint_seconds,
        days=settings.checkpoint_days,
    )


@contextlib.asynccontextmanager
async def connected(settings: NotarySettings) -> AsyncIterator[tuple[asyncpg.Connection, KafkaPublisher]]:
    """The books to read, and the only publisher of heads: an older one is refused from now on."""
    connection = await connect(settings.database_url.get_secret_value(), settings.ledger_schema)
    try:
        publisher = KafkaPublisher(settings.kafka_bootstrap, settings.topic_prefix + NAME)
        await publisher.start()
        try:
            yield connection, publisher
        finally:
            await publisher.close()
    finally:
        await connection.close()


async def _until_signal(settings: NotarySettings) -> None:
    task, loop = asyncio.ensure_future(keep_signing(settings)), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """Until SIGTERM; exit code 2 where something that must be there is not."""
    settings = NotarySettings()
    telemetry.configure_logging(NAME, settings.log_level)
    try:
        asyncio.run(_until_signal(settings))
    except (MissingPrecondition, Refusal) as error:
        _log.error("cannot go on", reason=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
