"""Loans that run at a period end and have not been valued for it."""

from datetime import date
from typing import Any

from services.ledger.engine.account import Loan, decode_loan
from services.ledger.engine.methods import NONE
from services.ledger.valuation.running import VALUED, may_run

_LOANS = "SELECT state FROM loan WHERE loan >= 0"
# Loans with a valuation of the period end, whatever has become of them since.
_VALUED = """
SELECT DISTINCT loan_id FROM event JOIN loan USING (partition, loan)
WHERE effective_date = $1 AND booking_date > $1 AND position($2 IN record) > 0
"""


async def unvalued(connection: Any, end: date) -> list[dict[str, Any]]:
    """They in order, each with the period end that it was valued for last. Reads every loan, and no history: what a
    valuation run finds may be fewer, where a loan had ended by facts of earlier value dates."""
    found: list[Loan] = []
    async for row in connection.cursor(_LOANS, prefetch=10_000):
        loan = decode_loan(row["state"])
        if may_run(loan, end.toordinal()) and loan.accounting != NONE and not _is_valued(loan, end):
            found.append(loan)
    valued = {row["loan_id"] for row in await connection.fetch(_VALUED, end, VALUED)} if found else set()
    return [
        {"loan_id": loan.loan_id, "valued_for": loan.valued and date.fromordinal(loan.valued.period_end).isoformat()}
        for loan in sorted(found, key=lambda one: one.loan_id)
        if loan.loan_id not in valued
    ]


def _is_valued(loan: Loan, end: date) -> bool:
    return loan.valued is not None and loan.valued.period_end == end.toordinal()
