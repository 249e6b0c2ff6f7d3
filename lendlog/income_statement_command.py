"""`lendlog income-statement`: income and expenses between two dates."""

from collections.abc import Iterator
from typing import Any

from lendlog.books import AsJson, emit
from lendlog.tables import table
from lendlog.two_dates import By, Effective, From, Known, Named, To, head, late, late_lines, of_period
from services.ledger import queries


def command(
    period: Named = None,
    opens: From = None,
    to: To = None,
    by: By = None,
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Show income, expenses and the result of a period by currency, and the late facts among them."""
    document = of_period(queries.income_statement, period, opens, to, by, known, effective)
    emit(document, _lines(document), as_json=as_json)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        for kind in ("income", "expense"):
            yield ""
            yield f"{code} {kind}: {one[f'total_{kind}']}"
            yield from table(one[kind], ("code", "account", "amount", "late"))
        yield f"{code} result: {one['result']}, of which {late(document)}: {one['late_result']}"
    yield from late_lines(document)
