"""The guarding state as rows: what commands need is read, what they changed is kept."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, TypeVar

from services.ledger.commands import guards as rules
from services.ledger.commands.guards import Guards
from services.ledger.commands.model import (
    ApproveEntry,
    Command,
    DeclineEntry,
    ProposeEntry,
    ReceivePayment,
    ReversePayment,
    ServiceLoan,
    UndoEvent,
)
from services.ledger.commands.state import ManualEntry
from shared.commands import Unit
from shared.events.entries import ProposedEntry
from shared.events.envelope import BOOK
from shared.events.servicing import Chargeback

KeyT = TypeVar("KeyT")

# Payments that commands name.
PAYMENTS = "SELECT payment_id, loan_id, reversed FROM payment WHERE payment_id = ANY($1::uuid[])"
_KEEP_PAYMENTS = """
INSERT INTO payment (payment_id, loan_id, reversed) SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[])
ON CONFLICT (payment_id) DO UPDATE SET reversed = excluded.reversed
"""
# Receipts that commands name.
_RECEIPTS = """
SELECT branch, number, payment_id, stated FROM cash_receipt
JOIN unnest($1::text[], $2::text[]) AS named (branch, number) USING (branch, number)
"""
# One that is there belongs to an event that was recorded at the same time, which ends this unit.
_KEEP_RECEIPT = """
INSERT INTO cash_receipt (branch, number, payment_id, stated) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
# Entries that commands name, and those that they take back.
_ENTRIES = """
SELECT entry_id, subject, proposed, outcome, checker, reversed_by FROM manual_entry
WHERE entry_id = ANY($1::uuid[]) OR reversed_by = ANY($1::uuid[])
"""
_KEEP_ENTRY = """
INSERT INTO manual_entry (entry_id, subject, value_date, proposed, outcome, checker, reversed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (entry_id) DO UPDATE SET
    outcome = excluded.outcome, checker = excluded.checker, reversed_by = excluded.reversed_by,
    decided_at = CASE WHEN excluded.outcome IS NOT NULL THEN coalesce(manual_entry.decided_at, now()) END
"""
_LIST = """
SELECT entry_id, subject, proposed, outcome, checker, reversed_by, proposed_at, decided_at FROM manual_entry
WHERE (outcome IS NULL OR NOT $1) AND ($2::date IS NULL OR value_date <= $2)
  AND ($3::uuid IS NULL OR (proposed_at, entry_id)
    > (SELECT proposed_at, entry_id FROM manual_entry WHERE entry_id = $3))
ORDER BY proposed_at, entry_id LIMIT $4
"""


def book_date(state: dict[str, Any] | None, name: str) -> date | None:
    """A date of the book as its state has it: `open_date`, or the last date of the last period, or year, that was
    closed (`closed_through`, `year_closed`)."""
    said = (state or {}).get(name)
    return date.fromisoformat(said) if said is not None else None


def _dates(guards: Guards) -> dict[str, date | None]:
    return {name: getattr(guards, name) for name in ("open_date", "closed_through", "year_closed")}


def copied(guards: Guards) -> Guards:
    """What `keep` compares with."""
    return Guards(
        guards.open_date,
        guards.closed_through,
        dict(guards.entries),
        dict(guards.loans),
        dict(guards.payments),
        last=dict(guards.last),
        accounts=dict(guards.accounts),
        receipts=dict(guards.receipts),
        year_closed=guards.year_closed,
    )


async def load(unit: Unit, commands: Sequence[Command]) -> Guards:
    """The guarding state that these commands need."""
    book = unit.state(BOOK)
    guards = Guards(book_date(book, "open_date"), book_date(book, "closed_through"))
    guards.year_closed = book_date(book, "year_closed")
    for name in {name for command in commands for name in rules.aggregates_of(command)} - {BOOK}:
        if (state := unit.state(name)) is None:
            continue
        if "statements" in state:
            guards.accounts[name] = rules.account_from_json(state)
            continue
        if name != rules.RESTRUCTURINGS:
            guards.loans[name] = rules.loan_from_json(state)
        if "last" in state:
            guards.last[name] = state["last"]
    if named := payments_named(commands):
        add_payments(guards, await unit.connection.fetch(PAYMENTS, named))
    if entries := _entries_named(commands):
        guards.entries = await read_entries(unit.connection, entries)
    return guards


