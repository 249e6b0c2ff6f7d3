"""Routes of manual entries, which one person proposes and another decides on."""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field, model_validator
from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.bodies import Reference
from services.ledger.api.reading import PAGE, Cursor, Limit, page, unknown
from services.ledger.api.serving import Calling, record
from services.ledger.commands import (
    ApproveEntry,
    DeclineEntry,
    ProposeEntry,
    StatedLine,
    UnknownEntry,
    decision_id,
    paired,
    reversed_lines,
)
from services.ledger.commands.model import EntryCommand
from services.ledger.commands.state import ManualEntry
from shared.api import Body, Day, Route
from shared.events.entries import GENERAL_LEDGER, LINES_MAX, AccountName
from shared.events.envelope import Amount, CurrencyCode, EventId, LoanId, new_event_id
from shared.events.ledger import Reason

Entry = Annotated[EventId, Path()]


class NewLine(Body):
    """An amount on a debit, on a credit, or on both."""

    debit: AccountName | None = None
    credit: AccountName | None = None
    amount: Amount
    currency: CurrencyCode

    @model_validator(mode="after")
    def _names_an_account(self) -> "NewLine":
        if self.debit is None and self.credit is None:
            raise ValueError("a line names a debit, a credit, or both")
        return self


class NewEntry(Body):
    """A manual entry: of a loan where one is named, else of the general ledger."""

    loan_id: LoanId | None = None
    value_date: Day
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=LINES_MAX)]
    reason: Reason
    reference: Reference | None = None


class NewReversalOfEntry(Body):
    """Why an entry is taken back, and from when on."""

    value_date: Day
    reason: Reason
    reference: Reference | None = None


class Approval(Body):
    """Nothing: the token says who approves."""


class Refused(Body):
    """Why the entry is not booked."""

    reason: Reason


async def propose_entry(call: Calling, body: NewEntry) -> JSONResponse:
    """Propose a manual entry; nothing is booked until another person approves it."""
    lines = paired([StatedLine(line.debit, line.credit, line.amount, line.currency) for line in body.lines])
    if body.loan_id is not None:
        async with call.services.ledger.acquire() as connection:
            if not await queries.has_contract(connection, body.loan_id):
                raise unknown(body.loan_id)
    subject = body.loan_id or GENERAL_LEDGER
    command = ProposeEntry(
        subject, body.value_date, lines, body.reason, body.reference, call.caller.name, new_event_id()
    )
    return await _recorded(call, command, body)


async def reverse_entry(call: Calling, entry_id: Entry, body: NewReversalOfEntry) -> JSONResponse:
    """Propose the entry that takes an approved one back: the same lines with their sides changed."""
    entry = await _entry(call, entry_id)
    lines, maker = reversed_lines(entry.proposed.lines), call.caller.name
    command = ProposeEntry(
        entry.subject, body.value_date, lines, body.reason, body.reference, maker, new_event_id(), entry_id
    )
    return await _recorded(call, command, body)


async def approve_entry(call: Calling, entry_id: Entry, body: Approval) -> JSONResponse:
    """Approve a manual entry that another person proposed: it is booked."""
    subject = (await _entry(call, entry_id)).subject
    command = ApproveEntry(subject, entry_id, call.caller.name, decision_id(entry_id, subject))
    return await _recorded(call, command, body)


async def decline_entry(call: Calling, entry_id: Entry, body: Refused) -> JSONResponse:
    """Decline a manual entry that another person proposed."""
    subject = (await _entry(call, entry_id)).subject
    command = DeclineEntry(subject, entry_id, call.caller.name, body.reason, decision_id(entry_id, subject))
    return await _recorded(call, command, body)


async def entries(
    call: Calling,
    waiting: Annotated[bool, Query(description="Those that nobody has decided on.")] = False,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """Manual entries with who proposed and who decided on each, oldest first, a page at a time."""
    commands = call.services.commands
    if cursor is not None and await commands.entry(cursor) is None:
        raise UnknownEntry(f"No entry {cursor} was proposed.", field="cursor")
    found = await commands.entries(waiting=waiting, beyond=cursor, limit=limit + 1)
    return page("entries", found, "entry_id", limit)


async def _entry(call: Calling, entry_id: str) -> ManualEntry:
    entry = await call.services.commands.entry(entry_id)
    if entry is None:
        raise UnknownEntry(f"No entry {entry_id} was proposed.", field="entry_id")
    return entry


async def _recorded(call: Calling, command: EntryCommand, body: Body) -> JSONResponse:
    return await record(call, command, body, place=f"/v1/loans/{command.loan_id}/entries")


ENTRY_ROUTES: tuple[Route, ...] = (
    ("POST", "/v1/entries", propose_entry),
    ("GET", "/v1/entries", entries),
    ("POST", "/v1/entries/{entry_id}/approval", approve_entry),
    ("POST", "/v1/entries/{entry_id}/decline", decline_entry),
    ("POST", "/v1/entries/{entry_id}/reversal", reverse_entry),
)
