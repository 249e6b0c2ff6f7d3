"""`lendlog digest`: one number that stands for the whole books."""

from typing import Annotated, Any

import asyncpg
import typer

from lendlog.books import AsJson, emit, fields, reading, warn_if_behind
from lendlog.signals import run_to_end
from services.ledger.digest import digest_of
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings

PARTITIONS = "SELECT partition FROM position ORDER BY partition"


def command(
    scratch: Annotated[bool, typer.Option("--scratch", help="Of what the last replay made.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the digest of the books with its counts; equal books of equally many partitions have the same."""
    document = run_to_end(_digest(scratch))
    emit(document, fields(document), as_json=as_json)


def scratch_schema() -> str:
    """Where replays go: beside the live schema."""
    return f"{ServiceSettings().ledger_schema}_scratch"


async def _digest(scratch: bool) -> dict[str, Any]:
    async with reading() as (platform, connection):
        if not scratch:
            await warn_if_behind(platform, connection)
            return await of_books(connection)
        replayed = await connect(platform.url("replay"), scratch_schema())
        try:
            return await of_books(replayed)
        except asyncpg.UndefinedTableError:
            raise MissingPrecondition("Nothing was replayed yet: run `lendlog replay`.") from None
        finally:
            await replayed.close()


async def of_books(connection: Any) -> dict[str, Any]:
    """The digest of every partition in the connection's search path."""
    return await digest_of(connection, [row["partition"] for row in await connection.fetch(PARTITIONS)])
