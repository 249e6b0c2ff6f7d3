"""`lendlog rate publish|list`: values of reference rates."""

from datetime import date, datetime
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from lendlog.books import AsJson, emit, fields, reading, recording
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger import queries
from services.ledger.commands import PublishRate
from shared.errors import MissingPrecondition
from shared.events.envelope import new_event_id
from shared.events.terms import RateIndex, SignedRate

command = typer.Typer(no_args_is_help=True, help="Publish reference rates, and list them.")
COLUMNS = ("index", "from_date", "annual_rate", "published_on")


@command.command()
def publish(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="Such as CN-LPR-1Y.")],
    from_date: Annotated[
        datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The first date on which it is in force.")
    ],
    annual_rate: Annotated[str, typer.Argument(metavar="RATE", help="A decimal fraction: 0.0310 is 3.10 % a year.")],
    as_json: AsJson = False,
) -> None:
    """State the value of a reference rate from DATE on; return once that is in the books."""
    _require(TypeAdapter(RateIndex), index, "an index, such as CN-LPR-1Y")
    _require(TypeAdapter(SignedRate), annual_rate, "a rate, such as 0.0310 for 3.10 % a year")
    document = run_to_end(_publish(index, from_date.date(), annual_rate))
    emit(document, fields(document), as_json=as_json)


@command.command("list")
def list_all(
    index: Annotated[str | None, typer.Argument(metavar="[INDEX]", help="Only this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is published, in order of index and date."""
    rows = run_to_end(_all(index))
    emit({"rates": rows}, table(rows, COLUMNS) if rows else ["no rate is published"], as_json=as_json)


def _require(kind: TypeAdapter[str], text: str, what: str) -> None:
    try:
        kind.validate_python(text)
    except ValidationError:
        raise MissingPrecondition(f"{text[:40]!r} is not {what}.") from None


async def _publish(index: str, from_date: date, annual_rate: str) -> dict[str, Any]:
    async with recording() as desk:
        recorded = await desk.record([PublishRate(index, from_date, annual_rate, new_event_id())])
        rate = {"index": index, "from_date": from_date.isoformat(), "annual_rate": annual_rate}
        return rate | {"event_id": recorded[0].event_id}


async def _all(index: str | None) -> list[dict[str, Any]]:
    async with reading() as (_, connection):
        return await queries.rates_view(connection, index)
