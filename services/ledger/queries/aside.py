"""What stands aside from the books: parked loans, held events, dead letters; and whether an event is in."""

from typing import Any

from services.ledger.queries.snapshots import snapshot
from services.ledger.reading import read
from shared.events.entries import PeriodClosed
from shared.events.ledger import BookOpened, BusinessDateClosed, ReferenceRatePublished
from shared.merkle import record_of
from shared.streams.dead_letters import legible

# Parked loans with how much is held behind each.
_PARKED = """
SELECT p.partition, p.loan_id, first_offset, reason, since, count(e.loan_id) AS held
FROM parked_loan p LEFT JOIN parked_event e USING (partition, loan_id)
WHERE $1::text IS NULL OR loan_id = $1
GROUP BY p.partition, p.loan_id ORDER BY p.partition, first_offset
"""
_HELD_EVENTS = """
SELECT "offset", event_id, arrived, record FROM parked_event WHERE partition = $1 AND loan_id = $2 ORDER BY "offset"
"""
_DEAD = 'SELECT partition, "offset", reason, record, tried_at, settled_by FROM dead_letter ORDER BY partition, "offset"'
# An event is in once it is accepted or held; a closing is written with its last loan.
_ACCEPTED = "SELECT record FROM event WHERE event_id = $1"
_HELD = "SELECT EXISTS (SELECT FROM parked_event WHERE event_id = $1)"
_BROADCAST = (BookOpened, BusinessDateClosed, PeriodClosed, ReferenceRatePublished)
_PARTITIONS = "SELECT count(*) FROM position"


async def parked_view(connection: Any) -> list[dict[str, Any]]:
    """Parked loans, each with the offset that a release has to name, and how many events are held."""
    async with snapshot(connection):
        return await parked_rows(connection)


async def parked_rows(connection: Any, loan_id: str | None = None) -> list[dict[str, Any]]:
    """The same inside the caller's snapshot, of one loan where it is named."""
    rows = [dict(row) for row in await connection.fetch(_PARKED, loan_id)]
    return [row | {"since": row["since"].isoformat() if row["since"] else None} for row in rows]


async def held_view(connection: Any, partition: int, loan_id: str) -> list[dict[str, Any]]:
    """What is held behind a parked loan, in order."""
    return [
        {
            "partition": partition,
            "offset": row["offset"],
            "event_id": str(row["event_id"]),
            "arrived": row["arrived"].isoformat() if row["arrived"] else None,
            **legible("value", record_of(row["record"]).value),
        }
        for row in await connection.fetch(_HELD_EVENTS, partition, loan_id)
    ]


async def dead_letters_view(connection: Any) -> list[dict[str, Any]]:
    """Records that could not be read, and the event that settled each, or null."""
    return [
        {
            "partition": row["partition"],
            "offset": row["offset"],
            "reason": row["reason"],
            **legible("key", (record := record_of(row["record"])).key),
            **legible("value", record.value),
            "tried_at": row["tried_at"],
            "settled_by": str(row["settled_by"]) if row["settled_by"] else None,
        }
        for row in await connection.fetch(_DEAD)
    ]


async def event_is_in(connection: Any, event_id: str) -> bool:
    """Whether the event is in the books, accepted or held behind a parked loan; a broadcast one on every partition."""
    rows = await connection.fetch(_ACCEPTED, event_id)
    if not rows:
        return bool(await connection.fetchval(_HELD, event_id))
    if not isinstance(read(record_of(rows[0]["record"])), _BROADCAST):
        return True
    return bool(len(rows) == await connection.fetchval(_PARTITIONS))
