"""Published reference rates."""

from typing import Any

from services.ledger.store.set_aside import RATES, rates_of
from shared.schedules.resets import Published

# Of what begins on one date the last publication. All partitions hold the same; the first is asked.
_LIST = """
SELECT DISTINCT ON (rate_index, from_date) rate_index, from_date, annual_rate, event_id, booking_date
FROM reference_rate JOIN event USING (partition, "offset")
WHERE partition = 0 AND ($1::text IS NULL OR rate_index = $1) ORDER BY rate_index, from_date, "offset" DESC
"""


async def rates_in(connection: Any, partition: int) -> dict[str, Published]:
    """What was published, as one partition has it."""
    rows = await connection.fetch(RATES, partition)
    return rates_of((row["rate_index"], row["from_date"], row["annual_rate"], row["offset"]) for row in rows)


async def rates_view(connection: Any, index: str | None = None) -> list[dict[str, Any]]:
    """What is published, of all indexes or one, in order of date: each value is in force until the next one's date."""
    return [
        {
            "index": row["rate_index"],
            "from_date": row["from_date"].isoformat(),
            "annual_rate": row["annual_rate"],
            "event_id": str(row["event_id"]),
            "published_on": row["booking_date"].isoformat(),
        }
        for row in await connection.fetch(_LIST, index)
    ]
