"""The ledger's tables: a method per statement, inside a transaction that holds the partition's position row."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import structlog

from services.ledger.account import AccrualGroup, Loan, decode_group, decode_loan, encode_loan, group_id
from services.ledger.book import Book, Rows
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.intake import Held, Parked, Unit
from shared.streams.outbox_rows import pack, unpack
from shared.streams.ports import FencedError, Message, RetryableError
from shared.streams.processor import Advance, DuplicateEvents, Position

log = structlog.get_logger(__name__)

# Take partitions over: one more epoch, in order of partition, so that two claims never wait for each other in a ring.
CLAIM = """
UPDATE position p SET epoch = p.epoch + 1, halted = NULL
FROM (SELECT partition FROM position WHERE partition = ANY($1::smallint[]) ORDER BY partition FOR UPDATE) q
WHERE p.partition = q.partition
RETURNING p.partition, epoch, next_offset, resume_loan, last_offset, last_leaf, tree_size, tree_frontier, outbox_next,
    open_date, halted
"""
# Sessions of our own role that keep this one waiting.
END_BLOCKERS = "SELECT pg_terminate_backend(pid) FROM unnest(pg_blocking_pids($1)) AS blocker (pid)"
POSITION = """
SELECT partition, epoch, next_offset, resume_loan, last_offset, last_leaf, tree_size, tree_frontier, outbox_next,
    open_date, halted
FROM position WHERE partition = $1
"""
LOCK_POSITION = POSITION + " FOR UPDATE"
HALT = "UPDATE position SET halted = $2 WHERE partition = $1"
# Compare-and-set on epoch and old position: a zombie, or a second writer, changes nothing.
ADVANCE = """
UPDATE position SET
    next_offset = $4, resume_loan = $5, last_offset = $6, last_leaf = $7, tree_size = $8, tree_frontier = $9,
    outbox_next = $10, open_date = $11, events = events + $12, duplicates = duplicates + $13, holes = holes + $14
WHERE partition = $1 AND epoch = $2 AND next_offset = $3
"""
INSERT_OUTBOX = "INSERT INTO outbox (partition, sequence, messages) VALUES ($1, $2, $3)"
UNPUBLISHED = """
SELECT sequence, messages FROM outbox JOIN relay USING (partition)
WHERE partition = $1 AND sequence >= outbox_mark ORDER BY sequence
"""
# Published: move the mark (never back) and drop the rows below it.
MARK_OUTBOX = "UPDATE relay SET outbox_mark = greatest(outbox_mark, $2) WHERE partition = $1"
PRUNE_OUTBOX = "DELETE FROM outbox WHERE partition = $1 AND sequence < $2"
MARK_SNAPSHOTS = "UPDATE relay SET snapshot_mark = greatest(snapshot_mark, $2) WHERE partition = $1"
# Arrays need no temporary table; {p} is the partition.
UPSERT_LOANS = """
INSERT INTO loan_p{p} (partition, loan, loan_id, next_action, as_of, state)
SELECT {p}, * FROM unnest($1::bigint[], $2::text[], $3::date[], $4::bigint[], $5::bytea[])
ON CONFLICT (loan) DO UPDATE SET next_action = excluded.next_action, as_of = excluded.as_of, state = excluded.state
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
EVENT_COLUMNS = ("offset", "event_id", "loan", "effective_date", "booking_date", "record", "partition")
POSTING_COLUMNS = (
    "loan", "offset", "amount", "effective_date", "booking_date", "n", "debit", "credit", "currency", "partition",
)  # fmt: skip
INSERT_ROWS_MAX = 20
"""Up to about here single rows are quicker than COPY."""


def position_of(row: Any) -> Position:
    """A position row."""
    open_date: date | None = row["open_date"]
    return Position(
        partition=row["partition"],
        epoch=row["epoch"],
        next_offset=row["next_offset"],
        resume=row["resume_loan"],
        last_offset=row["last_offset"],
        last_leaf=row["last_leaf"],
        tree_size=row["tree_size"],
        frontier=row["tree_frontier"],
        outbox_next=row["outbox_next"],
        open_day=open_date.toordinal() if open_date else None,
        halted=row["halted"],
    )


