"""`lendlog balance LOAN`: what is booked for a loan, by account."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, reading
from lendlog.loan_reading import SIDES
from lendlog.loan_reading import known as found
from lendlog.signals import run_to_end
from lendlog.tables import table
from lendlog.two_dates import Effective, Known, day, head
from services.ledger import queries


def command(
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan's id.")],
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Show what is booked for a loan on each account, as known on one date and effective on another."""
    document = run_to_end(_balances(loan_id, day(known), day(effective)))
    emit(document, _lines(document), as_json=as_json)


async def _balances(loan_id: str, known: date | None, effective: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        return found(loan_id, await queries.balances_view(connection, loan_id, known=known, effective=effective))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        yield ""
        yield f"{code}:"
        yield from table(one["accounts"], SIDES)
