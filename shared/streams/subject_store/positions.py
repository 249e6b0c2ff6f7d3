"""The tables of a service that keeps a state per borrower: implements `shared.streams.positions.Store` on a pool.

Tables: shared/streams/migrations/0000_inbox.sql, and those of the service's fold.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from shared.database import migrate, quoted
from shared.errors import MissingPrecondition
from shared.streams.outbox_rows import unpack
from shared.streams.ports import FencedError, Message, RetryableError
from shared.streams.positions import Position
from shared.streams.subject_store.transaction import SubjectTransaction

log = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent.parent / "migrations"

_POSITION = """
SELECT partition, epoch, next_offset, resume, last_offset, last_leaf, tree_size, tree_frontier, outbox_next, open_date,
    halted
FROM position WHERE partition = $1
"""
_LOCK_POSITION = _POSITION + " FOR UPDATE"
# Take partitions over: one more epoch, in order of partition, so that two claims never wait for each other in a ring.
_CLAIM = """
UPDATE position p SET epoch = p.epoch + 1, halted = NULL
FROM (SELECT partition FROM position WHERE partition = ANY($1::smallint[]) ORDER BY partition FOR UPDATE) q
WHERE p.partition = q.partition
RETURNING p.partition, epoch, next_offset, resume, last_offset, last_leaf, tree_size, tree_frontier, outbox_next,
    open_date, halted
"""
# Sessions of our own role that keep this one waiting.
_END_BLOCKERS = "SELECT pg_terminate_backend(pid) FROM unnest(pg_blocking_pids($1)) AS blocker (pid)"
_HALT = "UPDATE position SET halted = $2 WHERE partition = $1"
_UNPUBLISHED = """
SELECT sequence, messages FROM outbox JOIN relay USING (partition)
WHERE partition = $1 AND sequence >= outbox_mark ORDER BY sequence
"""
# Published: move the mark (never back) and drop the rows below it. One statement, so that a process that is stopped at
# any time leaves no open transaction behind that keeps its successor's relay waiting for the row.
_MARK_OUTBOX = """
WITH marked AS (UPDATE relay SET outbox_mark = greatest(outbox_mark, $2) WHERE partition = $1)
DELETE FROM outbox WHERE partition = $1 AND sequence < $2
"""
RETRYABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke inside a statement says so, now and then
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.CannotConnectNowError,
    ConnectionError,
    OSError,
    TimeoutError,
)
STATEMENT_SECONDS = 60.0
CLAIM_PATIENCE_SECONDS = 5.0
"""A transaction that runs takes a fraction of this."""


def position_of(row: Any) -> Position:
    """A position row."""
    opened: date | None = row["open_date"]
    return Position(
        partition=row["partition"],
        epoch=row["epoch"],
        next_offset=row["next_offset"],
        resume=row["resume"],
        last_offset=row["last_offset"],
        last_leaf=row["last_leaf"],
        tree_size=row["tree_size"],
        frontier=row["tree_frontier"],
        outbox_next=row["outbox_next"],
        open_day=opened.toordinal() if opened else None,
        halted=row["halted"],
    )


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


class SubjectStore:
    """The positions on a connection pool: claims, the relay's mark, and the transaction that holds a position row."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection; whatever may pass comes out as RetryableError."""
        try:
            async with self.pool.acquire(timeout=STATEMENT_SECONDS) as connection:
                yield connection
        except RETRYABLE as error:
            raise RetryableError(f"{type(error).__name__}: {error}") from error

    async def claim(self, partitions: Sequence[int]) -> list[Position]:
        """Epoch + 1 for each, waiting a while for whoever is inside a transaction, then ending that: a worker that was
        stopped there would hold its partitions for ever."""
        async with self._connection() as connection:
            claiming = asyncio.ensure_future(connection.fetch(_CLAIM, list(partitions)))
            try:
                while not (await asyncio.wait({claiming}, timeout=CLAIM_PATIENCE_SECONDS))[0]:
                    async with self._connection() as other:
                        ended = await other.fetch(_END_BLOCKERS, connection.get_server_pid())
                    log.warning("ended transactions that held a claimed partition", backends=len(ended))
            finally:
                claiming.cancel()
            return [position_of(row) for row in await claiming]

    async def position(self, partition: int) -> Position:
        """The position row as committed."""
        async with self._connection() as connection:
            return position_of(await connection.fetchrow(_POSITION, partition))

    async def halt(self, partition: int, reason: str) -> None:
        """Note why a partition stopped."""
        async with self._connection() as connection:
            await connection.execute(_HALT, partition, reason)

    @asynccontextmanager
    async def transaction(self, partition: int, epoch: int) -> AsyncIterator[SubjectTransaction]:
        """A transaction that holds the position row. FencedError if another epoch owns it."""
        async with self._connection() as connection, connection.transaction():
            position = position_of(await connection.fetchrow(_LOCK_POSITION, partition))
            if position.epoch != epoch:
                raise FencedError(f"partition {partition} has epoch {position.epoch}, not {epoch}")
            yield SubjectTransaction(connection, position)

    async def unpublished(self, partition: int) -> list[tuple[int, list[Message]]]:
        """(sequence, messages) of every outbox row that the relay's mark has not passed."""
        async with self._connection() as connection:
            rows = await connection.fetch(_UNPUBLISHED, partition)
        return [(row["sequence"], unpack(row["messages"])) for row in rows]

    async def mark_published(self, partition: int, sequence: int) -> None:
        """Outbox rows below `sequence` are published: move the mark, drop the rows."""
        async with self._connection() as connection:
            await connection.execute(_MARK_OUTBOX, partition, sequence)

    async def mark_snapshots(self, partition: int, next_offset: int) -> None:
        """Nothing: snapshots are outbox rows here."""
