"""What is booked for one loan, by account."""

from datetime import date
from typing import Any

from services.ledger.queries.loans import find
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.tallies import balances_document, tally
from services.ledger.queries.two_dates import dates_within

# The sides of one loan's accounts: a walk along the primary key (loan, offset, n) of its own partition.
_BALANCES = """
SELECT currency, debit, credit, sum(amount) AS amount FROM posting
WHERE partition = $1 AND loan = $2 AND booking_date <= $3 AND effective_date <= $4
GROUP BY currency, debit, credit
"""


async def balances_view(
    connection: Any, loan_id: str, *, known: date | None = None, effective: date | None = None
) -> dict[str, Any] | None:
    """What was booked on each account for the loan, by currency; without what its accrual group has earned and what is
    not yet due. None if the books know nothing of the loan. Raises AsOfAhead."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        opened = date.fromordinal(stored.open_day) if stored.open_day else None
        dates = dates_within(opened, known, effective)
        rows = []
        if stored.state is not None:
            rows = await connection.fetch(
                _BALANCES, stored.partition, stored.state.number, dates.known, dates.effective
            )
    currencies = {code: {"accounts": balances_document(sides, code)} for code, sides in tally(rows).items()}
    return {"loan_id": loan_id, **dates.document(), "currencies": currencies, "parked": stored.parked}
