"""The API's process: its composition root. `python -m services.collections.api`."""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from services.collections.access_matrix import MATRIX
from services.collections.addresses import OriginationAddresses
from services.collections.api import case_routes, contact_routes
from services.collections.api.serving import Services
from services.collections.channel import Channel
from services.collections.contact_policy import contact_policies
from services.collections.dispatch import Dispatcher
from services.collections.letters import lessons
from services.collections.service import API_MIGRATIONS, SERVICE
from services.collections.smtp import Smtp, SmtpServer
from services.collections.strategy import strategies
from shared.api import create_app
from shared.api.aside import aside_routes
from shared.api.process import Served, api_pool, command_relay, missing, run
from shared.commands import MIGRATIONS, Commands
from shared.errors import MissingPrecondition, Refusal
from shared.events.parties import Channel as ChannelName
from shared.settings import ServiceSettings
from shared.streams.subject_store import MIGRATIONS as WORKER_MIGRATIONS
from shared.streams.topic_admin import verify_topics
from shared.topics import COLLECTIONS_INBOX, topics_of

API_POOL_SIZE = 16
"""A pass of reminders has eight units under way and holds its lock; requests need some as well."""


@contextlib.asynccontextmanager
async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
    """Open what the process needs."""
    try:
        contact_policies(), strategies(), lessons()
    except Refusal as refusal:
        raise MissingPrecondition(f"{refusal.rule()}: {refusal.detail}") from refusal
    schema, read = SERVICE.api_schema(settings), SERVICE.schema(settings)
    addresses = OriginationAddresses(settings.origination_url, settings.origination_token.get_secret_value())
    async with (
        api_pool(settings, schema, MIGRATIONS, API_MIGRATIONS, size=API_POOL_SIZE) as api,
        api_pool(settings, read, WORKER_MIGRATIONS, SERVICE.migrations) as books,
        addresses,
    ):
        await verify_topics(
            settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            topics=topics_of("collections"),
            partitions=settings.partitions,
        )
        relay = command_relay(api, settings, "collections-api")
        commands = Commands(api, scope=schema, on_recorded=relay.wake)
        dispatcher = Dispatcher(
            commands,
            api=api,
            books=books,
            scope=schema,
            topic=settings.topic_prefix + COLLECTIONS_INBOX.name,
            addresses=addresses,
            channels=_channels(settings),
        )

        async def unready() -> list[str]:
            found = await missing(api, MIGRATIONS, API_MIGRATIONS, relay=relay)
            return found or await missing(books, WORKER_MIGRATIONS, SERVICE.migrations)

        await dispatcher.recover()
        services = Services(commands, api, books, unready, dispatcher, settings.topic_prefix)
        routes = (*contact_routes.ROUTES, *case_routes.ROUTES, *aside_routes("collections", COLLECTIONS_INBOX))
        app = create_app("Lendlog collections", routes, MATRIX, services)
        yield Served(app, relay, _background(dispatcher, settings.dispatch_seconds))


def _channels(settings: ServiceSettings) -> dict[ChannelName, Channel]:
    """What can be sent by: e-mail, where a server is named."""
    url = settings.smtp_url.get_secret_value()
    return {"email": Smtp(SmtpServer.of(url), settings.smtp_sender)} if url else {}


def _background(dispatcher: Dispatcher, seconds: float) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    return {"reminders": lambda: dispatcher.every(seconds)} if seconds else {}


if __name__ == "__main__":
    run("collections-api", ServiceSettings(), build)
