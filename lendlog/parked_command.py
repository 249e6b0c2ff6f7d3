"""`lendlog parked list|show|release`: loans, and borrowers of the other services, that stopped at an event which broke
an invariant."""

from typing import Annotated, Any

import typer

from lendlog import aside
from lendlog.aside import Service
from lendlog.books import ON_REQUEST, AsJson, Reason, desk_of, emit, fields
from lendlog.platform import Platform, attach_or_start
from lendlog.signals import run_to_end
from services.ledger import queries
from services.ledger.commands import ReleaseLoan
from shared.errors import MissingPrecondition
from shared.events.envelope import new_event_id
from shared.settings import PlatformSettings
from shared.streams import subject_store

command = typer.Typer(no_args_is_help=True, help="Show parked loans and borrowers, and let them go on.")
Id = Annotated[str, typer.Argument(metavar="ID", help="The loan's id; in the other services the borrower's.")]
DiscardFirst = Annotated[
    bool, typer.Option("--discard-first", help="The event that parked it can never count: make it a dead letter.")
]


@command.command("list")
def list_all(service: Service = None, as_json: AsJson = False) -> None:
    """List who is parked, in every service or in one, with what stopped them."""
    rows = run_to_end(_all(service))
    emit({"parked": rows}, [_line(row) for row in rows] or ["nobody is parked"], as_json=as_json)


@command.command()
def show(subject: Id, service: Service = None, as_json: AsJson = False) -> None:
    """Show one that is parked and everything that is held behind it."""
    document = run_to_end(_show(subject, service))
    held = [f"  {e['partition']}/{e['offset']} arrived {e['arrived']} {e['value']}" for e in document["events"]]
    emit(document, [_line(document), *held], as_json=as_json)


@command.command()
def release(
    subject: Id,
    service: Service = None,
    reason: Reason = ON_REQUEST,
    discard_first: DiscardFirst = False,
    as_json: AsJson = False,
) -> None:
    """Fold on from the first held event; exit code 1 if it parked again."""
    document = run_to_end(_release(subject, service, reason, discard_first=discard_first))
    emit(document, fields(document), as_json=as_json)
    if document["parked"]:
        raise typer.Exit(1)


async def _all(service: str | None) -> list[dict[str, Any]]:
    async with attach_or_start(PlatformSettings()) as platform:
        return await aside.parked_rows(platform, service)


async def _show(subject: str, service: str | None) -> dict[str, Any]:
    async with attach_or_start(PlatformSettings()) as platform:
        row = await _one(platform, subject, service)
        view = queries.held_view if row["service"] == "ledger" else subject_store.held_view
        async with aside.reader(platform, row["service"]) as connection:
            return row | {"events": await view(connection, row["partition"], subject)}


async def _release(subject: str, service: str | None, reason: str, *, discard_first: bool) -> dict[str, Any]:
    async with attach_or_start(PlatformSettings(), services=True) as platform:
        row = await _one(platform, subject, service)
        if row["service"] == "ledger":
            event_id = await _release_loan(platform, row, reason, discard_first=discard_first)
        else:
            event_id = await aside.release_borrower(platform, row, reason, discard_first=discard_first)
        still = [now for now in await aside.parked_rows(platform, row["service"]) if _id(now) == subject]
        named = {name: row[name] for name in ("service", "loan_id", "borrower_id") if name in row}
        return named | {"released_by": event_id, "parked": still[0] if still else None}


async def _release_loan(platform: Platform, row: dict[str, Any], reason: str, *, discard_first: bool) -> str:
    event_id = new_event_id()
    async with desk_of(platform) as desk:
        await desk.record(
            [ReleaseLoan(row["loan_id"], row["first_offset"], row["reason"], reason, event_id, discard_first)]
        )
    return event_id


async def _one(platform: Platform, subject: str, service: str | None) -> dict[str, Any]:
    """The only one of this id that is parked."""
    found = [row for row in await aside.parked_rows(platform, service) if _id(row) == subject]
    if not found:
        where = f" in {service}" if service else ""
        raise MissingPrecondition(f"{subject} is not parked{where}.")
    if len(found) > 1:
        names = " and in ".join(row["service"] for row in found)
        raise MissingPrecondition(f"{subject} is parked in {names}: choose one with --service.")
    return found[0]


def _id(row: dict[str, Any]) -> str:
    return str(row.get("loan_id") or row["borrower_id"])


def _line(row: dict[str, Any]) -> str:
    where = f"{row['partition']}/{row['first_offset']}"
    return f"{row['service']:<12}{_id(row)}  at {where} since {row['since']}, {row['held']} held: {row['reason']}"
