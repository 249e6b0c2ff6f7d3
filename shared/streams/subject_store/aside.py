"""What stands aside from a service's states of borrowers: who is parked, what is held behind them, dead letters."""

from typing import Any

from shared.merkle import record_of
from shared.streams.dead_letters import legible

# Parked borrowers with how much is held behind each.
_PARKED = """
SELECT partition, subject AS borrower_id, first_offset, reason, since, count(e.subject) AS held
FROM parked_subject p LEFT JOIN parked_event e USING (partition, subject)
WHERE $1::text IS NULL OR subject = $1
GROUP BY partition, subject, p.first_offset, p.reason, p.since ORDER BY partition, first_offset
"""
_HELD = """
SELECT "offset", event_id, arrived, record FROM parked_event WHERE partition = $1 AND subject = $2 ORDER BY "offset"
"""
_DEAD = 'SELECT partition, "offset", reason, record FROM dead_letter ORDER BY partition, "offset"'
_TAKEN_IN = "SELECT EXISTS (SELECT FROM event WHERE event_id = $1)"


async def parked_view(connection: Any, borrower_id: str | None = None) -> list[dict[str, Any]]:
    """Parked borrowers, or the one named, each with the offset that a release has to name, and how much is held."""
    rows = await connection.fetch(_PARKED, borrower_id)
    return [dict(row) | {"since": row["since"].isoformat() if row["since"] else None} for row in rows]


async def held_view(connection: Any, partition: int, borrower_id: str) -> list[dict[str, Any]]:
    """What is held behind a parked borrower, in order; the first is what parked them."""
    return [
        {
            "partition": partition,
            "offset": row["offset"],
            "event_id": str(row["event_id"]),
            "arrived": row["arrived"].isoformat() if row["arrived"] else None,
            **legible("value", record_of(row["record"]).value),
        }
        for row in await connection.fetch(_HELD, partition, borrower_id)
    ]


async def dead_letters_view(connection: Any) -> list[dict[str, Any]]:
    """Records of the inbox that could not be read, or that a release discarded."""
    return [
        {
            "partition": row["partition"],
            "offset": row["offset"],
            "reason": row["reason"],
            **legible("key", (record := record_of(row["record"])).key),
            **legible("value", record.value),
        }
        for row in await connection.fetch(_DEAD)
    ]


async def is_taken_in(connection: Any, event_id: str) -> bool:
    """Whether the service has folded the event."""
    return bool(await connection.fetchval(_TAKEN_IN, event_id))
