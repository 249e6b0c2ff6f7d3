"""What the books say, as documents for the API and the command line: amounts are decimal text, dates ISO 8601.

Each takes an asyncpg connection whose search path holds the ledger's schema, and reads one consistent snapshot.
"""

import base64
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.account import STATUS, Loan, decode_loan, iso
from services.ledger.accounts import NAMES
from services.ledger.book import facts_of
from services.ledger.reading import read
from services.ledger.servicing import Fact, fold
from shared.errors import Refusal
from shared.events.ledger import BookOpened, BusinessDateClosed
from shared.merkle import record_of
from shared.money import code_of, decimal_text
from shared.partitioner import partition_for


class AsOfAhead(Refusal):
    """The books know nothing of a date that is still to come."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a schema holds of one loan. `state` is None for a loan that parked at its very first event."""

    partition: int
    open_day: int | None
    resume: int | None
    state: Loan | None
    parked: dict[str, Any] | None


_PARTITIONS = "SELECT count(*) FROM position"
_POSITION = "SELECT open_date, resume_loan FROM position WHERE partition = $1"
_STATE = "SELECT state FROM loan WHERE partition = $1 AND loan_id = $2 AND loan >= 0"
# Parked loans with how much is held behind each.
_PARKED = """
SELECT p.partition, p.loan_id, first_offset, reason, since, count(e.loan_id) AS held
FROM parked_loan p LEFT JOIN parked_event e USING (partition, loan_id)
GROUP BY p.partition, p.loan_id ORDER BY p.partition, first_offset
"""
# A loan's accepted events in the order in which they were folded: a released or retried one on its booking date.
HISTORY = """
SELECT "offset", event_id, effective_date, booking_date, record FROM event
WHERE partition = $1 AND loan = $2 ORDER BY booking_date, "offset"
"""
_POSTINGS = """
SELECT "offset", booking_date, effective_date, debit, credit, amount, currency FROM posting
WHERE partition = $1 AND loan = $2 ORDER BY booking_date, "offset", n
"""
_CAUSES = 'SELECT "offset", event_id, record FROM event WHERE partition = $1 AND "offset" = ANY($2::bigint[])'
_DEAD = 'SELECT partition, "offset", reason, record, settled_by FROM dead_letter ORDER BY partition, "offset"'
# An event is in once it is accepted or held; a closing is written with its last loan.
_ACCEPTED = "SELECT record FROM event WHERE event_id = $1"
_HELD = "SELECT EXISTS (SELECT FROM parked_event WHERE event_id = $1)"
_BROADCAST = (BookOpened, BusinessDateClosed)


def snapshot(connection: Any) -> AbstractAsyncContextManager[Any]:
    """A read-only transaction that sees one state of the books; the caller's own where it is inside of one."""
    if connection.is_in_transaction():
        return nullcontext()
    transaction: AbstractAsyncContextManager[Any] = connection.transaction(isolation="repeatable_read", readonly=True)
    return transaction


async def find(connection: Any, loan_id: str) -> Stored | None:
    """The loan as it is stored, parked or not; None if the books know nothing of it."""
    partitions = await connection.fetchval(_PARTITIONS)
    if not partitions:
        return None
    partition = partition_for(loan_id.encode(), partitions)
    position = await connection.fetchrow(_POSITION, partition)
    state = await connection.fetchval(_STATE, partition, loan_id)
    parked = next((row for row in await _parked(connection) if row["loan_id"] == loan_id), None)
    if state is None and parked is None:
        return None
    if state is None and parked is not None:
        partition = parked["partition"]  # it may have parked for coming to a partition that is not its own
    opened = position["open_date"]
    return Stored(
        partition,
        opened.toordinal() if opened else None,
        position["resume_loan"],
        decode_loan(state) if state is not None else None,
        parked,
    )


