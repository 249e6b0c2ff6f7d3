"""`lendlog debit make|void|status|list`: direct debits of instalments, and what the bank answers to them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lendlog.books import ON_REQUEST, AsJson, Desk, Reason, emit, fields, reading, recording, until_in
from lendlog.borrower_accounts import accounts_of
from lendlog.private_file import private_file, require_new
from lendlog.reconcile_command import lender
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.debits.desk import DebitDesk, Planned
from services.ledger.debits.pain008 import amounts_of, direct_debits
from services.ledger.debits.planning import Skipped
from services.ledger.debits.reading import run_view, runs_view
from services.ledger.debits.refusals import NothingToCollect
from services.ledger.debits.state import run_id_of
from services.ledger.queries import snapshot
from shared.events.debits import DebitItem
from shared.events.envelope import new_event_id
from shared.money import decimal_text

NO_ACCOUNT = "the vault holds no account with an IBAN"
RUN_COLUMNS = ("run_id", "account", "on", "state", "count", "total", "currency")
ITEM_COLUMNS = ("loan_id", "due", "attempt", "state", "again_on", "code", "amount")

command = typer.Typer(no_args_is_help=True, help="Collect instalments by direct debit.")
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `lendlog debit list` shows it.")]


@command.command()
def make(
    account: Annotated[str, typer.Option(help="The lender's account, of accounts.yaml, on which it collects.")],
    due: Annotated[datetime, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The day of the collection.")],
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where the pain.008 file goes.")],
    as_json: AsJson = False,
) -> None:
    """Make the file of a day: what falls due, and what is tried again, of loans with a mandate. It is no payment: money
    comes in with the bank's statement. The file holds personal data, and its owner alone may read it."""
    require_new(out)  # before anybody's account is read
    document = run_to_end(_make(account, due, out))
    emit(document, _made(document), as_json=as_json)


@command.command()
def void(run_id: RunId, reason: Reason = ON_REQUEST, as_json: AsJson = False) -> None:
    """Take back a run that was never sent: its instalments may stand in another."""

    async def asked() -> dict[str, Any]:
        async with _desk() as (debits, desk):
            recorded = await debits.void(run_id, reason)
            await until_in(desk.books, recorded.event_id)
            return await debits.run(run_id)

    document = run_to_end(asked())
    emit(document, _run(document), as_json=as_json)


@command.command()
def status(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bank's answer, a pain.002 file.")],
    as_json: AsJson = False,
) -> None:
    """Take in a status report: what it rejects is noted; exit code 1 if it rejects something. The same again changes
    nothing."""

    async def asked() -> dict[str, Any]:
        async with _desk() as (debits, desk):
            found = await debits.report(file.read_bytes())
            for event_id in found["events"]:
                await until_in(desk.books, event_id)
            return found

    document = run_to_end(asked())
    emit(document, fields(document), as_json=as_json)
    if document["rejected"]:
        raise typer.Exit(1)


@command.command("list")
def list_runs(
    run_id: Annotated[str | None, typer.Option("--run", metavar="RUN", help="This run, with its items.")] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, or the items of one: collected, returned, rejected, and when they are tried again."""

    async def asked() -> dict[str, Any]:
        async with reading() as (_, connection), snapshot(connection):
            return await run_view(connection, run_id) if run_id else {"runs": await runs_view(connection)}

    document = run_to_end(asked())
    emit(document, _run(document) if run_id is not None else _runs(document["runs"]), as_json=as_json)


@asynccontextmanager
async def _desk() -> AsyncIterator[tuple[DebitDesk, Desk]]:
    known = lender()
    async with recording() as desk:
        yield DebitDesk(desk.commands, lambda: nullcontext(desk.books), known), desk


async def _make(account: str, due: datetime, out: Path) -> dict[str, Any]:
    async with _desk() as (debits, desk):
        planned = await debits.plan(account, due.date(), await _disputes(desk))
        borrowers = {one.loan_id: one.borrower_id for one in planned.loans.values()}
        found = await accounts_of(
            desk.platform.api_url("origination"),
            desk.platform.tokens()["accountant"],
            (borrowers[item.loan_id] for item in planned.items),
            "direct-debit",
        )
        known = {borrower_id: party for borrower_id, party in found.items() if party.iban is not None}
        items = [item for item in planned.items if borrowers[item.loan_id] in known]
        skipped = [Skipped(one.loan_id, one.due, NO_ACCOUNT) for one in planned.items if one not in items]
        if not items:
            raise NothingToCollect(f"Of {len(skipped)} instalments, {NO_ACCOUNT}.", field="due")
        event_id = new_event_id()
        content = _file(planned, run_id_of(event_id), items, {x.loan_id: known[borrowers[x.loan_id]] for x in items})
        with private_file(out, content):
            recorded = await debits.make(planned, run_id_of(event_id), event_id, items, content)
        await until_in(desk.books, recorded.event_id)
        document = await debits.run(run_id_of(event_id))
        left_out = [
            {"loan_id": one.loan_id, "due": one.due.isoformat(), "reason": one.reason}
            for one in (*planned.skipped, *skipped)
        ]
        return document | {"file": str(out), "skipped": left_out}


def _file(planned: Planned, run_id: str, items: Sequence[DebitItem], parties: Any) -> bytes:
    own = planned.account
    assert own.creditor_id is not None, "planned without a creditor"
    return direct_debits(
        run_id,
        items,
        planned.mandates,
        parties,
        by=own.party(),
        creditor_id=own.creditor_id,
        currency=own.currency,
        on=planned.on,
        made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


async def _disputes(desk: Desk) -> set[tuple[str, str | None]]:
    """What borrowers dispute, by collections; nothing where it does not run."""
    if "collections" not in desk.platform.services:
        return set()
    from services.collections.queries import disputes

    async with reading("collections") as (_, connection):
        return await disputes(connection)


def _made(document: dict[str, Any]) -> Iterator[str]:
    yield from _run(document)
    for one in document["skipped"]:
        yield f"left out: {one['loan_id']} of {one['due']}: {one['reason']}"
    yield f"{document['file']}: send it to the bank, then delete it; what comes in is on the bank's statement"


def _run(document: dict[str, Any]) -> Iterator[str]:
    yield from _runs([document])
    yield from table(document["items"], ITEM_COLUMNS, left=5)
    total = sum(amounts_of([DebitItem.model_validate(one) for one in document["items"]], document["currency"]))
    yield f"{document['count']} items, {decimal_text(total, document['currency'])} {document['currency']}"


def _runs(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not runs:
        yield "no runs"
        return
    rows = [run | {"state": ", ".join(f"{n} {name}" for name, n in run["outcomes"].items())} for run in runs]
    yield from table(rows, RUN_COLUMNS, left=4)