async def load_receipts(unit: Unit, commands: Sequence[Command], guards: Guards) -> None:
    """The receipts that commands name. It is read after which events were recorded: a receipt that another loan's unit
    gives at the same time is then here if its event is known, and else refused when this unit ends."""
    given = (command.receipt for command in commands if isinstance(command, ReceivePayment))
    if named := [(receipt.branch, receipt.number) for receipt in given if receipt is not None]:
        for row in await unit.connection.fetch(_RECEIPTS, *map(list, zip(*named, strict=True))):
            guards.receipts[row["branch"], row["number"]] = str(row["payment_id"]), row["stated"]


def payments_named(commands: Sequence[Command]) -> list[str]:
    """The ids of payments that commands are about."""
    named = []
    for command in commands:
        match command:
            case ReversePayment():
                named.append(command.payment_id)
            case UndoEvent():
                named.append(command.undone_id)
            case ServiceLoan(data=Chargeback() as chargeback):
                named.append(chargeback.payment_id)
            case _:
                pass
    return named


def add_payments(guards: Guards, rows: Iterable[Any]) -> None:
    """Take rows of PAYMENTS into the guarding state."""
    for row in rows:
        guards.payments[str(row["payment_id"])] = (row["loan_id"], row["reversed"])


def _entries_named(commands: Sequence[Command]) -> list[str]:
    named = []
    for command in commands:
        match command:
            case ApproveEntry() | DeclineEntry():
                named.append(command.entry_id)
            case ProposeEntry(reverses=str() as entry_id):
                named.append(entry_id)
            case _:
                pass
    return named


async def read_entries(connection: Any, entry_ids: Sequence[str]) -> dict[str, ManualEntry]:
    """Manual entries of these ids, and those that they take back. `connection` may be a pool."""
    found = {}
    for row in await connection.fetch(_ENTRIES, list(entry_ids)):
        reversed_by = row["reversed_by"] and str(row["reversed_by"])
        proposed = ProposedEntry.model_validate_json(row["proposed"])
        found[str(row["entry_id"])] = ManualEntry(row["subject"], proposed, row["outcome"], row["checker"], reversed_by)
    return found


async def entries_view(
    connection: Any, *, waiting: bool, through: date | None, beyond: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Manual entries as documents, oldest first; `beyond`: those after this one. `connection` may be a pool."""
    return [
        {"entry_id": str(row["entry_id"]), "subject": row["subject"]}
        | json.loads(row["proposed"])
        | {
            "state": row["outcome"] or "proposed",
            "checker": row["checker"],
            "reversed_by": row["reversed_by"] and str(row["reversed_by"]),
            "proposed_at": row["proposed_at"].isoformat(),
            "decided_at": row["decided_at"] and row["decided_at"].isoformat(),
        }
        for row in await connection.fetch(_LIST, waiting, through, beyond, limit)
    ]


async def keep(unit: Unit, before: Guards, after: Guards) -> None:
    """Keep what the commands changed."""
    changed = {loan_id for loan_id, _ in (*_changed(before.loans, after.loans), *_changed(before.last, after.last))}
    for loan_id in sorted(changed):
        last = {"last": after.last[loan_id]} if loan_id in after.last else {}
        unit.keep(loan_id, rules.loan_to_json(after.loan(loan_id)) | last)
    for subject, account in _changed(before.accounts, after.accounts):
        unit.keep(subject, rules.account_to_json(account))
    if (dates := _dates(after)) != _dates(before):
        unit.keep(BOOK, {name: day.isoformat() for name, day in dates.items() if day is not None})
    if payments := [(pid, loan_id, taken) for pid, (loan_id, taken) in _changed(before.payments, after.payments)]:
        await unit.connection.execute(_KEEP_PAYMENTS, *map(list, zip(*payments, strict=True)))
    for receipt, given in _changed(before.receipts, after.receipts):
        await unit.connection.execute(_KEEP_RECEIPT, *receipt, *given)
    for entry_id, entry in _changed(before.entries, after.entries):
        said = entry.proposed
        row = (entry_id, entry.subject, said.value_date, said.model_dump_json(exclude_none=True))
        await unit.connection.execute(_KEEP_ENTRY, *row, entry.outcome, entry.checker, entry.reversed_by)


def _changed(before: dict[KeyT, Any], after: dict[KeyT, Any]) -> Iterable[tuple[KeyT, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key) != value]
