"""`lendlog loan show|history|statement ID`, and `preview` below it: a loan as the books have it."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.loan_preview import command as preview
from lendlog.loan_reading import known as found
from lendlog.loan_reading import statement_lines
from lendlog.signals import run_to_end
from lendlog.two_dates import AsOf, Effective, Known, day
from services.ledger import queries

command = typer.Typer(no_args_is_help=True, help="Show a loan as the books have it.")
command.add_typer(preview, name="preview")
LoanId = Annotated[str, typer.Argument(help="The loan's id.")]


@command.command()
def show(
    loan_id: LoanId,
    known: Known = None,
    effective: Effective = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show a loan's figures and how long it is past due, as known on one date and effective on another."""
    if effective and as_of and effective != as_of:
        raise queries.DatesDiffer("--effective and --as-of are one date: name it once.")
    document = run_to_end(_show(loan_id, day(known), day(effective or as_of)))
    emit(document, fields(document), as_json=as_json)


@command.command()
def history(loan_id: LoanId, as_json: AsJson = False) -> None:
    """Show everything that was booked for a loan, in order, each entry with its event."""
    document = run_to_end(_history(loan_id))
    emit(document, _lines(document), as_json=as_json)


@command.command()
def statement(loan_id: LoanId, known: Known = None, effective: Effective = None, as_json: AsJson = False) -> None:
    """Show a loan's instalments, money in and out, and charges, as known on one date and effective on another."""
    document = run_to_end(_statement(loan_id, day(known), day(effective)))
    emit(document, statement_lines(document), as_json=as_json)


async def _show(loan_id: str, known: date | None, effective: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        return found(loan_id, await queries.loan_view(connection, loan_id, known=known, effective=effective))


async def _history(loan_id: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        return found(loan_id, await queries.entries_view(connection, loan_id))


async def _statement(loan_id: str, known: date | None, effective: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        return found(loan_id, await queries.statement_view(connection, loan_id, known=known, effective=effective))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["entries"]:
        yield f"{entry['booking_date']}  {entry['partition']}/{entry['offset']}  {entry['type']}  {entry['event_id']}"
        for line in entry["postings"]:
            pair = f"{line['debit']} / {line['credit']}"
            yield f"    {pair:<42}{line['amount']:>16} {line['currency']}  effective {line['effective_date']}"
    if document["parked"]:
        yield f"parked since {document['parked']['since']}: {document['parked']['reason']}"
