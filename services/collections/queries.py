"""Readings of what the worker keeps: for the API, and for the command line.

`connection` is asyncpg's, a connection or a pool, its search path set to the worker's schema.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.collections.commands.decisions import LoanStanding
from services.collections.contact import Allowed, Attempt, BorrowerFacts, PastContact, Verdict
from services.collections.contact_policy import contact_policies
from services.collections.facts import facts_of
from services.collections.gate import decide
from services.collections.strategy import strategy_on
from shared.money import decimal_text
from shared.partitioner import partition_for

LOG_DAYS = 370
"""No row of a contact policy looks further than 366 days."""

_OPEN_DATE = "SELECT open_date FROM position WHERE partition = $1 AND open_date > '0001-01-01'"
_STANDING = """
SELECT facts, open_date, ARRAY(
    SELECT promise_id::text FROM promise p WHERE p.partition = c.partition AND p.subject = c.subject
) AS promise_ids
FROM contact_state c JOIN position USING (partition) WHERE c.subject = $1
"""
# Borrowers who dispute something; the text is looked at before it is read.
_DISPUTES = """SELECT subject, facts FROM contact_state WHERE facts LIKE '%"dispute"%'"""
_LOG = """
SELECT contact_id, at, channel, purpose, outcome, loan_id FROM contact_log
WHERE borrower_id = $1 AND at BETWEEN $2 AND $3 ORDER BY at, contact_id
"""
# A loan, how many promises of its borrower stand, and how many were broken since a date.
_LOAN = """
SELECT subject AS borrower_id, loan_id, currency, past_due, debt,
    (SELECT count(*) FROM promise p WHERE p.partition = l.partition AND p.subject = l.subject AND status = 'active')
        AS active,
    (SELECT count(*) FROM promise p WHERE p.partition = l.partition AND p.subject = l.subject AND status = 'broken'
        AND judged_on >= $2) AS broken
FROM borrower_loan l WHERE loan_id = $1
"""
_PROMISES = """
SELECT promise_id, loan_id, amount, currency, made_on, due_date, judged_on, paid, status, plan_id, recorded_by, reason
FROM promise WHERE partition = $1 AND subject = $2 ORDER BY made_on, promise_id
"""
_CASE_COLUMNS = """
case_id, subject AS borrower_id, status, step, priority, rule, reason, past_due_since, past_due, loans, parked_until,
opened_on, closed_on, as_of, version, taken_by,
greatest((SELECT open_date FROM position p WHERE p.partition = c.partition) - 1 - past_due_since, 0) AS days_past_due
"""
_CASE = f"SELECT {_CASE_COLUMNS} FROM collection_case c WHERE case_id = $1"
_CASE_OF = f"SELECT {_CASE_COLUMNS} FROM collection_case c WHERE subject = $1"
# The queue: the highest priority first, then the oldest, then by id so that the order is one.
_QUEUE = f"""
SELECT {_CASE_COLUMNS} FROM collection_case c
WHERE status = 'open' AND case_id <> ALL($2::uuid[])
ORDER BY priority DESC, past_due_since, case_id LIMIT $1
"""
_CASES = """
SELECT count(*) FILTER (WHERE status = 'open') AS open, count(*) FILTER (WHERE status = 'parked') AS parked,
    count(*) FILTER (WHERE status = 'closed') AS closed
FROM collection_case
"""
# A reminder is due while it may be sent and nobody tried, or every attempt is known to have failed.
_FIGURES = """
SELECT (SELECT count(*) FROM promise WHERE status = 'active') AS promises,
    (SELECT count(*) FROM reminder r WHERE NOT EXISTS (
        SELECT FROM contact_log c
        WHERE c.borrower_id = r.subject AND c.about = r.reminder_id AND c.outcome <> 'failed'
    )) AS reminders_due,
    (SELECT count(*) FROM contact_log WHERE outcome = 'unclear') AS unclear_contacts
