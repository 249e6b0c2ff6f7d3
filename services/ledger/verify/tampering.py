"""Tampers with a scratch copy of the books, mutant by mutant, and asks the audit of each what it finds.

Every mutant is made in the database, inside a savepoint that is rolled back; nothing is ever committed.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asyncpg

from services.ledger.verify import CHECKS, first_finding
from services.ledger.verify.columns import TABLES, Row
from services.ledger.verify.examined import Named, named
from services.ledger.verify.rows import Books, LogReader
from services.ledger.verify.tables import (
    held_partitions,
    partitions_of,
    read_log,
    read_table,
    read_tables,
    with_table,
)
from services.ledger.verify.tamper import Log, Mutant, World, mutant
from shared.errors import MissingPrecondition
from shared.merkle import canonical

SCRATCH = "_scratch"
"""How the name of a schema ends that a replay may fill, and may lose."""
END = 1 << 62
_IS_OURS = "SELECT pg_get_userbyid(relowner) = current_user FROM pg_class WHERE oid = to_regclass('position')"
_REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
"""What the tables themselves do not let in: not a mutant."""


@dataclass
class Tampered:
    """How many mutants were made and found, by kind; those that nothing named."""

    seed: int
    mutants: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    """How many the finding of each check named."""
    missed: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def take(self, one: Mutant, finding: Named | None) -> None:
        """Count a mutant."""
        self.mutants[one.kind] += 1
        if finding is not None:
            self.found[one.kind] += 1
            self.checks[finding.check] += 1
            return
        keys = [[table, {name: str(row[name]) for name in TABLES[table].key}] for table, row in one.rows]
        self.missed.append({"kind": one.kind, "table": one.table, "column": one.column, "rows": keys})

    def document(self) -> dict[str, Any]:
        """As `lendlog verify --tamper --json` prints it."""
        kinds = {kind: {"mutants": self.mutants[kind], "found": self.found[kind]} for kind in sorted(self.mutants)}
        return {
            "mutants": self.mutants.total(),
            "found": self.found.total(),
            "missed": self.missed,
            "by_kind": kinds,
            "by_check": dict(self.checks.most_common()),
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
        }


async def tamper(
    connection: Any,
    log: LogReader,
    *,
    count: int,
    seed: int,
    prefix: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Tampered:
    """Make `count` mutants of the scratch schema that the connection's role owns and its search path names.

    Raises MissingPrecondition where the schema is no scratch schema of the role's, or the audit finds something before
    anything was changed.
    """
    await _require_scratch(connection)
    started, report = time.perf_counter(), Tampered(seed)
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    transaction = connection.transaction()
    await transaction.start()
    try:
        copy = await _Copy.read(connection, log, prefix)
        while report.mutants.total() < count:
            one = mutant(copy.world, chance)
            try:
                report.take(one, await copy.audited(one))
            except _REFUSED:
                continue
            progress(report.mutants.total())
    finally:
        await transaction.rollback()
    report.seconds = time.perf_counter() - started
    return report


async def _require_scratch(connection: Any) -> None:
    schema = await connection.fetchval("SELECT current_schema()") or ""
    if not schema.endswith(SCRATCH) or not await connection.fetchval(_IS_OURS):
        raise MissingPrecondition(f"Schema {schema!r} is no scratch schema of this role: only those are tampered with.")


class _Copy:
    """The scratch copy as it is, partition by partition, and the log of each."""

    def __init__(self, connection: Any, world: World, books: Sequence[Books], logs: Sequence[Log]) -> None:
        self.connection = connection
        self.world = world
        self.books = books
        self.logs = logs
        """Up to their ends, also beyond the positions."""

    @classmethod
    async def read(cls, connection: Any, log: LogReader, prefix: str | None) -> "_Copy":
        """Everything, once. Raises MissingPrecondition where the audit finds something."""
        partitions, held = await partitions_of(connection), await held_partitions(connection)
        books, logs = [], []
        for partition in range(partitions):
            records = await read_log(log, partition, END)
            logs.append([(record.offset, canonical(record)) for record in records])
            tables = await read_tables(connection, partition)
            made = Books(partition, partitions, tables, prefix=prefix, held=held)
            _cut(made, logs[-1])
            for name, check in CHECKS.items():
                if (finding := first_finding(check, made)) is not None:
                    raise MissingPrecondition(f"The copy is not sound before anything is changed: {name}: {finding}")
            books.append(made)
        rows = {table: await _rows(connection, table) for table in TABLES}
        world = World(partitions, rows, {one.partition: one.log for one in books})
        return cls(connection, world, books, logs)

    async def audited(self, one: Mutant) -> Named | None:
        """Make the mutant, audit the partitions that it touches, take it back."""
        savepoint = self.connection.transaction()
        await savepoint.start()
        try:
            await self._make(one)
            held = await held_partitions(self.connection)
            touched = sorted(one.partitions & set(range(self.world.partitions))) or [0]
            return named(one, [await self._books(one, partition, held) for partition in touched])
        finally:
            await savepoint.rollback()

    async def _make(self, one: Mutant) -> None:
        for table, rows in one.removed.items():
            for row in rows:
                key = " AND ".join(f'"{name}" = ${n}' for n, name in enumerate(TABLES[table].key, 1))
                await self.connection.execute(
                    f"DELETE FROM {table} WHERE {key}", *(row[name] for name in TABLES[table].key)
                )
        for table, rows in one.added.items():
            names = [column.name for column in TABLES[table].columns]
            columns = ", ".join(f'"{name}"' for name in names)
            places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
            for row in rows:
                await self.connection.execute(
                    f"INSERT INTO {table} ({columns}) VALUES ({places})", *(row[name] for name in names)
                )

    async def _books(self, one: Mutant, partition: int, held: Any) -> Books:
        """The partition's books with the mutant in them: what it did not touch is as it was read."""
        before = self.books[partition]
        tables = before.tables
        for table in one.removed.keys() | one.added.keys():
            tables = with_table(tables, table, await read_table(self.connection, table, partition))
        made = Books(partition, self.world.partitions, tables, prefix=before.prefix, held=held)
        if one.log is not None:
            made.log = one.log
        elif all(tables.position[name] == before.tables.position[name] for name in ("next_offset", "resume_loan")):
            made.log, made.following, made.folds = before.log, before.following, before.folds
        else:
            _cut(made, self.logs[partition])
        return made


def _cut(books: Books, log: Log) -> None:
    """Give the books the log below their position, and the record there where a closing is under way."""
    end, resume = books.tables.position["next_offset"], books.tables.position["resume_loan"]
    books.log = [one for one in log if one[0] < end]
    books.following = next((leaf for offset, leaf in log if offset == end and resume is not None), None)


async def _rows(connection: Any, table: str) -> list[Row]:
    key = ", ".join(f'"{name}"' for name in TABLES[table].key)
    return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY {key}")]
