"""`lendlog payoff LOAN --on DATE`: what ends a loan."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.loan_reading import known as known_loan
from lendlog.signals import run_to_end
from lendlog.two_dates import Effective, Known, day
from services.ledger import queries


def command(
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan's id.")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day of the payment, also one to come.")],
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Print what ends the loan if it is paid on that day: by what is known now, or as a quote of another day had it."""
    document = run_to_end(_payoff(loan_id, on.date(), day(known), day(effective)))
    emit(document, fields(document), as_json=as_json)


async def _payoff(loan_id: str, on: date, known: date | None, effective: date | None) -> dict[str, Any]:
    async with reading() as (_, connection):
        quote = await queries.payoff_view(connection, loan_id, on=on, known=known, effective=effective)
        return known_loan(loan_id, quote)
