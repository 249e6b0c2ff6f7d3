"""Tables of the ledger's schema that depend on the number of partitions; the rest is in migrations/."""

from pathlib import Path

import asyncpg

from shared.database import migrate, quoted
from shared.errors import MissingPrecondition

MIGRATIONS = Path(__file__).with_name("migrations")
API_MIGRATIONS = Path(__file__).with_name("api_migrations")

# One partition of each big table, with its own narrow indexes. {p} is the Kafka partition's number.
_PARTITION = """
CREATE TABLE IF NOT EXISTS event_p{p} PARTITION OF event (PRIMARY KEY ("offset"), UNIQUE (event_id))
    FOR VALUES IN ({p});
CREATE INDEX IF NOT EXISTS event_p{p}_loan ON event_p{p} (loan, "offset") WHERE loan IS NOT NULL;
CREATE TABLE IF NOT EXISTS posting_p{p} PARTITION OF posting (PRIMARY KEY (loan, "offset", n)) FOR VALUES IN ({p});
CREATE TABLE IF NOT EXISTS loan_p{p} PARTITION OF loan (PRIMARY KEY (loan), UNIQUE (loan_id)) FOR VALUES IN ({p})
    WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS loan_p{p}_next_action ON loan_p{p} (next_action) WHERE next_action IS NOT NULL;
INSERT INTO position (partition) VALUES ({p}) ON CONFLICT (partition) DO NOTHING;
INSERT INTO relay (partition) VALUES ({p}) ON CONFLICT (partition) DO NOTHING;
"""


async def create_partitions(connection: asyncpg.Connection, schema: str, partitions: int) -> None:
    """Make partitions 0 … `partitions`-1 of event, posting and loan in `schema`, and their position rows; idempotent.

    The number of a schema never changes: another one is refused, since keys would move between partitions.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path TO {quoted(schema)}")
        held = await connection.fetchval("SELECT count(*) FROM position")
        if held not in (0, partitions):
            raise MissingPrecondition(
                f"Schema {schema} holds {held} partitions, not {partitions}: set LENDLOG_PARTITIONS={held}, "
                "or fill a schema of its own by replay."
            )
        for partition in range(partitions):
            await connection.execute(_PARTITION.format(p=partition))


async def create_books(connection: asyncpg.Connection, schema: str, partitions: int) -> None:
    """Bring `schema` up to date as the books of a ledger: migrations, then partitions, owned by its role."""
    await migrate(connection, schema, MIGRATIONS)
    await create_partitions(connection, schema, partitions)