async def loan_view(connection: Any, loan_id: str, *, as_of: date | None) -> dict[str, Any] | None:
    """State and balances of a loan: as stored, on the open date; with `as_of` effective on that date, as known now.

    None if the books know nothing of the loan. Raises AsOfAhead for a date after the open one.
    """
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        day = stored.open_day or 0
        loan = stored.state or Loan(-1, loan_id)
        if as_of is not None:
            if as_of.toordinal() > day:
                raise AsOfAhead(f"{as_of} is after the open date {iso(day or None)}.", field="as_of")
            facts = await effective_facts(connection, stored, as_of)
            day, offset = as_of.toordinal(), loan.as_of
            loan, _ = fold(loan.number, loan_id, facts, before=min(day + 1, horizon(stored)))
            loan.as_of = offset
    return figures(loan, day) | {
        "instalments": len(loan.due),
        "parked": stored.parked,
        "as_of": {"date": iso(day or None), "offset": loan.as_of, "partition": stored.partition},
    }


def horizon(stored: Stored) -> int:
    """The day before which this loan's instalments have fallen due: the open date; one later where a closing that is
    under way has passed the loan; and for a parked loan the date on which it parked."""
    if stored.parked is not None and stored.parked["since"] is not None:
        return date.fromisoformat(stored.parked["since"]).toordinal()
    passed = stored.resume is not None and stored.state is not None and stored.state.number <= stored.resume
    return (stored.open_day or 0) + passed


async def effective_facts(connection: Any, stored: Stored, as_of: date) -> list[Fact]:
    """What still stands of the loan's facts with a value date up to `as_of`."""
    if stored.state is None:
        return []
    rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
    effective = {str(row["event_id"]): row["effective_date"] for row in rows}
    return [fact for fact in facts_of_rows(rows) if effective[fact.event_id] <= as_of]


def facts_of_rows(rows: Sequence[Any]) -> list[Fact]:
    """The facts of rows of `event`."""
    return facts_of((row["offset"], row["effective_date"], record_of(row["record"])) for row in rows)


def figures(loan: Loan, day: int) -> dict[str, Any]:
    """A loan's state as of the ordinal `day`."""
    code = code_of(loan.currency) if loan.currency else None

    def text(minor: int) -> str:
        return decimal_text(minor, code) if code else str(minor)

    return {
        "loan_id": loan.loan_id,
        "borrower_id": loan.borrower_id,
        "status": STATUS[loan.status],
        "currency": code,
        "principal": text(loan.principal),
        "principal_outstanding": text(loan.principal_outstanding),
        "interest_due": text(loan.interest_fallen_unpaid()),
        "past_due": text(loan.past_due(day)),
        "past_due_since": iso(loan.past_due_since(day)),
        "days_past_due": loan.days_past_due(day),
        "next_due_date": iso(loan.next_due()),
        "overpaid": text(loan.overpaid),
        "in_suspense": text(loan.in_suspense()),
        "suspense": [
            {"event_id": event_id, "amount": decimal_text(amount, code_of(number)), "currency": code_of(number)}
            for _, event_id, amount, number in loan.waiting
        ],
    }


async def schedule_view(connection: Any, loan_id: str) -> dict[str, Any] | None:
    """The loan's instalments with what is paid of each; none before the disbursement."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
    if stored is None:
        return None
    loan = stored.state or Loan(-1, loan_id)
    code = code_of(loan.currency) if loan.currency else None
    rows = []
    for k, due in enumerate(loan.due):
        principal, interest = loan.principal_due[k], loan.interest_due[k]
        left = loan.unpaid_principal(k), loan.unpaid_interest(k)
        amounts = {
            "principal": principal,
            "interest": interest,
            "total": principal + interest,
            "principal_paid": principal - left[0],
            "interest_paid": interest - left[1],
            "outstanding": sum(left),
        }
        texts = {name: decimal_text(minor, code or "") for name, minor in amounts.items()}
        rows.append({"number": k + 1, "due_date": iso(due), **texts, "fallen_due": k < loan.fallen})
    as_of = {"date": iso(stored.open_day), "offset": loan.as_of, "partition": stored.partition}
    return {"loan_id": loan_id, "currency": code, "instalments": rows, "as_of": as_of}


async def entries_view(connection: Any, loan_id: str) -> dict[str, Any] | None:
    """Everything that happened to a loan in the order in which it was booked, entries without postings included."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        entries = []
        if stored.state is not None:
            entries = await _entries(connection, stored.partition, stored.state.number)
        offset = stored.state.as_of if stored.state is not None else -1
    as_of = {"date": iso(stored.open_day), "offset": offset, "partition": stored.partition}
    return {"loan_id": loan_id, "entries": entries, "parked": stored.parked, "as_of": as_of}


