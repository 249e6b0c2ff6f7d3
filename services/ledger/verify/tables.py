"""Reads what the checks look at: the tables of one partition, and its stretch of the log."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from services.ledger.engine.account import AccrualGroup, Loan, decode_state
from services.ledger.verify.rows import Books, Event, LoanRow, LogReader, Posting, Tables
from shared.merkle import canonical
from shared.streams.ports import Record

BIG = ("event", "posting", "loan")
"""Divided by partition, so that none can hold rows of a partition that the schema does not have."""
SMALL = (
    "position",
    "relay",
    "parked_loan",
    "parked_event",
    "suspense",
    "dead_letter",
    "conflict",
    "outbox",
    "closed_period",
    "reference_rate",
    "outbox",
)

_QUERIES = {
    "event": 'SELECT "offset", event_id, loan, effective_date, booking_date, record FROM event'
    ' WHERE partition = $1 ORDER BY "offset"',
    "posting": 'SELECT loan, "offset", n, debit, credit, amount, currency, effective_date, booking_date,'
    ' open_from FROM posting WHERE partition = $1 ORDER BY loan, "offset", n',
    "loan": "SELECT loan, loan_id, next_action, as_of, state FROM loan WHERE partition = $1 ORDER BY loan",
    "position": "SELECT * FROM position WHERE partition = $1",
    "relay": "SELECT * FROM relay WHERE partition = $1",
    "parked_loan": "SELECT * FROM parked_loan WHERE partition = $1 ORDER BY loan_id",
    "parked_event": 'SELECT * FROM parked_event WHERE partition = $1 ORDER BY "offset"',
    "suspense": 'SELECT * FROM suspense WHERE partition = $1 ORDER BY loan, "offset"',
    "dead_letter": 'SELECT * FROM dead_letter WHERE partition = $1 ORDER BY "offset"',
    "conflict": 'SELECT * FROM conflict WHERE partition = $1 ORDER BY "offset"',
    "reference_rate": 'SELECT * FROM reference_rate WHERE partition = $1 ORDER BY "offset"',
    "outbox": "SELECT * FROM outbox WHERE partition = $1 ORDER BY sequence",
    "closed_period": 'SELECT * FROM closed_period WHERE partition = $1 ORDER BY "offset"',
}
_FIELDS = {
    "event": "events",
    "posting": "postings",
    "loan": "loans",
    "position": "position",
    "relay": "relay",
    "parked_loan": "parked_loans",
    "parked_event": "parked_events",
    "suspense": "suspense",
    "dead_letter": "dead_letters",
    "conflict": "conflicts",
    "reference_rate": "reference_rates",
    "outbox": "outbox",
    "closed_period": "periods",
}
TABLES = tuple(_FIELDS)
_EVENT = ("offset", "event_id", "loan", "effective_date", "booking_date", "record")
_POSTING = (
    "loan",
    "offset",
    "n",
    "debit",
    "credit",
    "amount",
    "currency",
    "effective_date",
    "booking_date",
    "open_from",
)
NEW_POSITION: Mapping[str, Any] = {
    "next_offset": 0,
    "resume_loan": None,
    "last_offset": None,
    "last_leaf": None,
    "tree_size": 0,
    "tree_frontier": b"",
    "open_date": None,
    "events": 0,
    "duplicates": 0,
    "holes": 0,
    "outbox_next": 0,
}
"""A partition of which nothing was taken in; stands for a row that is missing, which the check of partitions names."""
NEW_RELAY: Mapping[str, Any] = {"outbox_mark": 0}

_PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('event')"
_HELD = " UNION ALL ".join(f"SELECT DISTINCT '{table}' AS held, partition FROM {table}" for table in SMALL)


def table_of(table: str, rows: Sequence[Any]) -> Any:
    """A table's field in `Tables`, of rows as the database or a mapping gives them."""
    match table:
        case "event":
            picked = ((*(row[column] for column in _EVENT),) for row in rows)
            return [Event(offset, str(event_id), *more) for offset, event_id, *more in picked]
        case "posting":
            return [Posting(*(row[column] for column in _POSTING)) for row in rows]
        case "loan":
            return [
                LoanRow(
                    row["loan"],
                    row["loan_id"],
                    row["next_action"],
                    row["as_of"],
                    _decoded(row["loan"], row["state"]),
                    row["state"],
                )
                for row in rows
            ]
        case "position":
            return rows[0] if rows else NEW_POSITION
        case "relay":
            return rows[0] if rows else NEW_RELAY
        case _:
            return list(rows)


def _decoded(number: int, state: bytes) -> Loan | AccrualGroup | None:
    try:
        return decode_state(number, state)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def tables_of(rows: Mapping[str, Sequence[Any]]) -> Tables:
    """Every table of one partition, of its rows by table."""
    return Tables(**{_FIELDS[table]: table_of(table, rows[table]) for table in TABLES})


async def read_table(connection: Any, table: str, partition: int) -> Sequence[Any]:
    """Every row that a table has of one partition, with the columns that checks look at, in order of the key."""
    rows: Sequence[Any] = await connection.fetch(_QUERIES[table], partition)
    return rows


def with_table(tables: Tables, table: str, rows: Sequence[Any]) -> Tables:
    """The same tables with other rows in one of them."""
    fields = {name: getattr(tables, name) for name in _FIELDS.values()}
    return Tables(**(fields | {_FIELDS[table]: table_of(table, rows)}))


async def read_tables(connection: Any, partition: int) -> Tables:
    """Every row of one partition."""
    return tables_of({table: await read_table(connection, table, partition) for table in TABLES})


async def partitions_of(connection: Any) -> int:
    """How many partitions the schema was made for."""
    return int(await connection.fetchval(_PARTITIONS))


async def held_partitions(connection: Any) -> dict[str, Collection[int]]:
    """The partitions of which each of the small tables holds rows."""
    held: dict[str, set[int]] = {table: set() for table in SMALL}
    for row in await connection.fetch(_HELD):
        held[row["held"]].add(row["partition"])
    return dict(held)


async def read_log(log: LogReader, partition: int, end: int) -> list[Record]:
    """The records of [0, end) that the log holds."""
    return [record async for records in log(partition, end) for record in records]


async def read_books(
    connection: Any,
    partition: int,
    partitions: int,
    log: LogReader,
    *,
    held: Mapping[str, Collection[int]] | None = None,
    prefix: str | None = None,
) -> Books:
    """Tables and log of one partition; the log up to the position that the tables have, and the record there where a
    closing is under way."""
    tables = await read_tables(connection, partition)
    books = Books(partition, partitions, tables, held=held or {}, prefix=prefix)
    stored, end = books.events_by_offset, tables.position["next_offset"]
    async for records in log(partition, end + (tables.position["resume_loan"] is not None)):
        for record in records:
            leaf = canonical(record)
            if record.offset >= end:
                books.following = leaf
                continue
            event = stored.get(record.offset)
            # The stored bytes stand for equal ones of the log, so that memory holds them once.
            books.log.append((record.offset, event.record if event is not None and event.record == leaf else leaf))
    return books
