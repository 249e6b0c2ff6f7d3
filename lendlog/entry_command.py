"""`lendlog entry propose|approve|decline|reverse|list`: manual entries, made by one person and approved by another."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, Desk, Reason, emit, fields, recording
from lendlog.signals import run_to_end
from services.ledger import queries
from services.ledger.commands import (
    ApproveEntry,
    BookNotOpen,
    Command,
    DeclineEntry,
    ProposeEntry,
    StatedLine,
    UnknownEntry,
    decision_id,
    paired,
    reversed_lines,
)
from services.ledger.commands.state import ManualEntry
from shared.errors import MissingPrecondition
from shared.events.entries import GENERAL_LEDGER
from shared.events.envelope import new_event_id

command = typer.Typer(no_args_is_help=True, help="Propose manual entries, and decide on those of others.")
PAGE = 5_000
"""Entries that are read at once."""
By = Annotated[str, typer.Option(help="Your name: whoever may use the command line says it; over HTTP the token does.")]
EntryId = Annotated[str, typer.Argument(metavar="ENTRY", help="As `lendlog entry list` shows it.")]
ValueDate = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The date that it counts from; else the open date.")
]
Sides = Annotated[list[str], typer.Option(metavar="ACCOUNT=AMOUNT", help="As often as there are lines.")]
Reference = Annotated[str | None, typer.Option(help="The voucher behind it.")]


@command.command()
def propose(
    debit: Sides,
    credit: Sides,
    currency: Annotated[str, typer.Option(help="Of all amounts.")],
    reason: Reason,
    by: By,
    loan: Annotated[str | None, typer.Option(help="The loan that it concerns, if any.")] = None,
    value_date: ValueDate = None,
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Propose an entry: its debits equal its credits, and nothing is booked until another person approves it."""
    stated = [_side(text, currency, debit=True) for text in debit] + [
        _side(text, currency, debit=False) for text in credit
    ]

    async def make(desk: Desk) -> Command:
        if loan is not None and not await queries.has_contract(desk.books, loan):
            raise MissingPrecondition(f"The books hold no contract of a loan {loan}.")
        on = value_date.date() if value_date else await desk.commands.open_date()
        if on is None:
            raise BookNotOpen("Open the book on its first business date.")
        subject = loan or GENERAL_LEDGER
        return ProposeEntry(subject, on, paired(stated), reason, reference, by, new_event_id())

    _record(make, as_json=as_json)


@command.command()
def approve(entry_id: EntryId, by: By, as_json: AsJson = False) -> None:
    """Approve an entry that another person proposed: it is booked."""

    async def make(desk: Desk) -> Command:
        subject = (await _entry(desk, entry_id)).subject
        return ApproveEntry(subject, entry_id, by, decision_id(entry_id, subject))

    _record(make, as_json=as_json)


@command.command()
def decline(entry_id: EntryId, reason: Reason, by: By, as_json: AsJson = False) -> None:
    """Decline an entry that another person proposed."""

    async def make(desk: Desk) -> Command:
        subject = (await _entry(desk, entry_id)).subject
        return DeclineEntry(subject, entry_id, by, reason, decision_id(entry_id, subject))

    _record(make, as_json=as_json)


@command.command()
def reverse(
    entry_id: EntryId,
    reason: Reason,
    by: By,
    value_date: ValueDate = None,
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Propose the entry that takes an approved one back: its lines with their sides changed."""

    async def make(desk: Desk) -> Command:
        entry = await _entry(desk, entry_id)
        on = value_date.date() if value_date else await desk.commands.open_date()
        if on is None:
            raise BookNotOpen("Open the book on its first business date.")
        lines = reversed_lines(entry.proposed.lines)
        return ProposeEntry(entry.subject, on, lines, reason, reference, by, new_event_id(), entry_id)

    _record(make, as_json=as_json)


@command.command("list")
def list_all(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that nobody has decided on.")] = False,
    as_json: AsJson = False,
) -> None:
    """List entries with who proposed and who decided on each."""
    rows = run_to_end(_all(waiting=waiting))
    emit({"entries": rows}, _lines(rows), as_json=as_json)


def _side(text: str, currency: str, *, debit: bool) -> StatedLine:
    account, _, amount = text.partition("=")
    if not account or not amount:
        raise MissingPrecondition(f"{text!r} is not ACCOUNT=AMOUNT, such as bank-charges=12.50.")
    return StatedLine(account if debit else None, None if debit else account, amount, currency)


def _record(make: Callable[[Desk], Awaitable[Command]], *, as_json: bool) -> None:
    document = run_to_end(_recorded(make))
    emit(document, fields(document), as_json=as_json)


async def _recorded(make: Callable[[Desk], Awaitable[Command]]) -> dict[str, Any]:
    async with recording() as desk:
        asked = await make(desk)
        (recorded,) = await desk.record([asked])
        entry_id = recorded.event_id if isinstance(asked, ProposeEntry) else getattr(asked, "entry_id", None)
        found = [row for row in await desk.commands.entries() if row["entry_id"] == entry_id]
        return {"event_id": recorded.event_id} | found[0]


async def _entry(desk: Desk, entry_id: str) -> ManualEntry:
    entry = await desk.commands.entry(entry_id)
    if entry is None:
        raise UnknownEntry(f"No entry {entry_id} was proposed.")
    return entry


async def _all(*, waiting: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with recording() as desk:
        while some := await desk.commands.entries(
            waiting=waiting, beyond=rows[-1]["entry_id"] if rows else None, limit=PAGE
        ):
            rows += some
    return rows


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "no entries"
    for row in rows:
        checker = f" by {row['checker']}" if row["checker"] else ""
        yield (
            f"{row['entry_id']}  {row['state']}{checker}, proposed by {row['maker']}: "
            f"{row['subject']} on {row['value_date']}, {row['reason']}"
        )
        for line in row["lines"]:
            yield f"  {line['debit']} / {line['credit']} {line['amount']} {line['currency']}"
