"""`lendlog movements`: what each account moved by between two dates."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lendlog.books import AsJson, emit
from lendlog.tables import table
from lendlog.two_dates import By, Effective, From, Known, Named, To, head, late, late_lines, of_period
from services.ledger import queries

COLUMNS = ("code", "account", "opening", "debit", "credit", "late_debit", "late_credit", "closing")


def command(
    period: Named = None,
    opens: From = None,
    to: To = None,
    by: By = None,
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Show opening, movements and closing of every account by currency, and the late facts among them."""
    document = of_period(queries.movements, period, opens, to, by, known, effective)
    emit(document, _lines(document), as_json=as_json)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        yield ""
        yield f"{code}:"
        yield from table(one["accounts"], COLUMNS)
        if moved := [row for row in one["accounts"] if Decimal(row["late_debit"]) or Decimal(row["late_credit"])]:
            yield ""
            yield f"{code}, of which {late(document)}:"
            yield from table(moved, ("account", "late_debit", "late_credit"))
    yield from late_lines(document)
