"""`lendlog movements`: what each account moved by between two dates."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lendlog.books import AsJson, emit
from lendlog.reconcile_command import lender
from lendlog.tables import table
from lendlog.two_dates import (
    By,
    Effective,
    From,
    Known,
    Named,
    Placed,
    To,
    head,
    late,
    late_lines,
    of_period,
    placed_lines,
)
from services.ledger import queries
from services.ledger.bank.cash_at import cash_at_accounts, with_movements

COLUMNS = ("code", "account", "opening", "debit", "credit", "late_debit", "late_credit", "closing")


def command(
    period: Named = None,
    opens: From = None,
    to: To = None,
    by: By = None,
    known: Known = None,
    effective: Effective = None,
    bank_accounts: Placed = False,
    as_json: AsJson = False,
) -> None:
    """Show opening, movements and closing of every account by currency, and the late facts among them."""
    document = of_period(_placed if bank_accounts else queries.movements, period, opens, to, by, known, effective)
    emit(document, _lines(document), as_json=as_json)


async def _placed(connection: Any, **asked: Any) -> dict[str, Any]:
    async with queries.snapshot(connection):
        found = await queries.movements(connection, **asked)
        return with_movements(found, await cash_at_accounts(connection, lender(), asked["known"]))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        yield ""
        yield f"{code}:"
        yield from table(one["accounts"], COLUMNS)
        yield from placed_lines(one, ("opening", "debit", "credit", "closing"))
        if moved := [row for row in one["accounts"] if Decimal(row["late_debit"]) or Decimal(row["late_credit"])]:
            yield ""
            yield f"{code}, of which {late(document)}:"
            yield from table(moved, ("account", "late_debit", "late_credit"))
    yield from late_lines(document)
