"""Seeded mutants of the books: one row's column changed, a row deleted, added, two rows' contents swapped, the tail cut
off, a record of the log changed, lost or added. Pure: rows in, rows out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

from services.ledger.verify.columns import TABLES, Column, Row, is_watched
from shared.merkle import canonical, record_of

Log = list[tuple[int, bytes]]
"""(offset, canonical record)."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One tampering: rows that go and rows that come, or another log for one partition."""

    kind: str
    table: str
    column: str | None = None
    removed: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """By table."""
    added: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    log: Log | None = None
    partition: int = 0
    """Of the log that is another."""

    @property
    def rows(self) -> list[tuple[str, Row]]:
        """Every row that it touches, as it was and as it is."""
        both = (*self.removed.items(), *self.added.items())
        return [(table, row) for table, rows in both for row in rows]

    @property
    def partitions(self) -> set[int]:
        """The partitions that it touches."""
        return {self.partition} if self.log is not None else {row["partition"] for _, row in self.rows}


@dataclass(frozen=True, slots=True)
class World:
    """What mutants are made of: every table's rows, the log below each position."""

    partitions: int
    rows: Mapping[str, Sequence[Row]]
    logs: Mapping[int, Log]


def mutant(world: World, chance: Random) -> Mutant:
    """The next mutant. The same seed and the same books give the same ones."""
    while True:
        kind = chance.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
        if (made := _KINDS[kind][1](world, chance)) is not None:
            return made


def applied(rows: Mapping[str, Sequence[Row]], one: Mutant) -> dict[str, list[Row]]:
    """The tables with the mutant in them."""
    return {
        table: [row for row in held if row not in one.removed.get(table, ())] + list(one.added.get(table, ()))
        for table, held in rows.items()
    }


def _filled(world: World, chance: Random, *, rows: int = 1, tables: Sequence[str] = tuple(TABLES)) -> str | None:
    """A table that has so many rows."""
    return chance.choice(names) if (names := [name for name in tables if len(world.rows[name]) >= rows]) else None


def _column(world: World, chance: Random, tables: Sequence[str] = tuple(TABLES)) -> Mutant | None:
    if (table := _filled(world, chance, tables=tables)) is None:
        return None
    row = chance.choice(world.rows[table])
    column = chance.choice([one for one in TABLES[table].columns if is_watched(table, one, row)])
    value = another(row[column.name], column, chance)
    changed = {**row, column.name: value}
    if changed.get("amount", 1) <= 0 or ("debit" in row and changed["debit"] == changed["credit"]):
        return None  # the table itself refuses it
    if _at(table, changed) != _at(table, row) and _is_taken(world, table, changed):
        return None
    kind = "position" if tables == ("position",) else "column"
    return Mutant(kind, table, column.name, {table: [row]}, {table: [changed]})


def _position(world: World, chance: Random) -> Mutant | None:
    return _column(world, chance, ("position",))


def _delete(world: World, chance: Random) -> Mutant | None:
    if (table := _filled(world, chance)) is None:
        return None
    return Mutant("delete", table, removed={table: [chance.choice(world.rows[table])]})


def _insert(world: World, chance: Random) -> Mutant | None:
    """A copy under another key, of a partition that there is where the table has a key besides."""
    if (table := _filled(world, chance)) is None:
        return None
    row = dict(chance.choice(world.rows[table]))
    key = [name for name in TABLES[table].key if name != "partition"]
    for column in TABLES[table].columns:
        unique = (table, column.name) in (("event", "event_id"), ("loan", "loan_id"))
        if unique or (column.name == (chance.choice(key) if key else "partition")):
            row[column.name] = another(row[column.name], column, chance)
    if not key:
        row["partition"] = world.partitions
    return None if _is_taken(world, table, row) else Mutant("insert", table, added={table: [row]})


def _swap(world: World, chance: Random) -> Mutant | None:
    """Two rows of a partition with each other's contents."""
    if (table := _filled(world, chance, rows=2)) is None:
        return None
    one, other = chance.sample(list(world.rows[table]), 2)
    key = TABLES[table].key
    watched = [column.name for column in TABLES[table].columns if is_watched(table, column, one)]
    apart = key == ("partition",) or one["partition"] == other["partition"]
    if not apart or all(one[name] == other[name] for name in watched if name not in key):
        return None
    swapped = [{**b, **{name: a[name] for name in key}} for a, b in ((one, other), (other, one))]
    return Mutant("swap", table, removed={table: [one, other]}, added={table: swapped})


