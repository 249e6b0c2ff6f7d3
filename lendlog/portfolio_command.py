"""`lendlog portfolio`: portfolio at risk, classes, non-performing loans and concentration as of a closed date."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, reading
from lendlog.services import schemas_of
from lendlog.signals import run_to_end
from lendlog.two_dates import day, head
from shared.database import connect
from shared.settings import ServiceSettings


def command(
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A closed business date; without it the last one.")
    ] = None,
    known: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As booked on dates up to this one; else --as-of.")
    ] = None,
    effective: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of value dates up to this one; else --as-of.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show portfolio at risk, classes, non-performing loans and concentration, by currency: as a report of a date told
    it, or, with an earlier --effective, what came to be known of that date (every loan is folded anew then)."""
    document = run_to_end(_portfolio(day(as_of), day(known), day(effective)))
    emit(document, _lines(document), as_json=as_json)


async def _portfolio(as_of: date | None, known: date | None, effective: date | None) -> dict[str, Any]:
    from lendlog.portfolio_at import portfolio_at
    from services.monitoring.queries import closed_dates, portfolio

    async with reading("monitoring") as (platform, connection):
        known, effective = await closed_dates(connection, as_of, known, effective)
        if effective >= known:
            return await portfolio(connection, known=known, effective=effective)
        books = await connect(platform.url("reader"), schemas_of("ledger", ServiceSettings()).schema)
        try:
            return await portfolio_at(connection, books, known=known, effective=effective)
        finally:
            await books.close()


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"{head(document)}, classes by {document['policy']}"
    for code, figures in document["currencies"].items():
        yield f"{code}: {figures['loans']} loans, {figures['outstanding']} outstanding"
        shares = {name: value for name, value in figures.items() if isinstance(value, dict) and "ratio" in value}
        shares |= figures["classes"]
        for name, share in shares.items():
            yield f"  {name:<16}{share['loans']:>6} loans {share['amount']:>18}  {share['ratio']}"
        for name, found in figures["concentration"].items():
            largest = found["largest"][0] if found["largest"] else {"name": "none", "ratio": "0"}
            yield f"  {name:<16}{found['count']:>6}, the largest {largest['name']} with {largest['ratio']}"
