"""Contacts: the gate is asked and a slot reserved in one transaction that holds the borrower; then the outcome."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.collections import queries
from services.collections.commands import refusals
from services.collections.commands.memory import Remembered, borrower_key
from services.collections.commands.stamp import event_of
from services.collections.contact import Attempt, Denied, PastContact, Verdict
from services.collections.contact_policy import contact_policies
from services.collections.gate import decide
from shared.access import Caller
from shared.commands import Unit
from shared.events.collections import Contact, ContactConcluded, ContactReserved
from shared.events.envelope import new_event_id

# Contacts of this schema, as far as any row of a policy looks.
_LOG = """
SELECT contact_id, at, channel, purpose, outcome, loan_id FROM contact
WHERE borrower_id = $1 AND at BETWEEN $2::timestamptz - interval '370 days' AND $2::timestamptz + interval '370 days'
"""
_RESERVE = """
INSERT INTO contact (contact_id, borrower_id, at, channel, purpose, loan_id, about, made_by, policy, automatic, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'reserved')
"""
_COLUMNS = """
contact_id, borrower_id, at, channel, purpose, loan_id, about, made_by, policy, automatic, outcome, detail
"""
_CONTACT = f"SELECT {_COLUMNS} FROM contact WHERE contact_id = $1"
_CONTACTS_OF = f"SELECT {_COLUMNS} FROM contact WHERE borrower_id = $1 ORDER BY at DESC, contact_id LIMIT $2"
_CONTACTS_BY_OUTCOME = f"SELECT {_COLUMNS} FROM contact WHERE outcome = $1 ORDER BY reserved_at, contact_id LIMIT $2"
_CONCLUDE = "UPDATE contact SET outcome = $2, detail = $3, concluded_at = now() WHERE contact_id = $1"
SUPERVISING = ("supervisor", "operator")
"""Roles that may say what became of another's contact."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """An attempt to be made: by whom, about which reminder or case, and whether a machine makes it."""

    attempt: Attempt
    made_by: str
    about: str | None = None
    automatic: bool = False


async def verdict_on(unit: Unit, books: asyncpg.Pool, borrower_id: str, attempt: Attempt) -> Verdict:
    """The gate's answer while the unit holds the borrower: on what the worker knows, and all that is reserved here."""
    standing = await queries.standing_of(books, borrower_id)
    remembered = Remembered.of(unit.state(borrower_key(borrower_id))).without_known(standing.promise_ids)
    return decide(
        contact_policies(),
        remembered.added_to(standing.facts),
        await whole_log(unit.connection, books, borrower_id, attempt.at),
        closed_through=standing.closed_through,
        attempt=attempt,
    )


async def whole_log(connection: Any, books: asyncpg.Pool, borrower_id: str, at: datetime) -> list[PastContact]:
    """Contacts of this schema, and those that only the worker knows (of a log older than this schema)."""
    log = {one.contact_id: one for one in await queries.contact_log(books, borrower_id, at)}
    rows = await connection.fetch(_LOG, borrower_id, at)
    return list((log | {one.contact_id: one for one in queries.past_contacts(rows)}).values())


async def reserve(
    unit: Unit, books: asyncpg.Pool, topic: str, borrower_id: str, wanted: Reservation
) -> Contact | Denied:
    """Ask the gate and, if it allows the attempt, count it. The unit holds the borrower, whom no other attempt can pass
    meanwhile."""
    attempt = wanted.attempt
    verdict = await verdict_on(unit, books, borrower_id, attempt)
    if isinstance(verdict, Denied):
        return verdict
    contact = Contact(
        contact_id=new_event_id(),
        borrower_id=borrower_id,
        channel=attempt.channel,
        purpose=attempt.purpose,
        at=attempt.at.isoformat().replace("+00:00", "Z"),
        by=wanted.made_by,
        about=wanted.about,
        loan_id=attempt.loan_id,
        policy=verdict.policy,
    )
    await unit.connection.execute(
        _RESERVE,
        contact.contact_id,
        borrower_id,
        attempt.at,
        attempt.channel,
        attempt.purpose,
        attempt.loan_id,
        wanted.about,
        wanted.made_by,
        verdict.policy,
        wanted.automatic,
    )
    unit.publish(topic, event_of(unit, ContactReserved, contact, subject=borrower_id, event_id=contact.contact_id))
    return contact


async def conclude(unit: Unit, topic: str, contact_id: str, outcome: str, detail: str | None) -> dict[str, Any]:
    """Record what became of an attempt; the unit holds its borrower. Raises UnknownContact, ContactAlreadyConcluded.

    What is `unclear` may be concluded by whoever finds out; nothing else changes twice.
    """
    row = await unit.connection.fetchrow(_CONTACT, contact_id)
    if row is None:
        raise refusals.UnknownContact(f"{contact_id} was not reserved.", field="contact_id")
    if row["outcome"] not in ("reserved", "unclear"):
        raise refusals.ContactAlreadyConcluded(f"It was {row['outcome']}.", field="contact_id")
    await unit.connection.execute(_CONCLUDE, contact_id, outcome, detail)
    found = document(row) | {"outcome": outcome, "detail": detail}
    names = ("contact_id", "borrower_id", "channel", "purpose", "about", "loan_id", "policy", "outcome", "detail")
    data = Contact.model_validate({name: found[name] for name in names} | {"at": found["at"], "by": found["made_by"]})
    unit.publish(topic, event_of(unit, ContactConcluded, data, subject=row["borrower_id"]))
    return found


async def find(connection: Any, contact_id: str) -> dict[str, Any] | None:
    """One contact."""
    row = await connection.fetchrow(_CONTACT, contact_id)
    return document(row) if row else None


async def of_borrower(connection: Any, borrower_id: str, limit: int) -> list[dict[str, Any]]:
    """A borrower's contacts, the latest first."""
    return [document(row) for row in await connection.fetch(_CONTACTS_OF, borrower_id, limit)]


async def by_outcome(connection: Any, outcome: str, limit: int) -> list[dict[str, Any]]:
    """Contacts of one outcome, the oldest first: `unclear` ones wait for somebody who finds out."""
    return [document(row) for row in await connection.fetch(_CONTACTS_BY_OUTCOME, outcome, limit)]


def document(row: Any) -> dict[str, Any]:
    """A row of the table `contact`."""
    found = dict(row) | {"contact_id": str(row["contact_id"]), "at": row["at"].isoformat().replace("+00:00", "Z")}
    found["about"] = str(row["about"]) if row["about"] else None
    return found


def require_own(contact: dict[str, Any], caller: Caller) -> None:
    """Raise NotTheCallers unless the caller reserved the contact, or supervises those who did."""
    if contact["made_by"] != caller.name and caller.role not in SUPERVISING:
        raise refusals.NotTheCallers("Whoever reserved it says what became of it.", field="contact_id")