"""


async def disputes(connection: Any) -> set[tuple[str, str | None]]:
    """What is disputed now: (borrower id, loan id, or None for all of the borrower's)."""
    return {
        (row["subject"], loan_id)
        for row in await connection.fetch(_DISPUTES)
        for kind, loan_id in facts_of(json.loads(row["facts"])).stops
        if kind == "dispute"
    }


async def partition_of(connection: Any, borrower_id: str) -> int:
    """The partition on which a borrower's events are."""
    partitions = await connection.fetchval("SELECT count(*) FROM position")
    return partition_for(borrower_id.encode(), partitions)


async def closed_through(connection: Any, partition: int) -> date | None:
    """The last date that the ledger closed, as this partition knows it."""
    opened: date | None = await connection.fetchval(_OPEN_DATE, partition)
    return opened - timedelta(days=1) if opened else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the worker knows of a borrower, as far as contact depends on it."""

    facts: BorrowerFacts
    closed_through: date | None
    promise_ids: frozenset[str]
    """Every promise that it has taken in."""


async def standing_of(connection: Any, borrower_id: str) -> Standing:
    """What the gate is asked with."""
    row = await connection.fetchrow(_STANDING, borrower_id)
    if row is None:
        return Standing(facts_of(None), None, frozenset())
    opened: date | None = row["open_date"]
    closed = opened - timedelta(days=1) if opened is not None and opened > date.min else None
    return Standing(facts_of(json.loads(row["facts"])), closed, frozenset(row["promise_ids"]))


async def contact_log(connection: Any, borrower_id: str, at: datetime) -> list[PastContact]:
    """The contacts that the worker has taken in, as far as any row of a policy looks."""
    span = timedelta(days=LOG_DAYS)
    rows = await connection.fetch(_LOG, borrower_id, at - span, at + span)
    return past_contacts(rows)


def past_contacts(rows: Sequence[Any]) -> list[PastContact]:
    """Rows with the columns of a PastContact."""
    return [PastContact(**dict(row) | {"contact_id": str(row["contact_id"])}) for row in rows]


async def contact_check(connection: Any, borrower_id: str, attempt: Attempt) -> dict[str, Any]:
    """The gate's answer on what the worker knows, as a document. It reserves nothing."""
    standing = await standing_of(connection, borrower_id)
    verdict = decide(
        contact_policies(),
        standing.facts,
        await contact_log(connection, borrower_id, attempt.at),
        closed_through=standing.closed_through,
        attempt=attempt,
    )
    return {"borrower_id": borrower_id} | verdict_document(attempt, verdict)


def verdict_document(attempt: Attempt, verdict: Verdict) -> dict[str, Any]:
    """A verdict for people and machines: allow or deny, rule, reason, and the earliest time, if one is known."""
    asked = asdict(attempt) | {"at": attempt.at.isoformat()}
    if isinstance(verdict, Allowed):
        return asked | {"verdict": "allow", "policy": verdict.policy, "rule": None, "reason": None, "earliest": None}
    earliest = verdict.earliest.isoformat() if verdict.earliest else None
    denied = {"policy": verdict.policy, "rule": verdict.rule, "reason": verdict.reason, "earliest": earliest}
    return asked | {"verdict": "deny"} | denied


async def loan_standing(connection: Any, loan_id: str, today: date | None) -> LoanStanding | None:
    """A loan as promises see it on the open date; None: nothing is known of it."""
    lookback = timedelta(days=strategy_on(today).promises.broken_within_days) if today else timedelta()
    row = await connection.fetchrow(_LOAN, loan_id, (today or date.max) - lookback)
    return LoanStanding(**dict(row)) if row else None


async def promises_of(connection: Any, partition: int, borrower_id: str) -> list[dict[str, Any]]:
    """The borrower's promises, oldest first."""
    return [dict(row) for row in await connection.fetch(_PROMISES, partition, borrower_id)]


async def promise_documents(connection: Any, partition: int, borrower_id: str) -> list[dict[str, Any]]:
    """The same with amounts as decimal strings."""
    found = []
    for one in await promises_of(connection, partition, borrower_id):
        code = one["currency"]
        text = {name: decimal_text(one[name], code) for name in ("amount", "paid")}
        text |= {name: str(one[name]) for name in ("promise_id", "made_on", "due_date", "judged_on")}
        found.append(one | text | {"plan_id": str(one["plan_id"]) if one["plan_id"] else None})
    return found


async def case(connection: Any, case_id: str) -> dict[str, Any] | None:
    """One case."""
    row = await connection.fetchrow(_CASE, case_id)
    return _case_document(row) if row else None


async def case_of(connection: Any, borrower_id: str) -> dict[str, Any] | None:
    """A borrower's case, if there ever was one."""
    row = await connection.fetchrow(_CASE_OF, borrower_id)
    return _case_document(row) if row else None


async def queue(connection: Any, limit: int, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The open cases in the order in which they are worked, without those named."""
    return [_case_document(row) for row in await connection.fetch(_QUEUE, limit, list(without))]


def _case_document(row: Any) -> dict[str, Any]:
    found = dict(row) | {"case_id": str(row["case_id"]), "past_due": json.loads(row["past_due"])}
    found["days_past_due"] = found["days_past_due"] or 0
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in found.items()}


async def figures(connection: Any) -> dict[str, Any]:
    """For `status`: cases by status, the id of the queue's first (taken or not), promises that stand, reminders due,
    contacts of which nobody knows whether they went out."""
    cases, first = dict(await connection.fetchrow(_CASES)), await queue(connection, 1)
    head = {"cases": cases, "first_in_queue": first[0]["case_id"] if first else None}
    return head | dict(await connection.fetchrow(_FIGURES))
