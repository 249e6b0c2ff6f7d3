"""Who works on which case: one collector a case, until the lease ends. All leases stand under one lock, the queue's."""

from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from services.collections import queries
from services.collections.commands import refusals
from services.collections.commands.stamp import event_of
from shared.commands import Unit
from shared.events.collections import CaseGivenBack, CaseTaken, Lease

QUEUE = "queue"
"""The aggregate that every taking and giving back holds."""
LEASE_MINUTES = 30

_LEASE = "SELECT taken_by, until FROM lease WHERE case_id = $1"
# Cases that the queue passes over: taken, or given back until a later business date.
_ELSEWHERE = "SELECT case_id FROM lease WHERE until > $1 OR not_before > $2"
_TAKE = """
INSERT INTO lease (case_id, borrower_id, taken_by, until, not_before) VALUES ($1, $2, $3, $4, NULL)
ON CONFLICT (case_id) DO UPDATE SET taken_by = excluded.taken_by, until = excluded.until, not_before = NULL
"""
_GIVE_BACK = "UPDATE lease SET taken_by = NULL, until = NULL, not_before = $2 WHERE case_id = $1"


async def take_next(unit: Unit, books: asyncpg.Pool, topic: str, taken_by: str, today: date) -> dict[str, Any]:
    """Lease the first open case that nobody has to `taken_by`; raises QueueEmpty."""
    now = datetime.fromisoformat(unit.time)
    elsewhere = [str(row["case_id"]) for row in await unit.connection.fetch(_ELSEWHERE, now, today)]
    found = await queries.queue(books, 1, elsewhere)
    if not found:
        raise refusals.QueueEmpty("Every open case is taken, or comes up on a later date.")
    return await _take(unit, topic, found[0], taken_by, now)


async def take(unit: Unit, books: asyncpg.Pool, topic: str, case_id: str, taken_by: str) -> dict[str, Any]:
    """Lease this case, again too; raises UnknownCase, CaseNotOpen, CaseTakenByAnother."""
    now = datetime.fromisoformat(unit.time)
    found = await queries.case(books, case_id)
    if found is None:
        raise refusals.UnknownCase(f"There is no case {case_id}.", field="case_id")
    if found["status"] != "open":
        raise refusals.CaseNotOpen(f"It is {found['status']}: {found['reason']}.", field="case_id")
    lease = await unit.connection.fetchrow(_LEASE, case_id)
    if lease and lease["taken_by"] not in (None, taken_by) and lease["until"] > now:
        until = lease["until"].isoformat()
        raise refusals.CaseTakenByAnother(f"{lease['taken_by']} has it until {until}.", field="case_id")
    return await _take(unit, topic, found, taken_by, now)


async def _take(unit: Unit, topic: str, found: dict[str, Any], taken_by: str, now: datetime) -> dict[str, Any]:
    until = now + timedelta(minutes=LEASE_MINUTES)
    await unit.connection.execute(_TAKE, found["case_id"], found["borrower_id"], taken_by, until)
    data = Lease(case_id=found["case_id"], by=taken_by, until=until.isoformat().replace("+00:00", "Z"))
    unit.publish(topic, event_of(unit, CaseTaken, data, subject=found["borrower_id"]))
    return found | {"taken_by": taken_by, "until": until.isoformat()}


async def give_back(
    unit: Unit, books: asyncpg.Pool, topic: str, case_id: str, given_by: str, *, reason: str | None, again_on: date
) -> dict[str, Any]:
    """End the caller's lease; the queue passes the case over until the business date `again_on`. Raises UnknownCase,
    CaseNotTaken."""
    found = await queries.case(books, case_id)
    if found is None:
        raise refusals.UnknownCase(f"There is no case {case_id}.", field="case_id")
    lease = await unit.connection.fetchrow(_LEASE, case_id)
    if lease is None or lease["taken_by"] != given_by or lease["until"] <= datetime.fromisoformat(unit.time):
        raise refusals.CaseNotTaken("Take it first; a lease ends by itself.", field="case_id")
    await unit.connection.execute(_GIVE_BACK, case_id, again_on)
    data = Lease(case_id=case_id, by=given_by, skipped=reason)
    unit.publish(topic, event_of(unit, CaseGivenBack, data, subject=found["borrower_id"]))
    return {"case_id": case_id, "again_on": again_on.isoformat()}
