"""`lendlog reconcile FILE`, and `list`, `match`, `split`, `unmatch`, `check`: bank statements against the books."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from typer.core import TyperGroup

from lendlog.books import ON_REQUEST, AsJson, Desk, Reason, emit, fields, reading, recording, until_in
from lendlog.signals import run_to_end
from lendlog.tables import table
from lendlog.verify_command import log_reader
from services.ledger.bank.checking import check_cash
from services.ledger.bank.desk import BankDesk
from services.ledger.bank.lender import EXAMPLE, Lender, read_lender
from services.ledger.bank.reading import account_states
from services.ledger.bank.views import line_documents
from services.ledger.queries import branch_cash, snapshot
from shared.errors import MissingPrecondition
from shared.events.envelope import EventId, LoanId
from shared.events.ledger import Branch
from shared.settings import ServiceSettings
from shared.topics import LIFECYCLE

TAKE = "take"


class _FileOrVerb(TyperGroup):
    """`lendlog reconcile FILE` is `lendlog reconcile take FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb before a file that comes without one."""
        if args and "--help" not in args and not set(args[:1]) & self.commands.keys():
            args = [TAKE, *args]
        return super().parse_args(ctx, args)


command = typer.Typer(
    cls=_FileOrVerb, no_args_is_help=True, help="Reconcile bank statements: FILE, or a verb (a FILE needs none)."
)
LineId = Annotated[str, typer.Argument(metavar="LINE", help="The line's id, as `lendlog reconcile list` shows it.")]
COLUMNS = ("line_id", "booked_on", "outcome", "loans", "amount", "currency")


@command.command(TAKE)
def take(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="camt.053, or CSV with --profile.")],
    profile: Annotated[str | None, typer.Option(help="The CSV profile, of LENDLOG_BANK_FOLDER/profiles.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in the statements of a file, all or none; exit code 1 if a line waits for a person's decision. The same file
    again changes nothing."""
    document = run_to_end(_take(file.read_bytes(), profile))
    emit(document, _taken(document), as_json=as_json)
    if any(one["open"] for one in document["statements"]):
        raise typer.Exit(1)


@command.command("list")
def list_lines(
    outcome: Annotated[str | None, typer.Option(help="Only lines of this outcome, such as unmatched.")] = None,
    account: Annotated[str | None, typer.Option(help="Only lines of this account of the lender.")] = None,
    as_json: AsJson = False,
) -> None:
    """List lines of statements as they are now."""
    lines = run_to_end(_list(outcome, account))
    emit({"lines": lines}, _lines(lines), as_json=as_json)


@command.command()
def match(
    line: LineId,
    loan: Annotated[str | None, typer.Option(help="It is a payment for this loan.")] = None,
    event: Annotated[str | None, typer.Option(help="It is this payment or disbursement, or returns it.")] = None,
    branch: Annotated[str | None, typer.Option(help="It is the cash of this branch, paid in: name --on, too.")] = None,
    on: Annotated[
        list[datetime] | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The dates of the receipts.")
    ] = None,
    transfer: Annotated[str | None, typer.Option(help="It is from or to this account of the lender's own.")] = None,
    outside: Annotated[bool, typer.Option("--outside", help="It is none of the loan book's business.")] = False,
    reason: Reason = ON_REQUEST,
    as_json: AsJson = False,
) -> None:
    """Say what a line is; what it was matched to before is taken back with it."""
    if sum((loan is not None, event is not None, branch is not None, transfer is not None, outside)) != 1:
        raise MissingPrecondition("Name one of --loan, --event, --branch, --transfer and --outside.")
    if (branch is None) != (not on):
        raise MissingPrecondition("Name --branch and --on together.")
    _require_form(LoanId, loan)
    _require_form(EventId, event)

    async def asked(desk: BankDesk) -> dict[str, Any]:
        if branch is not None:
            receipts = await _receipts(desk, branch, [day.date() for day in on or []])
            return await desk.match_all(line, receipts, reason)
        return await desk.match(line, loan_id=loan, event_id=event, transfer=transfer, outside=outside, reason=reason)

    _assigned(asked, as_json=as_json)


@command.command()
def split(
    line: LineId,
    parts: Annotated[list[str], typer.Argument(metavar="LOAN=AMOUNT...", help="Payments that add up to the line.")],
    reason: Reason = ON_REQUEST,
    as_json: AsJson = False,
) -> None:
    """Make a line several payments."""
    named = [(loan_id, amount) for loan_id, _, amount in (part.partition("=") for part in parts)]
    for loan_id, _ in named:
        _require_form(LoanId, loan_id)

    async def asked(desk: BankDesk) -> dict[str, Any]:
        return await desk.split(line, named, reason)

    _assigned(asked, as_json=as_json)


@command.command()
def unmatch(line: LineId, reason: Reason = ON_REQUEST, as_json: AsJson = False) -> None:
    """Match a line to nothing: what came in waits in suspense again."""

    async def asked(desk: BankDesk) -> dict[str, Any]:
        return await desk.unmatch(line, reason)

    _assigned(asked, as_json=as_json)


@command.command()
def check(
    on: Annotated[datetime, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The value date.")],
    as_json: AsJson = False,
) -> None:
    """Hold the bank's balance, the books' cash and the log's own movements against each other; exit code 1 if they
    differ by something that has no explanation."""
    document = run_to_end(_check(on.date()))
    emit(document, _checked(document), as_json=as_json)
    if not document["ok"]:
        raise typer.Exit(1)


def lender() -> Lender:
    """The lender's folder. Raises MissingPrecondition."""
    return read_lender(ServiceSettings().bank_folder or EXAMPLE)


def _require_form(form: Any, text: str | None) -> None:
    """Raise MissingPrecondition for what is no id of this form."""
    try:
        TypeAdapter(form | None).validate_python(text)
    except ValidationError:
        raise MissingPrecondition(f"{(text or '')[:80]!r} has not the form of an id.") from None


async def _receipts(desk: BankDesk, branch: str, days: list[date]) -> list[str]:
    """The payments of the branch's receipts of these days that stand."""
    _require_form(Branch, branch)
    async with desk.books() as connection, snapshot(connection):
        found = [await branch_cash(connection, branch, day) for day in days]
    return [one["payment_id"] for document in found for one in document["receipts"] if one["stands"]]


@asynccontextmanager
async def _bank() -> AsyncIterator[tuple[BankDesk, Desk]]:
    known = lender()
    async with recording() as desk:
        yield BankDesk(desk.commands, lambda: nullcontext(desk.books), known), desk


async def _take(content: bytes, profile: str | None) -> dict[str, Any]:
    async with _bank() as (bank, desk):
        document = await bank.take(content, profile)
        return await _in_books(document, desk)


async def _list(outcome: str | None, account: str | None) -> list[dict[str, Any]]:
    known = lender()
    async with reading() as (_, connection), snapshot(connection):
        return line_documents(await account_states(connection, known), outcome, account)


def _assigned(asked: Any, *, as_json: bool) -> None:
    async def run() -> dict[str, Any]:
        async with _bank() as (bank, desk):
            return await _in_books(await asked(bank), desk)

    document = run_to_end(run())
    emit(document, fields(document), as_json=as_json)


async def _in_books(document: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """The document once its events are in the books."""
    for event_id in document["events"]:
        await until_in(desk.books, event_id)
    return document


async def _check(on: date) -> dict[str, Any]:
    known = lender()
    async with reading() as (platform, connection):
        topic = ServiceSettings().topic_prefix + LIFECYCLE.name
        return await check_cash(connection, log_reader(platform.kafka_bootstrap, topic), known, on)


def _taken(document: dict[str, Any]) -> Iterator[str]:
    for one in document["statements"]:
        again = ", taken before: nothing changed" if one["repeated"] else ""
        yield f"{one['account']} {one['statement_id']} ({one['from']} to {one['to']}): {one['lines']} lines{again}"
        for outcome, count in one["outcomes"].items():
            yield f"  {outcome:<12}{count:>8}"
        if one["pending"]:
            yield f"  {one['pending']} entries are not booked yet and left out"


def _lines(lines: list[dict[str, Any]]) -> Iterator[str]:
    if not lines:
        yield "no lines"
        return
    rows = [line | {"loans": ", ".join(one["loan_id"] for one in line["allocations"])} for line in lines]
    yield from table(rows, COLUMNS, left=4)


def _checked(document: dict[str, Any]) -> Iterator[str]:
    for code, one in document["currencies"].items():
        verdict = "ok" if one["ok"] else "FINDING"
        yield f"{verdict:<9}{code} on {document['on']}: bank {one['bank']}, of it {one['opening']} from before;"
        yield f"         books {one['books']}, log {one['log']}; difference {one['difference']}"
        if one["unbooked"].strip("-0."):
            yield f"         {one['unbooked']} is cash of loans of which nothing is booked (accounting method none)"
        for item in one["items"]:
            named = ", ".join(item["loans"] or item["lines"])
            yield f"  {item['kind']:<18}{item['amount']:>16}  since {item['since']}  {named}  {item['reason'] or ''}"
