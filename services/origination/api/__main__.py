"""The API's process: its composition root. `python -m services.origination.api`."""

import contextlib
from collections.abc import AsyncIterator

from services.origination.access_matrix import MATRIX
from services.origination.api import application_routes, decision_routes, party_routes
from services.origination.api.serving import Services
from services.origination.log_heads import LogHeads
from services.origination.rules import load
from services.origination.service import API_MIGRATIONS, SERVICE
from services.origination.vault import Vault
from shared.api import create_app
from shared.api.aside import aside_routes
from shared.api.process import Served, api_pool, command_relay, missing, run
from shared.commands import MIGRATIONS, Commands
from shared.errors import MissingPrecondition, Refusal
from shared.settings import ServiceSettings
from shared.streams.subject_store import MIGRATIONS as WORKER_MIGRATIONS
from shared.streams.topic_admin import verify_topics
from shared.topics import CHECKPOINTS, ORIGINATION_INBOX, topics_of


@contextlib.asynccontextmanager
async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
    """Open what the process needs."""
    try:
        rules = load()
    except Refusal as refusal:
        raise MissingPrecondition(f"{refusal.rule()}: {refusal.detail}") from refusal
    vault = Vault.from_text(settings.vault_key.get_secret_value())
    schema, read = SERVICE.api_schema(settings), SERVICE.schema(settings)
    async with (
        api_pool(settings, schema, MIGRATIONS, API_MIGRATIONS) as api,
        api_pool(settings, read, WORKER_MIGRATIONS, SERVICE.migrations) as worker,
    ):
        await verify_topics(
            settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            topics=topics_of("origination"),
            partitions=settings.partitions,
        )
        relay = command_relay(api, settings, "origination-api")
        commands = Commands(api, scope=schema, on_recorded=relay.wake)

        async def unready() -> list[str]:
            found = await missing(api, MIGRATIONS, API_MIGRATIONS, relay=relay)
            return found or await missing(worker, WORKER_MIGRATIONS, SERVICE.migrations)

        prefix, partitions = settings.topic_prefix, settings.partitions
        heads = LogHeads(settings.kafka_bootstrap, prefix + CHECKPOINTS.name, partitions)
        services = Services(commands, api, worker, unready, rules, vault, prefix, partitions, heads)
        routes = (
            *party_routes.ROUTES,
            *application_routes.ROUTES,
            *decision_routes.ROUTES,
            *aside_routes("origination", ORIGINATION_INBOX),
        )
        yield Served(create_app("Lendlog origination", routes, MATRIX, services), relay)


if __name__ == "__main__":
    run("origination-api", ServiceSettings(), build)
