"""Why an alert stands, and why a level is where it is: the chain of events, each with its rule and inputs.

`connection`: asyncpg's, its search path set to the worker's schema.
"""

import json
from typing import Any

from services.monitoring import queries
from services.monitoring.indicators import CODES
from services.monitoring.state import segment_of
from shared.merkle import record_of

_ALERT_EVENTS = """
SELECT event_id, type, data, open_date, cause FROM alert_event WHERE alert_id = $1::uuid
"""
_LEVEL_EVENTS = """
SELECT event_id, subject, segment, as_of, data, cause FROM level_event
WHERE indicator = $2 AND (subject = $1 OR (subject IS NULL AND segment = ANY($3::text[])))
ORDER BY as_of, subject NULLS FIRST, event_id
"""
_CAUSES = 'SELECT event_id, partition, "offset", booking_date, record FROM event WHERE event_id = ANY($1::uuid[])'
_STEPS = ("Raised", "Escalated", "Acknowledged", "Snoozed", "Released", "Resolved", "Superseded")


async def why_alert(connection: Any, alert_id: str) -> dict[str, Any] | None:
    """The alert, what it went through with the event that each step followed from, and how its level came to be; None:
    there is no such alert."""
    found = await queries.alert(connection, alert_id)
    if found is None:
        return None
    rows = await connection.fetch(_ALERT_EVENTS, alert_id)
    causes = await _causes(connection, [row["cause"] for row in rows])
    steps = [
        {
            "event_id": str(row["event_id"]),
            "type": row["type"],
            "date": row["open_date"].isoformat() if row["open_date"] else None,
            **_step(json.loads(row["data"])),
            "cause": causes.get(str(row["cause"])),
        }
        for row in sorted(rows, key=lambda row: _order(row, causes))
    ]
    level = await why_level(connection, found["borrower_id"], found["indicator"])
    return {"alert": found, "steps": steps, "level": None if level is None else level["changes"]}


def _order(row: Any, causes: dict[str, dict[str, Any]]) -> tuple[int, int]:
    """By place in the inbox; a release and the end that follows from it have the same."""
    cause = causes.get(str(row["cause"]))
    name = str(row["type"]).split(".")[1].removeprefix("Alert")
    return (cause["offset"] if cause else -1, _STEPS.index(name))


def _step(data: dict[str, Any]) -> dict[str, Any]:
    names = ("severity", "status", "blocks", "by", "snoozed_until", "rule", "reason", "inputs")
    return {name: data[name] for name in names if name in data}


def no_level(borrower_id: str, indicator: str) -> str:
    """Why there is no level to explain, as the object of `Monitoring holds`."""
    if indicator in CODES:
        return f"no level of {indicator} of borrower {borrower_id}"
    return f"no level of {indicator}: only adaptive indicators keep levels, which are {', '.join(sorted(CODES))}"


async def why_level(connection: Any, borrower_id: str, indicator: str) -> dict[str, Any] | None:
    """The level of a borrower's indicator, and every change of it, with those of the peers and of the market; None: it
    has none."""
    known = await queries.indicators(connection, borrower_id)
    if known is None:
        return None
    level = next((one for one in known["indicators"] if one["indicator"] == indicator), None)
    if level is None:
        return None
    places = [known["segment"]]
    places += [segment_of(i, r) for i in (known["industry"], "all") for r in (known["region"], "all")]
    rows = await connection.fetch(_LEVEL_EVENTS, borrower_id, indicator, places)
    causes = await _causes(connection, [row["cause"] for row in rows])
    changes = [
        {
            "event_id": str(row["event_id"]),
            "of": "borrower" if row["subject"] else row["segment"],
            "as_of": row["as_of"].isoformat(),
            **{name: value for name, value in json.loads(row["data"]).items() if name in _LEVEL_FIELDS},
            "cause": causes.get(str(row["cause"])),
        }
        for row in rows
    ]
    return {"borrower_id": borrower_id, **level, "changes": changes}


_LEVEL_FIELDS = ("old", "new", "floor", "ceiling", "unit", "reason", "rule", "inputs")


async def _causes(connection: Any, event_ids: list[Any]) -> dict[str, dict[str, Any]]:
    """The inbox's events that these ids name: type, date and place; a payload stays where it is."""
    found: dict[str, dict[str, Any]] = {}
    for row in await connection.fetch(_CAUSES, list(set(event_ids))):
        event = json.loads(record_of(row["record"]).value or b"{}")
        found[str(row["event_id"])] = {
            "event_id": str(row["event_id"]),
            "type": event.get("type"),
            "time": event.get("time"),
            "causation_id": event.get("causationid"),
            "date": row["booking_date"].isoformat(),
            "partition": row["partition"],
            "offset": row["offset"],
        }
    return found
