"""An audit of what came since the last one: the records after its position, and every loan that they touch.

What was audited before counts as sound: the tree goes on from the frontier that the books then had. A loan that nothing
has touched, the accrual groups' sums and the comparison with a fold of the log are for the audit of the whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.ledger.engine.account import GENERAL_NUMBER
from services.ledger.verify.of_log import event_id_of
from services.ledger.verify.rows import Books, Event, LoanRow, LogReader, Mark, Posting, Tables
from services.ledger.verify.tables import SMALL, read_table, table_of
from shared.merkle import canonical

LEFT_OUT = frozenset(("partitions", "counts", "accrual-groups"))
"""Checks that ask for every row, besides those against a fold of the log."""

_COLUMNS = {
    "event": 'SELECT "offset", event_id, loan, effective_date, booking_date, record FROM event WHERE partition = $1',
    "posting": 'SELECT loan, "offset", n, debit, credit, amount, currency, effective_date, booking_date,'
    " open_from FROM posting WHERE partition = $1",
    "loan": "SELECT loan, loan_id, next_action, as_of, state FROM loan WHERE partition = $1",
}
_NEW_EVENTS = _COLUMNS["event"] + ' AND "offset" >= $2'
_EVENTS_OF = _COLUMNS["event"] + " AND loan = ANY($2::bigint[])"
_EVENTS_AT = _COLUMNS["event"] + ' AND "offset" = ANY($2::bigint[])'
_EVENTS_NAMED = _COLUMNS["event"] + " AND event_id = ANY($2::uuid[])"
_LOANS = _COLUMNS["loan"] + " AND (as_of >= $2 OR loan = ANY($3::bigint[]) OR loan < 0) ORDER BY loan"
_POSTINGS = (
    _COLUMNS["posting"] + ' AND (loan = ANY($3::bigint[]) OR (loan < 0 AND "offset" >= $2)) ORDER BY loan, "offset", n'
)


def is_run_since(check: str) -> bool:
    """Whether the check looks at what came since."""
    return check not in LEFT_OUT and not check.startswith("replayed")


async def read_since(connection: Any, partition: int, partitions: int, log: LogReader, mark: Mark) -> Books:
    """The part of a partition's tables and log that an audit since the mark looks at."""
    rows = {table: await read_table(connection, table, partition) for table in SMALL}
    stretch: list[tuple[int, bytes]] = []
    following: bytes | None = None
    end = rows["position"][0]["next_offset"] if rows["position"] else 0
    resumed = bool(rows["position"]) and rows["position"][0]["resume_loan"] is not None
    async for records in log(partition, end + resumed, mark.next_offset):
        for record in records:
            if record.offset >= end:
                following = canonical(record)
            else:
                stretch.append((record.offset, canonical(record)))
    reader = _Reader(connection, partition, mark.next_offset)
    tables = await reader.tables(rows, stretch)
    return Books(partition, partitions, tables, stretch, following=following, mark=mark)


class _Reader:
    """The rows that a stretch of the log touches."""

    def __init__(self, connection: Any, partition: int, start: int) -> None:
        self.connection = connection
        self.partition = partition
        self.start = start

    async def tables(self, rows: Mapping[str, Sequence[Any]], stretch: Sequence[tuple[int, bytes]]) -> Tables:
        """The small tables as given, the others in part."""
        new = await self._events(_NEW_EVENTS, self.start)
        asides = (row["offset"] for name in ("parked_event", "dead_letter", "conflict") for row in rows[name])
        placed = {*asides, *(event.offset for event in new)}
        repeated = await self._events(_EVENTS_NAMED, _ids(leaf for offset, leaf in stretch if offset not in placed))
        named = sorted({event.loan for event in (*new, *repeated) if event.loan is not None})
        loans: list[LoanRow] = table_of("loan", await self.connection.fetch(_LOANS, self.partition, self.start, named))
        numbers = [row.number for row in loans if row.number >= GENERAL_NUMBER]
        found = await self.connection.fetch(_POSTINGS, self.partition, self.start, numbers)
        postings: list[Posting] = table_of("posting", found)
        causes = sorted({*(row["offset"] for row in rows["closed_period"]), *(posting.offset for posting in postings)})
        events = [*new, *repeated, *await self._events(_EVENTS_OF, numbers), *await self._events(_EVENTS_AT, causes)]
        by_offset = {event.offset: event for event in events}
        touched = set(numbers)
        return Tables(
            position=table_of("position", rows["position"]),
            relay=table_of("relay", rows["relay"]),
            events=[by_offset[offset] for offset in sorted(by_offset)],
            postings=postings,
            loans=loans,
            parked_loans=list(rows["parked_loan"]),
            parked_events=list(rows["parked_event"]),
            suspense=[row for row in rows["suspense"] if row["loan"] in touched],
            dead_letters=list(rows["dead_letter"]),
            conflicts=list(rows["conflict"]),
            reference_rates=list(rows["reference_rate"]),
            outbox=list(rows["outbox"]),
            periods=list(rows["closed_period"]),
        )

    async def _events(self, query: str, asked: Any) -> list[Event]:
        events: list[Event] = table_of("event", await self.connection.fetch(query, self.partition, asked))
        return events


def _ids(leaves: Iterable[bytes]) -> list[str]:
    """The event ids of records that stand in no table."""
    return [event_id for leaf in leaves if (event_id := event_id_of(leaf)) is not None]
