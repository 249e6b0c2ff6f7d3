"""The portfolio of value dates: the ledger's loans as known on one date and effective on an earlier one, each with the
industry and region that monitoring knew.

Monitoring keeps each loan as it was known at the end of a booking date, which is what a report of that date said. What
that date would look like with money that came in late for it, only the ledger's facts tell.
"""

from datetime import date
from typing import Any

from services.ledger import queries as ledger
from services.ledger.engine.account import STATUS, UNKNOWN, Loan
from services.ledger.engine.accounts import CREDIT_LOSS, FRAUD_LOSS, LOANS_RECEIVABLE
from services.ledger.engine.journal import Journal
from services.monitoring import queries as monitoring
from services.monitoring.portfolio import Position, portfolio
from shared.money import code_of

LOSSES = (CREDIT_LOSS, FRAUD_LOSS)


async def portfolio_at(watched: Any, books: Any, *, known: date, effective: date) -> dict[str, Any]:
    """The portfolio on `effective`, before `known`, both closed. `watched` and `books`: connections on monitoring's
    schema and on the ledger's. The form is that of `services.monitoring.queries.portfolio`."""
    traits = await monitoring.traits(watched, known)
    dates = ledger.Dates(known, effective)
    positions = [
        position_of(loan, journal, dates.day, *traits.get(loan.loan_id, ("unknown", "unknown")))
        async for loan, journal in ledger.loans_at(books, dates)
        if loan.status != UNKNOWN
    ]
    return portfolio(positions, dates.day) | dates.document()


def position_of(loan: Loan, journal: Journal, day: date, industry: str, region: str) -> Position:
    """A folded loan as a position, at the end of the day."""
    since = loan.past_due_since(day.toordinal() + 1)  # what fell due on the day is unpaid at its end
    lost = [line for line in journal if line.credit == LOANS_RECEIVABLE and line.debit in LOSSES]
    regained = [line for line in journal if line.debit == LOANS_RECEIVABLE and line.credit in LOSSES]
    return Position(
        loan_id=loan.loan_id,
        borrower_id=loan.borrower_id or "",
        currency=code_of(loan.currency),
        principal=loan.principal_outstanding,
        past_due_since=_day(since),
        industry=industry,
        region=region,
        status=STATUS[loan.status],
        restructured=loan.restructured,
        watched_until=_day(loan.watched_until),
        charged_off_on=_day(loan.charged_off),
        written_off=sum(line.amount for line in lost) - sum(line.amount for line in regained),
    )


def _day(ordinal: int | None) -> date | None:
    return date.fromordinal(ordinal) if ordinal else None
