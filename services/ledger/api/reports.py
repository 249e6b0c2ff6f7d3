"""Routes of balances and of reports on the whole book, as known on one date and effective on another."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query

from services.ledger import queries
from services.ledger.api.reading import After, Effective, Known, Loan, reading, wait_for
from services.ledger.api.serving import Calling
from services.ledger.bank.cash_at import Moved, cash_at_accounts, with_balances, with_movements
from services.ledger.periods import PeriodNotNamed, period_named, period_or_dates
from services.ledger.queries.snapshots import snapshot
from shared.api import Day, Route

From = Annotated[Day | None, Query(alias="from", description="The first date of the period.")]
To = Annotated[Day | None, Query(description="Its last date.")]
Named = Annotated[
    str | None, Query(description="An accounting period, YYYY-MM, by accounting date: once closed it never changes.")
]
Placed = Annotated[bool, Query(description="Cash by the lender's bank accounts, as their lines stand for it.")]
Axis = Annotated[queries.By | None, Query(description="Which date of a posting the period is of; by default booking.")]


async def loan_balances(
    call: Calling, loan_id: Loan, known: Known = None, effective: Effective = None, after: After = None
) -> dict[str, Any]:
    """What was booked on each account for the loan."""
    return await reading(
        call.services,
        loan_id,
        after,
        lambda c: queries.balances_view(c, loan_id, known=known, effective=effective),
    )


async def trial_balance(
    call: Calling,
    known: Known = None,
    effective: Effective = None,
    period: Named = None,
    bank_accounts: Placed = False,
    after: After = None,
) -> dict[str, Any]:
    """Debits, credits and balance of every account, by currency; with `period`, at its end."""
    through = period_named(period).last if period is not None else None
    if through is not None and effective is not None:
        raise PeriodNotNamed("A period has value dates of its own: leave `effective` out.", field="effective")
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection, snapshot(connection):
        found = await queries.trial_balance(connection, known=known, effective=effective, through=through)
        if not bank_accounts:
            return found
        return with_balances(found, await _cash(call, connection, known))


async def movements(
    call: Calling,
    opens: From = None,
    to: To = None,
    period: Named = None,
    by: Axis = None,
    known: Known = None,
    effective: Effective = None,
    bank_accounts: Placed = False,
) -> dict[str, Any]:
    """What each account moved by in a period, and the facts of earlier value dates that were booked in it."""
    asked = _period(opens, to, period, by) | {"known": known, "effective": effective}
    async with call.services.ledger.acquire() as connection, snapshot(connection):
        found = await queries.movements(connection, **asked)
        if not bank_accounts:
            return found
        return with_movements(found, await _cash(call, connection, known))


async def income_statement(
    call: Calling,
    opens: From = None,
    to: To = None,
    period: Named = None,
    by: Axis = None,
    known: Known = None,
    effective: Effective = None,
) -> dict[str, Any]:
    """Income and expenses of a period."""
    asked = _period(opens, to, period, by) | {"known": known, "effective": effective}
    async with call.services.ledger.acquire() as connection:
        return await queries.income_statement(connection, **asked)


async def _cash(call: Calling, connection: Any, known: date | None) -> list[Moved]:
    return await cash_at_accounts(connection, call.services.bank.lender, known, call.services.bank_folds)


def _period(opens: date | None, to: date | None, name: str | None, by: queries.By | None) -> dict[str, Any]:
    first, last, named = period_or_dates(name, opens, to)
    return {"opens": first, "closes": last, "by": by or ("accounting" if named else "booking")}


REPORT_ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/loans/{loan_id}/balances", loan_balances),
    ("GET", "/v1/trial-balance", trial_balance),
    ("GET", "/v1/movements", movements),
    ("GET", "/v1/income-statement", income_statement),
)
