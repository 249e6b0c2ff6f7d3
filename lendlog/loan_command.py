"""`lendlog loan show|history|statement ID`, and `preview` below it: a loan as the books have it."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.loan_preview import command as preview
from lendlog.loan_reading import known
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger import queries

command = typer.Typer(no_args_is_help=True, help="Show a loan as the books have it.")
command.add_typer(preview, name="preview")
LoanId = Annotated[str, typer.Argument(help="The loan's id.")]


@command.command()
def show(
    loan_id: LoanId,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Effective on this date, by what is known now; else the open date."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a loan's balances and how long it is past due."""
    document = run_to_end(_show(loan_id, as_of.date() if as_of else None))
    emit(document, fields(document), as_json=as_json)


@command.command()
def history(loan_id: LoanId, as_json: AsJson = False) -> None:
    """Show everything that was booked for a loan, in order, each entry with its event."""
    document = run_to_end(_history(loan_id))
    emit(document, _lines(document), as_json=as_json)


@command.command()
def statement(loan_id: LoanId, as_json: AsJson = False) -> None:
    """Show a loan's instalments, money in and out, and charges."""
    document = run_to_end(_statement(loan_id))
    emit(document, _tables(document), as_json=as_json)


async def _show(loan_id: str, as_of: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        return known(loan_id, await queries.loan_view(connection, loan_id, as_of=as_of))


async def _history(loan_id: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        return known(loan_id, await queries.entries_view(connection, loan_id))


async def _statement(loan_id: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        return known(loan_id, await queries.statement_view(connection, loan_id))


INSTALMENTS = (
    "number",
    "due_date",
    "principal",
    "interest",
    "fees",
    "penalties",
    "total",
    "paid",
    "outstanding",
    "balance",
)
TRANSACTIONS = ("date", "kind", "amount", "principal", "interest", "fees", "penalties", "overpaid", "balance")
CHARGES = ("charge_id", "part", "name", "due_date", "amount", "paid", "waived", "outstanding")


def _tables(document: dict[str, Any]) -> Iterator[str]:
    lists = {"instalments": INSTALMENTS, "transactions": TRANSACTIONS, "charges": CHARGES}
    yield from fields(
        {name: value for name, value in document.items() if name not in {*lists, "disbursements", "as_of"}}
    )
    for name, columns in lists.items():
        if document[name]:
            yield ""
            yield f"{name}:"
            yield from table(document[name], columns, left=4 if name == "charges" else 2)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["entries"]:
        yield f"{entry['booking_date']}  {entry['partition']}/{entry['offset']}  {entry['type']}  {entry['event_id']}"
        for line in entry["postings"]:
            pair = f"{line['debit']} / {line['credit']}"
            yield f"    {pair:<42}{line['amount']:>16} {line['currency']}  effective {line['effective_date']}"
    if document["parked"]:
        yield f"parked since {document['parked']['since']}: {document['parked']['reason']}"