def _truncate(world: World, chance: Random) -> Mutant | None:
    """The newest events of a partition with their postings."""
    if not world.rows["event"]:
        return None
    partition = chance.choice(world.rows["event"])["partition"]
    mine = sorted((row for row in world.rows["event"] if row["partition"] == partition), key=lambda row: row["offset"])
    gone = mine[-chance.randint(1, 5) :]
    offsets = {row["offset"] for row in gone}
    lines = [row for row in world.rows["posting"] if row["partition"] == partition and row["offset"] in offsets]
    return Mutant("truncate", "event", removed={"event": gone, "posting": lines})


def _log_changed(world: World, chance: Random) -> Mutant | None:
    if (picked := _picked(world, chance)) is None:
        return None
    partition, log, n = picked
    offset, leaf = log[n]
    record = record_of(leaf)
    key, value, stamp = record.key or b"", record.value or b"", record.timestamp
    match chance.choice(("key", "value", "timestamp")):
        case "key":
            key = _flipped(key, chance)
        case "value":
            value = _flipped(value, chance)
        case _:
            stamp ^= 1 << chance.randrange(40)
    leaf = canonical(type(record)("", partition, offset, stamp, key, value, record.headers))
    return Mutant("log-changed", "log", log=[*log[:n], (offset, leaf), *log[n + 1 :]], partition=partition)


def _log_missing(world: World, chance: Random) -> Mutant | None:
    if (picked := _picked(world, chance)) is None:
        return None
    partition, log, n = picked
    return Mutant("log-missing", "log", log=[*log[:n], *log[n + 1 :]], partition=partition)


def _log_added(world: World, chance: Random) -> Mutant | None:
    """A record once more; those after it move on, the last one beyond the position."""
    if (picked := _picked(world, chance)) is None:
        return None
    partition, log, n = picked
    offsets, leaves = [offset for offset, _ in log], [leaf for _, leaf in log]
    moved = [_at_offset(leaf, offset) for leaf, offset in zip(leaves[n:], offsets[n + 1 :], strict=False)]
    more = list(zip(offsets, [*leaves[: n + 1], *moved], strict=True))
    return None if more == log else Mutant("log-added", "log", log=more, partition=partition)


def _at_offset(leaf: bytes, offset: int) -> bytes:
    record = record_of(leaf)
    return canonical(
        type(record)("", record.partition, offset, record.timestamp, record.key, record.value, record.headers)
    )


def _picked(world: World, chance: Random) -> tuple[int, Log, int] | None:
    partitions = [partition for partition, log in world.logs.items() if log]
    if not partitions:
        return None
    partition = chance.choice(partitions)
    return partition, world.logs[partition], chance.randrange(len(world.logs[partition]))


_KINDS: Mapping[str, tuple[int, Callable[[World, Random], Mutant | None]]] = {
    "column": (50, _column),
    "position": (6, _position),
    "delete": (10, _delete),
    "insert": (10, _insert),
    "swap": (10, _swap),
    "truncate": (4, _truncate),
    "log-changed": (4, _log_changed),
    "log-missing": (3, _log_missing),
    "log-added": (3, _log_added),
}
"""With the share in a hundred that each has."""


def _at(table: str, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in TABLES[table].key)


def _is_taken(world: World, table: str, row: Row) -> bool:
    """Whether the database would refuse the row, since another has its key."""
    return any(_at(table, held) == _at(table, row) for held in world.rows[table])


def another(value: Any, column: Column, chance: Random) -> Any:
    """A value that differs in one bit of one byte; of null, any; of what may be null, null now and then."""
    if value is None:
        return _SOME[column.kind](chance)
    if column.nullable and chance.random() < 0.1:
        return None
    match value:
        case UUID():
            return UUID(int=value.int ^ 1 << chance.randrange(128))
        case date():
            return date.fromordinal(value.toordinal() ^ 1 << chance.randrange(12) or 2)
        case bytes():
            return _flipped(value, chance)
        case str():
            return _other_text(value, chance)
        case _:
            return value ^ 1 << chance.randrange(15 if column.kind == "small" else chance.choice((8, 62)))


_SOME: Mapping[str, Callable[[Random], Any]] = {
    "small": lambda chance: chance.randrange(1 << 15),
    "big": lambda chance: chance.randrange(1 << 10),
    "text": lambda _: "x",
    "bytes": lambda chance: chance.randbytes(32),
    "uuid": lambda chance: UUID(int=chance.getrandbits(128)),
    "date": lambda chance: date.fromordinal(chance.randrange(1, 800_000)),
}


def _flipped(value: bytes, chance: Random) -> bytes:
    if not value:
        return b"\x01"
    changed = bytearray(value)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _other_text(value: str, chance: Random) -> str:
    """One character's last bit; what comes of an ASCII character is one."""
    n = chance.randrange(len(value)) if value else 0
    return f"{value[:n]}{chr(ord(value[n]) ^ 1)}{value[n + 1 :]}" if value else "x"
