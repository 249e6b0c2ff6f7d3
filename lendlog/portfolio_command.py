"""`lendlog portfolio`: portfolio at risk, classes, non-performing loans and concentration as of a closed date."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, reading
from lendlog.signals import run_to_end


def command(
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A closed business date; without it the last one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show portfolio at risk, classes, non-performing loans and concentration, by currency."""
    document = run_to_end(_portfolio(as_of.date() if as_of else None))
    emit(document, _lines(document), as_json=as_json)


async def _portfolio(as_of: date | None) -> dict[str, Any]:
    from services.monitoring.queries import portfolio

    async with reading("monitoring") as (_, connection):
        return await portfolio(connection, as_of)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"as of {document['as_of']}, classes by {document['policy']}"
    for code, figures in document["currencies"].items():
        yield f"{code}: {figures['loans']} loans, {figures['outstanding']} outstanding"
        shares = {name: value for name, value in figures.items() if isinstance(value, dict) and "ratio" in value}
        shares |= figures["classes"]
        for name, share in shares.items():
            yield f"  {name:<16}{share['loans']:>6} loans {share['amount']:>18}  {share['ratio']}"
        for name, found in figures["concentration"].items():
            largest = found["largest"][0] if found["largest"] else {"name": "none", "ratio": "0"}
            yield f"  {name:<16}{found['count']:>6}, the largest {largest['name']} with {largest['ratio']}"
