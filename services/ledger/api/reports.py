"""Routes of balances and of reports on the whole book, as known on one date and effective on another."""

from typing import Annotated, Any

from fastapi import Query

from services.ledger import queries
from services.ledger.api.reading import After, Effective, Known, Loan, reading, wait_for
from services.ledger.api.serving import Calling
from shared.api import Day, Route

From = Annotated[Day, Query(alias="from", description="The first date of the period.")]
To = Annotated[Day, Query(description="Its last date.")]
Axis = Annotated[queries.By, Query(description="Which of the two dates of a posting the period is of.")]


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
    call: Calling, known: Known = None, effective: Effective = None, after: After = None
) -> dict[str, Any]:
    """Debits, credits and balance of every account, by currency."""
    await wait_for(call.services, after)
    async with call.services.ledger.acquire() as connection:
        return await queries.trial_balance(connection, known=known, effective=effective)


async def movements(
    call: Calling,
    opens: From,
    to: To,
    by: Axis = "booking",
    known: Known = None,
    effective: Effective = None,
) -> dict[str, Any]:
    """What each account moved by in a period, and the facts of earlier value dates that were booked in it."""
    async with call.services.ledger.acquire() as connection:
        return await queries.movements(connection, opens=opens, closes=to, by=by, known=known, effective=effective)


async def income_statement(
    call: Calling,
    opens: From,
    to: To,
    by: Axis = "booking",
    known: Known = None,
    effective: Effective = None,
) -> dict[str, Any]:
    """Income and expenses of a period."""
    async with call.services.ledger.acquire() as connection:
        return await queries.income_statement(
            connection, opens=opens, closes=to, by=by, known=known, effective=effective
        )


REPORT_ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/loans/{loan_id}/balances", loan_balances),
    ("GET", "/v1/trial-balance", trial_balance),
    ("GET", "/v1/movements", movements),
    ("GET", "/v1/income-statement", income_statement),
)
