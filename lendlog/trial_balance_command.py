"""`lendlog trial-balance`: debits and credits of the whole book."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import typer

from lendlog.books import AsJson, emit, reading
from lendlog.loan_reading import SIDES
from lendlog.reconcile_command import lender
from lendlog.signals import run_to_end
from lendlog.tables import table
from lendlog.two_dates import AsOf, Known, Named, Placed, day, head, placed_lines
from services.ledger import queries
from services.ledger.bank.cash_at import cash_at_accounts, with_balances
from services.ledger.periods import PeriodNotNamed, period_named


def command(
    as_of: AsOf = None,
    known: Known = None,
    period: Named = None,
    bank_accounts: Placed = False,
    as_json: AsJson = False,
) -> None:
    """Show debits, credits and balance of every account by currency; exit code 1 if they don't balance."""
    if period is not None and as_of is not None:
        raise PeriodNotNamed("A period has value dates of its own: leave --as-of out.")
    through = period_named(period).last if period is not None else None
    document = run_to_end(_trial_balance(day(as_of), day(known), through, placed=bank_accounts))
    emit(document, _lines(document), as_json=as_json)
    if not balances(document):
        raise typer.Exit(1)


def balances(document: dict[str, Any]) -> bool:
    """Whether debits equal credits in every currency."""
    return not any(Decimal(one["difference"]) for one in document["currencies"].values())


async def _trial_balance(
    effective: date | None, known: date | None, through: date | None, *, placed: bool
) -> dict[str, Any]:
    async with reading() as (_, connection), queries.snapshot(connection):
        found = await queries.trial_balance(connection, known=known, effective=effective, through=through)
        return with_balances(found, await cash_at_accounts(connection, lender(), known)) if placed else found


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield head(document)
    for code, one in document["currencies"].items():
        yield ""
        yield f"{code}: debits {one['debits']}, credits {one['credits']}, difference {one['difference']}"
        yield from table(one["accounts"], SIDES)
        yield from placed_lines(one, SIDES[2:])
