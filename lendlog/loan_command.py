"""`lendlog loan show|history ID`: a loan as the books have it."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.signals import run_to_end
from services.ledger import queries
from shared.errors import MissingPrecondition

command = typer.Typer(no_args_is_help=True, help="Show a loan as the books have it.")
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


async def _show(loan_id: str, as_of: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        return _known(loan_id, await queries.loan_view(connection, loan_id, as_of=as_of))


async def _history(loan_id: str) -> dict[str, Any]:
    async with reading() as (_, connection):
        return _known(loan_id, await queries.entries_view(connection, loan_id))


def _known(loan_id: str, document: dict[str, Any] | None) -> dict[str, Any]:
    if document is None:
        raise MissingPrecondition(f"The books hold no loan {loan_id}.")
    return document


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["entries"]:
        yield f"{entry['booking_date']}  {entry['partition']}/{entry['offset']}  {entry['type']}  {entry['event_id']}"
        for line in entry["postings"]:
            pair = f"{line['debit']} / {line['credit']}"
            yield f"    {pair:<42}{line['amount']:>16} {line['currency']}  effective {line['effective_date']}"
    if document["parked"]:
        yield f"parked since {document['parked']['since']}: {document['parked']['reason']}"
