"""`lendlog digest`: one number that stands for everything that a service keeps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import asyncpg
import typer

from lendlog.books import AsJson, emit, fields, tell
from lendlog.platform import Platform, attach_or_start
from lendlog.services import of_borrowers, schemas_of
from lendlog.settling import Settling
from lendlog.signals import run_to_end
from services.ledger.digest import digest_of
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings

PARTITIONS = "SELECT partition FROM position ORDER BY partition"


def command(
    scratch: Annotated[bool, typer.Option("--scratch", help="Of what the last replay made.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Of every service.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the digest of the books with its counts; equal books of equally many partitions have the same."""
    if not every:
        document = run_to_end(_digests(["ledger"], scratch=scratch))["ledger"]
        emit(document, fields(document), as_json=as_json)
        return
    documents = run_to_end(_digests(PlatformSettings().service_names(), scratch=scratch))
    emit(documents, by_service(documents), as_json=as_json)


def by_service(documents: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """The lines for people."""
    for service, document in documents.items():
        yield f"{service}:"
        yield from (f"  {line}" for line in fields(document))


async def _digests(services: Sequence[str], *, scratch: bool) -> dict[str, Any]:
    async with attach_or_start(PlatformSettings()) as platform:
        if not scratch:
            await _warn_if_behind(platform, services)
        return {service: await _digest(platform, service, scratch=scratch) for service in services}


async def _digest(platform: Platform, service: str, *, scratch: bool) -> dict[str, Any]:
    schemas = schemas_of(service, ServiceSettings())
    role, schema = ("replay", schemas.scratch) if scratch else ("reader", schemas.schema)
    connection = await connect(platform.url(role), schema)
    try:
        return await digest_of_service(service, connection)
    except asyncpg.UndefinedTableError:
        raise MissingPrecondition("Nothing was replayed yet: run `lendlog replay`.") from None
    finally:
        await connection.close()


async def digest_of_service(service: str, connection: Any) -> dict[str, Any]:
    """The digest of every partition in the connection's search path."""
    if service == "ledger":
        return await digest_of(connection, [row["partition"] for row in await connection.fetch(PARTITIONS)])
    found: dict[str, Any] = await of_borrowers(service).digest(connection)
    return found


async def _warn_if_behind(platform: Platform, services: Sequence[str]) -> None:
    """Say on standard error that not everything was taken in: figures are then those of an earlier moment."""
    async with Settling(
        bootstrap=platform.kafka_bootstrap,
        reader_url=platform.url("reader"),
        settings=ServiceSettings(),
        services=services,
    ) as settling:
        if what := await settling.under_way():
            tell(f"not everything was taken in: {what}; these are figures of an earlier moment")
