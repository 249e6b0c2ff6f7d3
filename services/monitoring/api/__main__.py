"""The API's process: its composition root. `python -m services.monitoring.api`."""

import contextlib
from collections.abc import AsyncIterator

from services.monitoring.access_matrix import MATRIX
from services.monitoring.api.routes import ROUTES, Services
from services.monitoring.metrics import keep_fresh
from services.monitoring.service import SERVICE
from shared.api import create_app
from shared.api.process import Served, api_pool, command_relay, missing, run
from shared.commands import MIGRATIONS, Commands
from shared.settings import ServiceSettings
from shared.streams.subject_store import MIGRATIONS as WORKER_MIGRATIONS
from shared.streams.topic_admin import verify_topics
from shared.topics import topics_of


@contextlib.asynccontextmanager
async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
    """Open what the process needs."""
    schema, read = SERVICE.api_schema(settings), SERVICE.schema(settings)
    async with (
        api_pool(settings, schema, MIGRATIONS) as api,
        api_pool(settings, read, WORKER_MIGRATIONS, SERVICE.migrations) as worker,
    ):
        await verify_topics(
            settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            topics=topics_of("monitoring"),
            partitions=settings.partitions,
        )
        relay = command_relay(api, settings, "monitoring-api")
        commands = Commands(api, scope=schema, on_recorded=relay.wake)

        async def unready() -> list[str]:
            found = await missing(api, MIGRATIONS, relay=relay)
            return found or await missing(worker, WORKER_MIGRATIONS, SERVICE.migrations)

        services = Services(commands, api, worker, unready, settings.topic_prefix)
        app = create_app("Lendlog monitoring", ROUTES, MATRIX, services)
        yield Served(app, relay, {"figures": lambda: keep_fresh(worker)})


if __name__ == "__main__":
    run("monitoring-api", ServiceSettings(), build)
