"""`lendlog income-statement`: income and expenses between two dates."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from lendlog.books import AsJson, emit, reading
from lendlog.signals import run_to_end
from lendlog.tables import table
from lendlog.two_dates import By, Effective, From, Known, To, day, head, late_lines
from services.ledger import queries


def command(
    opens: From,
    to: To,
    by: By = "booking",
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Show income, expenses and the result of a period by currency, and the late facts among them."""
    document = run_to_end(_income(opens.date(), to.date(), by, day(known), day(effective)))
    emit(document, _lines(document), as_json=as_json)


async def _income(
    opens: date, closes: date, by: Literal["booking", "value"], known: date | None, effective: date | None
) -> dict[str, Any]:
    async with reading() as (_, connection):
        return await queries.income_statement(
            connection, opens=opens, closes=closes, by=by, known=known, effective=effective
        )


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        for kind in ("income", "expense"):
            yield ""
            yield f"{code} {kind}: {one[f'total_{kind}']}"
            yield from table(one[kind], ("account", "amount", "late"))
        yield f"{code} result: {one['result']}"
    yield from late_lines(document)
