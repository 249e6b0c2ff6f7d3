"""`lendlog pay-out make`, `void`, `status`, `list`: disbursements by file, and what the bank says of it."""

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, Desk, Reason, emit, fields, reading, recording, until_in
from lendlog.borrower_accounts import accounts_of
from lendlog.private_file import private_file, require_new
from lendlog.reconcile_command import lender
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.bank.credit_transfer import Transfer, credit_transfers
from services.ledger.bank.pain_parts import Party, reference_of
from services.ledger.bank.pay_out_desk import PayOutDesk
from services.ledger.bank.pay_out_reading import files_state, undone
from services.ledger.bank.pay_out_views import file_document
from services.ledger.commands import BookNotOpen
from services.ledger.queries import snapshot
from shared.events.envelope import new_event_id
from shared.money import decimal_text, minor_units

command = typer.Typer(no_args_is_help=True, help="Pay disbursements out by files to the bank.")
ACTS = ("no-account", "parked", "on-its-way")
"""Why something is left out that a person, or the next run, has to see to."""
OURS = "command line"
By = Annotated[str, typer.Option(help="Your name as the log keeps it; over HTTP the token says it.")]
FileId = Annotated[str, typer.Argument(metavar="FILE_ID", help="As `lendlog pay-out list` shows it.")]
ITEMS = ("value_date", "loan_id", "amount", "why", "reference")


@command.command()
def make(
    account: Annotated[str, typer.Option(help="The lender's account that pays, as accounts.yaml has it.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The last value date.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The file to make, pain.001.001.09; it must not exist.")],
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="The first value date."),
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="When the bank is to pay; else the open date."),
    ] = None,
    by: By = OURS,
    as_json: AsJson = False,
) -> None:
    """Make a file of the disbursements that none carries yet, and record it; exit code 1 if something is left out that
    a person has to see to. Only the owner may read the file: it holds names and account numbers."""
    require_new(out)  # before anybody's account is read
    days = (one.date() if one is not None else None for one in (since, on))
    document = run_to_end(_make(account, until.date(), out, *days, by=by))
    emit(document, _made(document), as_json=as_json)
    if any(one["why"] in ACTS for one in document["left_out"]):
        raise typer.Exit(1)


@command.command()
def void(file_id: FileId, reason: Reason, by: By, as_json: AsJson = False) -> None:
    """Say that a file was not sent and will not be: its disbursements are free for another one."""

    async def run() -> dict[str, Any]:
        async with recording() as desk:
            return await _in_books(await _pay_outs(desk).void(file_id, reason, by), desk)

    _emit_file(run_to_end(run()), as_json=as_json)


@command.command()
def status(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bank's report, pain.002.")],
    as_json: AsJson = False,
) -> None:
    """Take in the bank's status report: what it rejects is undone. Exit code 1 if it rejects something. The same report
    again changes nothing."""

    async def run() -> dict[str, Any]:
        async with recording() as desk:
            return await _in_books(await _pay_outs(desk).take_status(file.read_bytes()), desk)

    document = run_to_end(run())
    emit(document, _answered(document), as_json=as_json)
    if any(one["status"] == "RJCT" for one in document["changed"]):
        raise typer.Exit(1)


@command.command("list")
def list_files(as_json: AsJson = False) -> None:
    """List the files that were made, with what became of them."""

    async def run() -> list[dict[str, Any]]:
        async with reading() as (_, connection), snapshot(connection):
            state = await files_state(connection)
            gone = await undone(connection, list(state.carried()))
            return [file_document(one, gone) for one in state.files.values()]

    files = run_to_end(run())
    emit({"files": files}, _listed(files), as_json=as_json)


def _pay_outs(desk: Desk) -> PayOutDesk:
    return PayOutDesk(desk.commands, lambda: nullcontext(desk.books), lender())


async def _in_books(document: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """The document once its events are in the books."""
    for event_id in document["events"]:
        await until_in(desk.books, event_id)
    return document


async def _make(
    account: str, until: date, out: Path, since: date | None, on: date | None, *, by: str
) -> dict[str, Any]:
    async with recording() as desk:
        ledger, own = _pay_outs(desk), lender().account(account)
        found = await ledger.due(account, until, since)
        execution_date = on or await desk.commands.open_date()
        if execution_date is None:
            raise BookNotOpen("Open the book on its first business date.")
        parties = await accounts_of(
            desk.platform.api_url("origination"),
            desk.platform.tokens()["accountant"],
            (one["borrower_id"] for one in found["pays"]),
            "pay-out",
        )
        pays = [one for one in found["pays"] if one["borrower_id"] in parties]
        missing = [one | {"why": "no-account"} for one in found["pays"] if one["borrower_id"] not in parties]
        left_out = found["left_out"] + missing
        if not pays:
            return {"file": None, "path": None, "left_out": left_out}
        file_id, currency = new_event_id(), own.currency
        content = credit_transfers(
            reference_of(file_id),
            [_transfer(one, parties[one["borrower_id"]], currency) for one in pays],
            by=own.party(),
            currency=currency,
            on=execution_date,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with private_file(out, content):
            made = await ledger.make(
                file_id,
                account,
                execution_date=execution_date,
                sha256=hashlib.sha256(content).hexdigest(),
                total=_total(pays, currency),
                disbursement_ids=[one["disbursement_id"] for one in pays],
                by=by,
            )
        return {"file": await _in_books(made, desk), "path": str(out), "left_out": left_out}


def _transfer(one: dict[str, Any], to: Party, currency: str) -> Transfer:
    """Banks take few characters in a text (EPC217-08), and no underscore."""
    text = f"Loan {one['loan_id'].replace('_', '-')}"
    return Transfer(one["reference"], minor_units(one["amount"], currency), to, text)


def _total(pays: list[dict[str, Any]], currency: str) -> str:
    return decimal_text(sum(minor_units(one["amount"], currency) for one in pays), currency)


def _emit_file(document: dict[str, Any], *, as_json: bool) -> None:
    emit(document, fields({name: value for name, value in document.items() if name != "items"}), as_json=as_json)


def _made(document: dict[str, Any]) -> Iterator[str]:
    if (file := document["file"]) is None:
        yield "nothing to pay out"
    else:
        transfers = "transfer" if file["count"] == 1 else "transfers"
        yield f"{document['path']}: {file['total']} {file['currency']} in {file['count']} {transfers}"
        yield f"file {file['file_id']}, to be executed on {file['execution_date']}"
    if document["left_out"]:
        yield "left out:"
        yield from table(document["left_out"], ITEMS, left=2)


def _answered(document: dict[str, Any]) -> Iterator[str]:
    again = ", taken before: nothing changed" if document["repeated"] else ""
    yield f"file {document['file_id']}{again}"
    for one in document["changed"]:
        yield f"  {one['status']:<6}{one['reason'] or '':<6}{one['amount']:>16}  {one['loan_id']}"


def _listed(files: list[dict[str, Any]]) -> Iterator[str]:
    if not files:
        yield "no files"
        return
    rows = [one | {"said": ", ".join(f"{code} {n}" for code, n in one["statuses"].items())} for one in files]
    yield from table(
        rows, ("file_id", "account", "execution_date", "state", "said", "count", "total", "currency"), left=5
    )
    for one in files:
        for event_id in one["undone"]:
            yield f"file {one['file_id']}: disbursement {event_id} was undone since; void the file, or recall it"
