"""`lendlog dlq list|show|retry`: records that could not be read."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lendlog.books import ON_REQUEST, AsJson, Reason, emit, fields, place_of, reading, recording
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
from shared.topics import lifecycle_events

command = typer.Typer(no_args_is_help=True, help="Show dead letters, and have them read again.")
Place = Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As `lendlog dlq list` shows it.")]


@command.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List dead letters with what became of them."""
    rows = run_to_end(_all())
    emit({"dead_letters": rows}, [_line(row) for row in rows] or ["no dead letters"], as_json=as_json)


@command.command()
def show(place: Place, as_json: AsJson = False) -> None:
    """Show one dead letter, whole."""
    document = run_to_end(_show(place))
    emit(document, fields(document), as_json=as_json)


@command.command()
def retry(
    place: Place,
    value: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file with the mended event, which takes its place."),
    ] = None,
    reason: Reason = ON_REQUEST,
    as_json: AsJson = False,
) -> None:
    """Have a dead letter read again, or put a mended event in its place; exit code 1 if it stays dead."""
    document = run_to_end(_retry(place, value, reason))
    emit(document, fields(document), as_json=as_json)
    if document["settled_by"] is None:
        raise typer.Exit(1)


async def _all() -> list[dict[str, Any]]:
    async with reading() as (_, connection):
        return await queries.dead_letters_view(connection)


async def _show(place: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        return await _one(connection, place)


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
        return await _one(desk.books, place)


async def _one(connection: Any, place: str) -> dict[str, Any]:
    wanted = place_of(place)
    for row in await queries.dead_letters_view(connection):
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
    became = f"settled by {row['settled_by']}" if row["settled_by"] else "open"
    return f"{row['partition']}/{row['offset']}  {became}: {row['reason']}"
