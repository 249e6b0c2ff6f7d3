"""The tables of a service that keeps a state per borrower: shared/streams/migrations/0000_inbox.sql, and its fold's."""

from pathlib import Path
from typing import Any

from shared.database import migrate, quoted
from shared.errors import MissingPrecondition
from shared.streams.position_store import PositionStore
from shared.streams.positions import Position
from shared.streams.subject_store.transaction import SubjectTransaction

MIGRATIONS = Path(__file__).parent.parent / "migrations"


async def create_tables(connection: Any, schema: str, migrations: Path, partitions: int) -> None:
    """Bring `schema` up to date: the kit's tables, the service's, and a position row per partition; idempotent."""
    await migrate(connection, schema, MIGRATIONS)
    await migrate(connection, schema, migrations)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path TO {quoted(schema)}")
        held = await connection.fetchval("SELECT count(*) FROM position")
        if held not in (0, partitions):
            raise MissingPrecondition(
                f"Schema {schema} holds {held} partitions, not {partitions}: set LENDLOG_PARTITIONS={held}, "
                "or fill a schema of its own by replay."
            )
        for table in ("position", "relay"):
            await connection.execute(
                f"INSERT INTO {table} (partition) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING",
                partitions,
            )


class SubjectStore(PositionStore[SubjectTransaction]):
    """The store of a service's subjects; their snapshots are outbox rows."""

    def in_transaction(self, connection: Any, position: Position) -> SubjectTransaction:
        """The statements of one transaction, which holds `position`."""
        return SubjectTransaction(connection, position)
