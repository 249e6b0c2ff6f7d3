"""`lendlog movements`: what each account moved by between two dates."""

from collections.abc import Iterator
from typing import Any

from lendlog.books import AsJson, emit
from lendlog.tables import table
from lendlog.two_dates import By, Effective, From, Known, To, head, late_lines, of_period
from services.ledger import queries

COLUMNS = ("code", "account", "opening", "debit", "credit", "late_debit", "late_credit", "closing")


def command(
    opens: From,
    to: To,
    by: By = "booking",
    known: Known = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Show opening, movements and closing of every account by currency, and the late facts among them."""
    document = of_period(queries.movements, opens, to, by, known, effective)
    emit(document, _lines(document), as_json=as_json)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        yield ""
        yield f"{code}:"
        yield from table(one["accounts"], COLUMNS)
    yield from late_lines(document)
