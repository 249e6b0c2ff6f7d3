"""The positions on a connection pool: claims, the relay's marks, and the transaction that holds a position row."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Generic, TypeVar

import asyncpg
import structlog

from shared.streams.outbox_rows import unpack
from shared.streams.ports import FencedError, Message, RetryableError
from shared.streams.positions import Position

log = structlog.get_logger(__name__)
InTransaction = TypeVar("InTransaction")

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
_RETRYABLE = (
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
_STATEMENT_SECONDS = 60.0
_CLAIM_PATIENCE_SECONDS = 5.0
"""A transaction that runs takes a fraction of this."""


def position_columns(resume: str) -> str:
    """The columns of a position row as `position_of` reads them; `resume` is the name of the column of that meaning."""
    return (
        f"partition, epoch, next_offset, {resume} AS resume, last_offset, last_leaf, tree_size, tree_frontier,"
        " outbox_next, open_date, halted"
    )


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


class PositionStore(ABC, Generic[InTransaction]):
    """Implements `shared.streams.positions.Store` and the relay's side of it on a connection pool, over the tables
    `position`, `relay` and `outbox` that every service has. A service says what happens in a transaction."""

    resume_column = "resume"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        columns = position_columns(self.resume_column)
        self._position = f"SELECT {columns} FROM position WHERE partition = $1"
        # One more epoch, in order of partition, so that two claims never wait for each other in a ring.
        self._claim = (
            "UPDATE position SET epoch = epoch + 1, halted = NULL FROM (SELECT partition AS claimed FROM position"
            " WHERE partition = ANY($1::smallint[]) ORDER BY partition FOR UPDATE) q"
            f" WHERE partition = claimed RETURNING {columns}"
        )

    @abstractmethod
    def in_transaction(self, connection: Any, position: Position) -> InTransaction:
        """The statements of one transaction, which holds `position`."""

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection; whatever may pass comes out as RetryableError."""
        try:
            async with self.pool.acquire(timeout=_STATEMENT_SECONDS) as connection:
                yield connection
        except _RETRYABLE as error:
            raise RetryableError(f"{type(error).__name__}: {error}") from error

    async def claim(self, partitions: Sequence[int]) -> list[Position]:
        """Take partitions over: epoch + 1 for each, waiting a while for whoever is inside a transaction, then ending
        that: a worker that was stopped there would hold its partitions for ever."""
        async with self._connection() as connection:
            claiming = asyncio.ensure_future(connection.fetch(self._claim, list(partitions)))
            try:
                while not (await asyncio.wait({claiming}, timeout=_CLAIM_PATIENCE_SECONDS))[0]:
                    async with self._connection() as other:
                        ended = await other.fetch(_END_BLOCKERS, connection.get_server_pid())
                    log.warning("ended transactions that held a claimed partition", backends=len(ended))
            finally:
                claiming.cancel()
            return [position_of(row) for row in await claiming]

    async def position(self, partition: int) -> Position:
        """The position row as committed."""
        async with self._connection() as connection:
            return position_of(await connection.fetchrow(self._position, partition))

    async def halt(self, partition: int, reason: str) -> None:
        """Note why a partition stopped."""
        async with self._connection() as connection:
            await connection.execute(_HALT, partition, reason)

    @asynccontextmanager
    async def transaction(self, partition: int, epoch: int) -> AsyncIterator[InTransaction]:
        """A transaction that holds the position row. FencedError if another epoch owns it."""
        async with self._connection() as connection, connection.transaction():
            position = position_of(await connection.fetchrow(self._position + " FOR UPDATE", partition))
            if position.epoch != epoch:
                raise FencedError(f"partition {partition} has epoch {position.epoch}, not {epoch}")
            yield self.in_transaction(connection, position)

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
        """Every state changed below `next_offset` has its snapshot published; nothing where they are outbox rows."""
