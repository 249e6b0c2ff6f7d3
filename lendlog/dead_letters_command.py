"""`lendlog dlq list|show|retry`: records that could not be read."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lendlog import aside
from lendlog.aside import Service
from lendlog.books import ON_REQUEST, AsJson, Reason, emit, fields, place_of, recording
from lendlog.platform import attach_or_start
from lendlog.signals import run_to_end
from services.ledger import queries
from services.ledger.commands import (
    Command,
    ConcludeContract,
    Disburse,
    ReceivePayment,
    RetryDeadLetter,
    ReversePayment,
)
from shared.errors import MissingPrecondition
from shared.events.envelope import new_event_id
from shared.events.ledger import PaymentReceived, PaymentReversed
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.settings import PlatformSettings
from shared.topics import lifecycle_events

command = typer.Typer(no_args_is_help=True, help="Show dead letters, and have them read again.")
NO_RETRY = (
    "A dead letter of {service} came from a topic that others write: have its writer publish it mended, under the same "
    "event id; it then counts once."
)
Place = Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As `lendlog dlq list` shows it.")]


@command.command("list")
def list_all(service: Service = None, as_json: AsJson = False) -> None:
    """List dead letters, of every service or of one, with what became of them."""
    rows = run_to_end(_all(service))
    emit({"dead_letters": rows}, [_line(row) for row in rows] or ["no dead letters"], as_json=as_json)


@command.command()
def show(place: Place, service: Service = None, as_json: AsJson = False) -> None:
    """Show one dead letter, whole; without --service the ledger's."""
    document = run_to_end(_show(place, service or "ledger"))
    emit(document, fields(document), as_json=as_json)


@command.command()
def retry(
    place: Place,
    value: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file with the mended event, which takes its place."),
    ] = None,
    service: Service = None,
    reason: Reason = ON_REQUEST,
    as_json: AsJson = False,
) -> None:
    """Have a dead letter of the ledger read again, or put a mended event in its place; exit code 1 if it stays dead."""
    if service not in (None, "ledger"):
        raise MissingPrecondition(NO_RETRY.format(service=service))
    document = run_to_end(_retry(place, value, reason))
    emit(document, fields(document), as_json=as_json)
    if document["settled_by"] is None:
        raise typer.Exit(1)


async def _all(service: str | None) -> list[dict[str, Any]]:
    async with attach_or_start(PlatformSettings()) as platform:
        return await aside.dead_letter_rows(platform, service)


async def _show(place: str, service: str) -> dict[str, Any]:
    async with attach_or_start(PlatformSettings()) as platform:
        return _named(await aside.dead_letter_rows(platform, service), place)


async def _retry(place: str, value: Path | None, reason: str) -> dict[str, Any]:
    mended = [] if value is None else [command_of(value.read_bytes())]
    partition, offset = place_of(place)
    async with recording() as desk:
        letter = await _one(desk.books, place)
        if letter["settled_by"] is not None:
            raise MissingPrecondition(f"The dead letter {place} was settled by event {letter['settled_by']}.")
        replaced_by = mended[0].event_id if mended else None
        again = RetryDeadLetter(partition, offset, replaced_by, reason, new_event_id(), letter["tried_at"])
        await desk.record([*mended, again])
        return {"service": "ledger"} | await _one(desk.books, place)


async def _one(connection: Any, place: str) -> dict[str, Any]:
    return _named(await queries.dead_letters_view(connection), place)


def _named(rows: list[dict[str, Any]], place: str) -> dict[str, Any]:
    wanted = place_of(place)
    for row in rows:
        if (row["partition"], row["offset"]) == wanted:
            return row
    raise MissingPrecondition(f"There is no dead letter {place}.")


def command_of(value: bytes) -> Command:
    """The command that becomes the mended event, under its own id; the rules of commands hold for it, too."""
    try:
        event = lifecycle_events.validate_json(value, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise MissingPrecondition(f"The mended value is no event of this log: {where}: {first['msg']}.") from None
    loan_id, on = event.subject, event.effectivedate
    match event:
        case PaymentReceived():
            paid = event.data
            return ReceivePayment(loan_id, paid.amount, paid.currency, on, paid.reference, event.id)
        case PaymentReversed():
            return ReversePayment(loan_id, event.data.payment_id, event.data.reason, event.id)
        case LoanContracted():
            return ConcludeContract(loan_id, event.data, event.id)
        case LoanDisbursed():
            return _disbursement(event, on)
        case _:
            raise MissingPrecondition(f"A mended {event.type} is not published: use the command that it belongs to.")


def _disbursement(event: LoanDisbursed, on: date | None) -> Disburse:
    return Disburse(event.subject, event.data.amount, event.data.currency, on, event.id, event.data.settles)


def _line(row: dict[str, Any]) -> str:
    became = f"settled by {row['settled_by']}" if row.get("settled_by") else "open"
    return f"{row['service']:<12}{row['partition']}/{row['offset']}  {became}: {row['reason']}"
