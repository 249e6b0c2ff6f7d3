"""`lendlog branch-cash`: what a branch took in cash on a date, for whoever counts the till."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from lendlog.books import AsJson, emit, reading
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger import queries
from shared.errors import MissingPrecondition
from shared.events.ledger import Branch

COLUMNS = ("number", "cashier", "loan_id", "stands", "amount", "currency")
TOTALS = ("currency", "receipts", "received", "reversed", "net")


def command(
    branch: Annotated[str, typer.Option(help="The branch, as its receipts name it.")],
    on: Annotated[datetime, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The date.")],
    as_json: AsJson = False,
) -> None:
    """Show the receipts of a branch of a value date, what was taken back on that date, and the totals."""
    try:
        TypeAdapter(Branch).validate_python(branch)
    except ValidationError:
        raise MissingPrecondition(f"{branch[:40]!r} has not the form of a branch's name.") from None

    async def run() -> dict[str, Any]:
        async with reading() as (_, connection), queries.snapshot(connection):
            return await queries.branch_cash(connection, branch, on.date())

    document = run_to_end(run())
    emit(document, _lines(document), as_json=as_json)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for name in ("receipts", "reversals"):
        yield f"{name} of {document['branch']} on {document['on']}"
        rows = [one | {"stands": "yes" if one["stands"] else "reversed"} for one in document[name]]
        yield from table(rows, COLUMNS, left=4) if rows else ["none"]
    yield from table([{"currency": code} | total for code, total in document["totals"].items()], TOTALS)