async def _entries(connection: Any, partition: int, number: int) -> list[dict[str, Any]]:
    lines: dict[tuple[date, int], list[dict[str, Any]]] = {}
    events = {}
    for row in await connection.fetch(HISTORY, partition, number):
        lines[row["booking_date"], row["offset"]] = []
        events[row["offset"]] = row
    for row in await connection.fetch(_POSTINGS, partition, number):
        lines.setdefault((row["booking_date"], row["offset"]), []).append(posting(row))
    for row in await connection.fetch(_CAUSES, partition, [o for _, o in lines if o not in events]):
        events[row["offset"]] = row
    return [
        {
            "partition": partition,
            "offset": offset,
            "event_id": str(events[offset]["event_id"]) if offset in events else None,
            "type": read(record_of(events[offset]["record"])).type if offset in events else None,
            "booking_date": booked.isoformat(),
            "postings": postings,
        }
        for (booked, offset), postings in sorted(lines.items(), key=lambda entry: entry[0])
    ]


def posting(row: Any) -> dict[str, Any]:
    """One row of `posting`."""
    code = code_of(row["currency"])
    return {
        "debit": NAMES[row["debit"]],
        "credit": NAMES[row["credit"]],
        "amount": decimal_text(row["amount"], code),
        "currency": code,
        "effective_date": row["effective_date"].isoformat(),
    }


async def parked_view(connection: Any) -> list[dict[str, Any]]:
    """Parked loans, each with the offset that a release has to name, and how many events are held."""
    async with snapshot(connection):
        return await _parked(connection)


async def _parked(connection: Any) -> list[dict[str, Any]]:
    rows = [dict(row) for row in await connection.fetch(_PARKED)]
    return [row | {"since": row["since"].isoformat() if row["since"] else None} for row in rows]


async def dead_letters_view(connection: Any) -> list[dict[str, Any]]:
    """Records that could not be read, and the event that settled each, or null."""
    return [
        {
            "partition": row["partition"],
            "offset": row["offset"],
            "reason": row["reason"],
            **legible("key", (record := record_of(row["record"])).key),
            **legible("value", record.value),
            "settled_by": str(row["settled_by"]) if row["settled_by"] else None,
        }
        for row in await connection.fetch(_DEAD)
    ]


def legible(name: str, content: bytes | None) -> dict[str, str | None]:
    """Bytes as text, with how they are written: as UTF-8, or in base64 where they are none."""
    if content is None:
        return {name: None, f"{name}_encoding": None}
    try:
        return {name: content.decode(), f"{name}_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(content).decode(), f"{name}_encoding": "base64"}


async def event_is_in(connection: Any, event_id: str) -> bool:
    """Whether the event is in the books, accepted or held behind a parked loan; a broadcast one on every partition."""
    rows = await connection.fetch(_ACCEPTED, event_id)
    if not rows:
        return bool(await connection.fetchval(_HELD, event_id))
    if not isinstance(read(record_of(rows[0]["record"])), _BROADCAST):
        return True
    return bool(len(rows) == await connection.fetchval(_PARTITIONS))