class LedgerStore:
    """Implements `shared.streams.processor.Store` and the relay's side of it on a connection pool."""

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
            claiming = asyncio.ensure_future(connection.fetch(CLAIM, list(partitions)))
            try:
                while not (await asyncio.wait({claiming}, timeout=CLAIM_PATIENCE_SECONDS))[0]:
                    async with self._connection() as other:
                        ended = await other.fetch(END_BLOCKERS, connection.get_server_pid())
                    log.warning("ended transactions that held a claimed partition", backends=len(ended))
            finally:
                claiming.cancel()
            return [position_of(row) for row in await claiming]

    async def position(self, partition: int) -> Position:
        """The position row as committed."""
        async with self._connection() as connection:
            return position_of(await connection.fetchrow(POSITION, partition))

    async def halt(self, partition: int, reason: str) -> None:
        """Note why a partition stopped."""
        async with self._connection() as connection:
            await connection.execute(HALT, partition, reason)

    @asynccontextmanager
    async def transaction(self, partition: int, epoch: int) -> AsyncIterator["LedgerTransaction"]:
        """A transaction that holds the position row. FencedError if another epoch owns it."""
        async with self._connection() as connection, connection.transaction():
            position = position_of(await connection.fetchrow(LOCK_POSITION, partition))
            if position.epoch != epoch:
                raise FencedError(f"partition {partition} has epoch {position.epoch}, not {epoch}")
            yield LedgerTransaction(connection, position)

    async def unpublished(self, partition: int) -> list[tuple[int, list[Message]]]:
        """(sequence, messages) of every outbox row that the relay's mark has not passed."""
        async with self._connection() as connection:
            return [
                (row["sequence"], unpack(row["messages"])) for row in await connection.fetch(UNPUBLISHED, partition)
            ]

    async def mark_published(self, partition: int, sequence: int) -> None:
        """Outbox rows below `sequence` are published: move the mark, drop the rows."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute(MARK_OUTBOX, partition, sequence)
            await connection.execute(PRUNE_OUTBOX, partition, sequence)

    async def unsnapshotted(self, partition: int) -> list[Loan]:
        """Loans that changed since the last flushed snapshot."""
        async with self._connection() as connection:
            mark = await connection.fetchval("SELECT snapshot_mark FROM relay WHERE partition = $1", partition)
            rows = await connection.fetch(
                f"SELECT state FROM loan_p{partition:d} WHERE as_of >= $1 AND loan >= 0", mark
            )
            return [decode_loan(row["state"]) for row in rows]

    async def mark_snapshots(self, partition: int, next_offset: int) -> None:
        """Every loan changed below `next_offset` has its snapshot published."""
        async with self._connection() as connection:
            await connection.execute(MARK_SNAPSHOTS, partition, next_offset)


class LedgerTransaction:
    """The statements of one transaction."""

    def __init__(self, connection: Any, position: Position) -> None:
        self.connection = connection
        self.position = position
        self.partition = position.partition

    async def loans(self, loan_ids: Sequence[str]) -> list[Loan]:
        """Stored states of these loans; unknown ones are absent."""
        if not loan_ids:
            return []
        rows = await self.connection.fetch(
            f"SELECT state FROM loan_p{self.partition:d} WHERE loan_id = ANY($1::text[])", list(loan_ids)
        )
        return [decode_loan(row["state"]) for row in rows]

    async def groups(self) -> list[AccrualGroup]:
        """The accrual groups."""
        rows = await self.connection.fetch(f"SELECT state FROM loan_p{self.partition:d} WHERE loan < 0 ORDER BY loan")
        return [decode_group(row["state"]) for row in rows]

    async def due(self, through: int, day: int, after: int, limit: int) -> list[Loan]:
        """Loans with something due after the ordinal `through` up to `day`, numbers above `after`, in order."""
        rows = await self.connection.fetch(
            f"SELECT state FROM loan_p{self.partition:d} WHERE next_action > $1 AND next_action <= $2 AND loan > $3"
            " ORDER BY loan LIMIT $4",
            date.fromordinal(max(1, through)),
            date.fromordinal(day),
            after,
            limit,
        )
        return [decode_loan(row["state"]) for row in rows]

    async def history(self, numbers: Sequence[int]) -> list[tuple[int, int, date, bytes]]:
        """(loan, offset, effective date, record) of accepted events, in order of offset."""
        rows = await self.connection.fetch(
            f'SELECT loan, "offset", effective_date, record FROM event_p{self.partition:d}'
            ' WHERE loan = ANY($1::bigint[]) ORDER BY loan, "offset"',
            list(numbers),
        )
        return [tuple(row) for row in rows]

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Which of these ids are accepted already, with the accepted value."""
        rows = await self.connection.fetch(
            f"SELECT event_id, record FROM event_p{self.partition:d} WHERE event_id = ANY($1::uuid[])", list(event_ids)
        )
        return {str(row["event_id"]): record_of(row["record"]).value for row in rows}

    async def parked(self) -> list[Parked]:
        """Parked loans."""
        rows = await self.connection.fetch(
            "SELECT loan_id, first_offset, reason, since FROM parked_loan WHERE partition = $1", self.partition
        )
        return [
            Parked(r["loan_id"], r["first_offset"], r["reason"], r["since"].toordinal() if r["since"] else None)
            for r in rows
        ]

    async def held(self, loan_id: str) -> list[Held]:
        """What is held behind a parked loan, in order."""
        rows = await self.connection.fetch(
            'SELECT "offset", loan_id, event_id, arrived, record FROM parked_event'
            ' WHERE partition = $1 AND loan_id = $2 ORDER BY "offset"',
            self.partition,
            loan_id,
        )
        return [
            Held(
                r["offset"],
                r["loan_id"],
                str(r["event_id"]),
                r["arrived"].toordinal() if r["arrived"] else None,
                r["record"],
            )
            for r in rows
        ]

    async def dead(self, offset: int) -> bytes | None:
        """The record of an unsettled dead letter."""
        record: bytes | None = await self.connection.fetchval(
            'SELECT record FROM dead_letter WHERE partition = $1 AND "offset" = $2 AND settled_by IS NULL',
            self.partition,
            offset,
        )
        return record

    async def write(self, rows: Rows, unit: Unit, book: Book) -> None:
        """Every row of the unit. Raises DuplicateEvents where an event id is stored already."""
        await self._write_events(rows)
        if rows.postings:
            await self._add("posting", POSTING_COLUMNS, rows.postings)
        await self._write_states(rows, book)
        if rows.suspense:
            await self._write_suspense(rows, book)
        if unit.parked or unit.unparked or unit.held or unit.released:
            await self._write_parked(unit)
        if unit.dead or unit.settled or unit.conflicts:
            await self._write_dead(unit)

    async def _write_events(self, rows: Rows) -> None:
        partition = self.partition
        try:
            if rows.events:
                await self._add("event", EVENT_COLUMNS, [(*event, partition) for event in rows.events])
        except asyncpg.UniqueViolationError as violation:
            raise DuplicateEvents(str(violation)) from violation

    async def _add(self, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
        """New rows of the partition: by COPY, which asks for the table's types each time, or a few by INSERT."""
        name = f"{table}_p{self.partition:d}"
        if len(records) > INSERT_ROWS_MAX:
            await self.connection.copy_records_to_table(name, columns=columns, records=records)
            return
        places = ", ".join(f"${n + 1}" for n in range(len(columns)))
        names = ", ".join(f'"{column}"' for column in columns)
        await self.connection.executemany(f"INSERT INTO {name} ({names}) VALUES ({places})", records)

    async def _write_states(self, rows: Rows, book: Book) -> None:
        """Upsert of the changed loans and groups, sorted by number."""
        partition = self.partition
        states: list[tuple[int, str, date | None, int, bytes]] = []
        for loan in rows.loans.values():
            due = loan.next_due()
            action = None if due is None else date.fromordinal(due)
            states.append((loan.number, loan.loan_id, action, loan.as_of, encode_loan(loan)))
        for number in rows.groups:
            group = book.groups[number]
            name = group_id(partition, group, code_of(group.currency))
            states.append((number, name, None, book.at, encode_loan(group)))
        if not states:
            return
        states.sort(key=lambda state: state[0])
        await self.connection.execute(UPSERT_LOANS.format(p=partition), *map(list, zip(*states, strict=True)))

    async def _write_suspense(self, rows: Rows, book: Book) -> None:
        loans = [book.loans[loan_id] for loan_id in sorted(rows.suspense)]
        await self.connection.execute(
            "DELETE FROM suspense WHERE partition = $1 AND loan = ANY($2::bigint[])",
            self.partition,
            [loan.number for loan in loans],
        )
        await self.connection.executemany(
            'INSERT INTO suspense (partition, "offset", loan, event_id, amount, currency)'
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (self.partition, offset, loan.number, event_id, amount, currency)
                for loan in loans
                for offset, event_id, amount, currency in loan.waiting
            ],
        )

    async def _write_parked(self, unit: Unit) -> None:
        execute, partition = self.connection.execute, self.partition
        await execute(
            'DELETE FROM parked_event WHERE partition = $1 AND "offset" = ANY($2::bigint[])', partition, unit.released
        )
        await execute(
            "DELETE FROM parked_loan WHERE partition = $1 AND loan_id = ANY($2::text[])",
            partition,
            [*unit.unparked, *unit.parked],
        )
        await self.connection.executemany(
            "INSERT INTO parked_loan (partition, loan_id, first_offset, reason, since) VALUES ($1, $2, $3, $4, $5)",
            [(partition, p.loan_id, p.first_offset, p.reason, _date(p.since)) for p in unit.parked.values()],
        )
        await self.connection.executemany(
            'INSERT INTO parked_event (partition, "offset", loan_id, event_id, arrived, record)'
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [(partition, h.offset, h.loan_id, h.event_id, _date(h.arrived), h.leaf) for h in unit.held],
        )

    async def _write_dead(self, unit: Unit) -> None:
        partition = self.partition
        await self.connection.executemany(
            'INSERT INTO dead_letter (partition, "offset", reason, record) VALUES ($1, $2, $3, $4)',
            [(partition, dead.offset, dead.reason, dead.leaf) for dead in unit.dead],
        )
        await self.connection.executemany(
            'UPDATE dead_letter SET settled_by = $3 WHERE partition = $1 AND "offset" = $2',
            [(partition, offset, event_id) for offset, event_id in unit.settled],
        )
        await self.connection.executemany(
            'INSERT INTO conflict (partition, "offset", event_id, record) VALUES ($1, $2, $3, $4)',
            [(partition, conflict.offset, conflict.event_id, conflict.leaf) for conflict in unit.conflicts],
        )

    async def advance(self, step: Advance) -> None:
        """Move the position (compare-and-set) and put the derived events into the outbox."""
        position = self.position
        if step.messages:
            await self.connection.execute(INSERT_OUTBOX, self.partition, position.outbox_next, pack(step.messages))
        done = await self.connection.execute(
            ADVANCE,
            self.partition,
            position.epoch,
            position.next_offset,
            step.next_offset,
            step.resume,
            step.last_offset,
            step.last_leaf,
            step.tree_size,
            step.frontier,
            step.outbox_next,
            _date(step.open_day),
            step.accepted,
            step.duplicates,
            step.holes,
        )
        if done != "UPDATE 1":
            raise FencedError(f"partition {self.partition}: the position moved under epoch {position.epoch}")


def _date(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)
