"""Every loan as known on one date and effective on another: the book folded anew."""

from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any

from services.ledger.engine.account import Loan
from services.ledger.engine.folding import fold
from services.ledger.engine.journal import Journal
from services.ledger.queries.aside import parked_rows
from services.ledger.queries.loans import Stored, told_before
from services.ledger.queries.rates import rates_in
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.two_dates import Dates, facts_at

_POSITIONS = "SELECT partition, open_date, resume_loan FROM position ORDER BY partition"
_LOANS = "SELECT loan, loan_id FROM loan WHERE partition = $1 AND loan >= 0 ORDER BY loan"
# What was booked of some loans by a date, in the order in which it was folded.
_HISTORIES = """
SELECT loan, "offset", event_id, effective_date, booking_date, record FROM event
WHERE partition = $1 AND loan = ANY($2::bigint[]) AND booking_date <= $3 ORDER BY loan, booking_date, "offset"
"""
_AT_ONCE = 1_000
"""Loans whose events are read together: a book's are more than fits into memory."""


async def loans_at(connection: Any, dates: Dates) -> AsyncIterator[tuple[Loan, Journal]]:
    """Each loan of which something was booked by then, folded from the facts that count on both dates, as `loan_view`
    has one of them; and its journal. Less than a millisecond a loan, for all of the book."""
    async with snapshot(connection):
        parked = {row["loan_id"]: row for row in await parked_rows(connection)}
        for position in await connection.fetch(_POSITIONS):
            names = [(row["loan"], row["loan_id"]) for row in await connection.fetch(_LOANS, position["partition"])]
            rates = await rates_in(connection, position["partition"])
            for start in range(0, len(names), _AT_ONCE):
                some = dict(names[start : start + _AT_ONCE])
                rows = await connection.fetch(_HISTORIES, position["partition"], list(some), dates.known)
                for number, history in groupby(rows, key=lambda row: row["loan"]):
                    loan_id, opened = some[number], position["open_date"]
                    stored = Stored(
                        position["partition"],
                        opened.toordinal() if opened else None,
                        position["resume_loan"],
                        Loan(number, loan_id),
                        parked.get(loan_id),
                    )
                    facts = facts_at(list(history), dates, rates)
                    yield fold(number, loan_id, facts, before=told_before(stored, dates))
