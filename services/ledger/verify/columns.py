"""The ledger's tables, column by column: what each can hold, and which ones no audit watches over, and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.ledger.engine.account import GENERAL_NUMBER

Row = Mapping[str, Any]


class Column(NamedTuple):
    """What a column can hold. `kind`: small, big, text, bytes, uuid or date; `out` says why nothing watches over it."""

    name: str
    kind: str
    nullable: bool = False
    out: str = ""


class Table(NamedTuple):
    """A table of the ledger: its columns, the names of its key's."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]


_PARTITION, _OFFSET = Column("partition", "small"), Column("offset", "big")
TABLES: Mapping[str, Table] = {
    "position": Table(
        (
            _PARTITION,
            Column("epoch", "big", out="how often the partition was claimed: no replay recomputes it"),
            Column("next_offset", "big"),
            Column("resume_loan", "big", nullable=True),
            Column("last_offset", "big", nullable=True),
            Column("last_leaf", "bytes", nullable=True),
            Column("tree_size", "big"),
            Column("tree_frontier", "bytes"),
            Column("open_date", "date", nullable=True),
            Column("events", "big"),
            Column("duplicates", "big"),
            Column("holes", "big"),
            Column("outbox_next", "big"),
            Column("halted", "text", nullable=True, out="why a worker stopped: says nothing about the books"),
        ),
        ("partition",),
    ),
    "relay": Table(
        (
            _PARTITION,
            Column("outbox_mark", "big"),
            Column("snapshot_mark", "big", out="how far account snapshots are published: no replay recomputes it"),
        ),
        ("partition",),
    ),
    "event": Table(
        (
            _PARTITION,
            _OFFSET,
            Column("event_id", "uuid"),
            Column("loan", "big", nullable=True),
            Column("effective_date", "date"),
            Column("booking_date", "date"),
            Column("record", "bytes"),
        ),
        ("partition", "offset"),
    ),
    "posting": Table(
        (
            _PARTITION,
            Column("loan", "big"),
            _OFFSET,
            Column("n", "small"),
            Column("debit", "small"),
            Column("credit", "small"),
            Column("amount", "big"),
            Column("currency", "small"),
            Column("effective_date", "date"),
            Column("booking_date", "date"),
            Column("open_from", "date"),
        ),
        ("partition", "loan", "offset", "n"),
    ),
    "loan": Table(
        (
            _PARTITION,
            Column("loan", "big"),
            Column("loan_id", "text"),
            Column("next_action", "date", nullable=True),
            Column("as_of", "big"),
            Column("state", "bytes"),
        ),
        ("partition", "loan"),
    ),
    "parked_loan": Table(
        (
            _PARTITION,
            Column("loan_id", "text"),
            Column("first_offset", "big"),
            Column("reason", "text"),
            Column("since", "date", nullable=True),
        ),
        ("partition", "loan_id"),
    ),
    "parked_event": Table(
        (
            _PARTITION,
            _OFFSET,
            Column("loan_id", "text"),
            Column("event_id", "uuid"),
            Column("arrived", "date", nullable=True),
            Column("record", "bytes"),
        ),
        ("partition", "offset"),
    ),
    "suspense": Table(
        (
            _PARTITION,
            _OFFSET,
            Column("loan", "big"),
            Column("event_id", "uuid"),
            Column("amount", "big"),
            Column("currency", "small"),
        ),
        ("partition", "loan", "offset"),
    ),
    "dead_letter": Table(
        (
            _PARTITION,
            _OFFSET,
            Column("reason", "text"),
            Column("record", "bytes"),
            Column("tried_at", "big", nullable=True),
            Column("settled_by", "uuid", nullable=True),
        ),
        ("partition", "offset"),
    ),
    "conflict": Table(
        (_PARTITION, _OFFSET, Column("event_id", "uuid"), Column("record", "bytes")), ("partition", "offset")
    ),
    "reference_rate": Table(
        (
            _PARTITION,
            _OFFSET,
            Column("rate_index", "text"),
            Column("from_date", "date"),
            Column("annual_rate", "text"),
        ),
        ("partition", "offset"),
    ),
    "outbox": Table((_PARTITION, Column("sequence", "big"), Column("messages", "bytes")), ("partition", "sequence")),
    "closed_period": Table((_PARTITION, _OFFSET, Column("period_end", "date")), ("partition", "offset")),
}
GROUP_AS_OF = "of an accrual group, the end of the transaction that changed it last: no replay recomputes it"
"""Why `loan.as_of` is not watched in rows of accrual groups."""


def is_watched(table: str, column: Column, row: Row) -> bool:
    """Whether the audit watches over a column of this row."""
    return not column.out and not (table == "loan" and column.name == "as_of" and row["loan"] < GENERAL_NUMBER)
