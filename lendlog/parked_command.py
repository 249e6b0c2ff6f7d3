"""`lendlog parked list|show|release`: loans that stopped at an event which broke an invariant."""

from typing import Annotated, Any

import typer

from lendlog.books import ON_REQUEST, AsJson, Reason, emit, fields, reading, recording
from lendlog.signals import run_to_end
from services.ledger import queries
from services.ledger.commands import ReleaseLoan
from shared.errors import MissingPrecondition
from shared.events.envelope import new_event_id

command = typer.Typer(no_args_is_help=True, help="Show parked loans, and let them go on.")
LoanId = Annotated[str, typer.Argument(help="The loan's id.")]
DiscardFirst = Annotated[
    bool, typer.Option("--discard-first", help="The event that parked it can never count: make it a dead letter.")
]


@command.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List parked loans with what stopped them."""
    rows = run_to_end(_all())
    emit({"parked": rows}, [_line(row) for row in rows] or ["no loan is parked"], as_json=as_json)


@command.command()
def show(loan_id: LoanId, as_json: AsJson = False) -> None:
    """Show one parked loan and everything that is held behind it."""
    document = run_to_end(_show(loan_id))
    held = [f"  {e['partition']}/{e['offset']} arrived {e['arrived']} {e['value']}" for e in document["events"]]
    emit(document, [_line(document), *held], as_json=as_json)


@command.command()
def release(
    loan_id: LoanId, reason: Reason = ON_REQUEST, discard_first: DiscardFirst = False, as_json: AsJson = False
) -> None:
    """Fold a parked loan on from its first held event; exit code 1 if it parked again."""
    document = run_to_end(_release(loan_id, reason, discard_first=discard_first))
    emit(document, fields(document), as_json=as_json)
    if document["parked"]:
        raise typer.Exit(1)


async def _all() -> list[dict[str, Any]]:
    async with reading() as (_, connection):
        return await queries.parked_view(connection)


async def _show(loan_id: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        row = await _one(connection, loan_id)
        return row | {"events": await queries.held_view(connection, row["partition"], loan_id)}


async def _release(loan_id: str, reason: str, *, discard_first: bool) -> dict[str, Any]:
    async with recording() as desk:
        row = await _one(desk.books, loan_id)
        event_id = new_event_id()
        await desk.record([ReleaseLoan(loan_id, row["first_offset"], row["reason"], reason, event_id, discard_first)])
        still = [now for now in await queries.parked_view(desk.books) if now["loan_id"] == loan_id]
        return {"loan_id": loan_id, "released_by": event_id, "parked": still[0] if still else None}


async def _one(connection: Any, loan_id: str) -> dict[str, Any]:
    for row in await queries.parked_view(connection):
        if row["loan_id"] == loan_id:
            return row
    raise MissingPrecondition(f"Loan {loan_id} is not parked.")


def _line(row: dict[str, Any]) -> str:
    where = f"{row['partition']}/{row['first_offset']}"
    return f"{row['loan_id']}  at {where} since {row['since']}, {row['held']} held: {row['reason']}"
