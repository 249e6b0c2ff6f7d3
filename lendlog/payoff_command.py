"""`lendlog payoff LOAN --on DATE`: what ends a loan."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.loan_reading import known
from lendlog.signals import run_to_end
from services.ledger import queries


def command(
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan's id.")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day of the payment, also one to come.")],
    as_json: AsJson = False,
) -> None:
    """Print what ends the loan if it is paid on that day, by what is known now."""
    document = run_to_end(_payoff(loan_id, on.date()))
    emit(document, fields(document), as_json=as_json)


async def _payoff(loan_id: str, on: date) -> dict[str, Any]:
    async with reading() as (_, connection):
        return known(loan_id, await queries.payoff_view(connection, loan_id, on=on))
