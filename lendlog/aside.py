"""What `parked` and `dlq` share: what stands aside from the books and from the states of the other services."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from lendlog.books import until_in
from lendlog.platform import Platform
from lendlog.services import SERVICES, of_borrowers, schemas_of
from services.ledger import queries
from shared.commands import Commands
from shared.database import connect, open_pool
from shared.errors import MissingPrecondition
from shared.releasing import Releasing
from shared.settings import ServiceSettings
from shared.streams import subject_store

Service = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help=f"One of {', '.join(SERVICES)}.", show_default=False)
]
COMMAND_LINE = "command line"
View = Callable[[Any], Awaitable[list[dict[str, Any]]]]
_PARKED: tuple[View, View] = (queries.parked_view, subject_store.parked_view)
_DEAD_LETTERS: tuple[View, View] = (queries.dead_letters_view, subject_store.dead_letters_view)


def chosen(service: str | None, platform: Platform) -> tuple[str, ...]:
    """The services asked for: the one named, or all of this platform. Raises MissingPrecondition."""
    here = platform.settings.service_names()
    if service is None:
        return tuple(name for name in SERVICES if name in here)
    if service not in here:
        raise MissingPrecondition(f"There is no service {service[:40]!r} here: they are {', '.join(here)}.")
    return (service,)


async def parked_rows(platform: Platform, service: str | None) -> list[dict[str, Any]]:
    """Whoever is parked, each with its `service`: loans of the ledger, borrowers of the others."""
    return await _rows(platform, chosen(service, platform), _PARKED)


async def dead_letter_rows(platform: Platform, service: str | None) -> list[dict[str, Any]]:
    """Dead letters, each with its `service`."""
    return await _rows(platform, chosen(service, platform), _DEAD_LETTERS)


async def _rows(platform: Platform, services: Iterable[str], views: tuple[View, View]) -> list[dict[str, Any]]:
    found = []
    for name in services:
        async with reader(platform, name) as connection:
            view = views[0] if name == "ledger" else views[1]
            found += [{"service": name} | row for row in await view(connection)]
    return found


@asynccontextmanager
async def reader(platform: Platform, service: str) -> AsyncIterator[Any]:
    """What a service keeps, by the reader's role."""
    connection = await connect(platform.url("reader"), schemas_of(service, ServiceSettings()).schema)
    try:
        yield connection
    finally:
        await connection.close()


async def release_borrower(platform: Platform, row: dict[str, Any], reason: str, *, discard_first: bool) -> str:
    """Release a parked borrower as the service's API does, by its outbox; returns the event's id once the service has
    taken it in. `row`: of `parked_rows`. Raises the refusals of shared/releasing.py."""
    name, service = row["service"], of_borrowers(row["service"])
    settings = platform.service_settings(f"{name}_api")
    url = settings.database_url.get_secret_value()
    async with (
        await open_pool(url, service.api_schema(settings), size=2) as api,
        await open_pool(url, service.schema(settings), size=2) as worker,
    ):
        commands = Commands(api, scope=service.api_schema(settings))
        unit = await Releasing(name, commands, worker, settings.topic_prefix + service.inbox.name).release(
            row["borrower_id"],
            first_held_offset=row["first_offset"],
            reason=reason,
            by=COMMAND_LINE,
            discard_first=discard_first,
        )
        assert unit.document is not None
        event_id: str = unit.document["event_id"]
        await until_in(worker, event_id, service=name)
    return event_id
