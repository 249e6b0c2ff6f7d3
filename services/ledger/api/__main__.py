"""The API's process: its composition root. SIGTERM drains requests and outbox and leaves within 10 s."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from services.ledger.api.app import create_app
from services.ledger.api.serving import Services
from services.ledger.bank.lender import EXAMPLE, read_lender
from services.ledger.chart import accounts
from services.ledger.commands import LedgerCommands
from services.ledger.schema import API_MIGRATIONS
from shared.api.process import ANSWER_SECONDS, NO_ANSWER, Served, api_pool, command_relay, missing, run
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams.topic_admin import verify_topics
from shared.topics import LEDGER_TOPICS, LIFECYCLE


@contextlib.asynccontextmanager
async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
    """Everything that the process needs; raises MissingPrecondition."""
    accounts()
    async with (
        api_pool(settings, settings.ledger_api_schema, API_MIGRATIONS) as api,
        api_pool(settings, settings.ledger_schema) as ledger,
    ):
        await _require_partitions(ledger, settings)
        relay = command_relay(api, settings, "ledger-api")
        topic = settings.topic_prefix + LIFECYCLE.name
        commands = LedgerCommands(api, settings.partitions, topic, on_recorded=relay.wake)

        async def unready() -> list[str]:
            return await missing(api, API_MIGRATIONS, relay=relay) or await _away(ledger)

        folder = settings.bank_folder or EXAMPLE
        read_lender(folder)  # what is wrong in it is said now, not at the first statement
        services = Services(commands, api, ledger, unready, settings.valuation_policy, bank_folder=folder)
        yield Served(create_app(services), relay)


async def _require_partitions(ledger: asyncpg.Pool, settings: ServiceSettings) -> None:
    """A closing goes to every partition: log, books and settings must agree on how many there are."""
    await verify_topics(
        settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        topics=LEDGER_TOPICS,
        partitions=settings.partitions,
    )
    try:
        held = await ledger.fetchval(_PARTITIONS)
    except asyncpg.UndefinedTableError:
        raise MissingPrecondition("The books have no tables yet: run `lendlog run`, which makes them.") from None
    if held != settings.partitions:
        raise MissingPrecondition(f"The books have {held} partitions: set LENDLOG_PARTITIONS={held}.")


async def _away(ledger: asyncpg.Pool) -> list[str]:
    """Whether the books can't be read, as a sentence."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await ledger.fetchval(_PARTITIONS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return [NO_ANSWER]
    return []


_PARTITIONS = "SELECT count(*) FROM position"

if __name__ == "__main__":
    run("ledger-api", ServiceSettings(), build)
