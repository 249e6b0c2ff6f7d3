"""Why a case is as it is: the events that changed it, in order, each with what caused it."""

from datetime import date
from typing import Any

from services.collections import queries
from services.collections.strategy import strategy_on
from shared.merkle import record_of

# A case's history, with the offset and the record of each cause.
_HISTORY = """
SELECT h.event_id, h.type, h.as_of, h.reason, h.cause_id, h.cause_type, e."offset", e.partition, e.booking_date
FROM case_event h LEFT JOIN event e ON e.partition = h.partition AND e.event_id = h.cause_id
WHERE h.case_id = $1 ORDER BY e."offset", h.n, h.event_id
"""
_CAUSE = 'SELECT record FROM event WHERE partition = $1 AND "offset" = $2'


async def why_case(connection: Any, case_id: str) -> dict[str, Any] | None:
    """The case, the rule of its priority with the weights, and its chain of events; None: there is no such case.

    Each line of `history` has the event, why, and its cause: the inbox's record that it follows from, and of an event
    that is copied from another topic, where it stands there (`source`). `connection`: asyncpg's, on that schema.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await queries.case(connection, case_id)
        if found is None:
            return None
        lines = [await _line(connection, row) for row in await connection.fetch(_HISTORY, case_id)]
    strategy = strategy_on(date.fromisoformat(found["as_of"]))
    weights = strategy.priority.model_dump(mode="json")
    steps = [step.model_dump(mode="json") for step in strategy.steps]
    rule = {"rule": found["rule"], "strategy": f"strategy@{strategy.version}", "weights": weights, "steps": steps}
    return {"case": found, "priority": rule, "history": lines}


async def _line(connection: Any, row: Any) -> dict[str, Any]:
    cause: dict[str, Any] = {"event_id": str(row["cause_id"]), "type": row["cause_type"]}
    if row["offset"] is not None:
        cause |= {"partition": row["partition"], "offset": row["offset"]}
        record = record_of(await connection.fetchval(_CAUSE, row["partition"], row["offset"]))
        source = dict(record.headers).get("lendlog-source")
        if source:
            cause["source"] = source.decode()
    return {
        "event_id": str(row["event_id"]),
        "type": row["type"],
        "as_of": row["as_of"].isoformat() if row["as_of"] else None,
        "reason": row["reason"],
        "cause": cause,
    }
