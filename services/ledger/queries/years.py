"""The close of a year: what its accounts of income and expense ended with, and the entry that clears them."""

from datetime import date
from typing import Any

from services.ledger.engine.accounts import INCOME_SUMMARY, NAMES, RETAINED_EARNINGS
from services.ledger.engine.entries import RESULT
from services.ledger.queries.periods import BooksBehind
from services.ledger.queries.reports import closed_through
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.tallies import Tally, tally
from shared.events.entries import EntryLine
from shared.money import decimal_text

# What moved income and expense up to an accounting date, and all that the closes of earlier years took of it.
_RESULT = """
SELECT currency, debit, credit, sum(amount) AS amount FROM posting
WHERE (debit = ANY($1::smallint[]) OR credit = ANY($1::smallint[]))
  AND (greatest(effective_date, open_from) <= $2 OR $3 IN (debit, credit))
GROUP BY currency, debit, credit
"""


async def closing_lines(connection: Any, year_end: date) -> tuple[EntryLine, ...]:
    """The lines that take what accounts of income and expense ended a closed year with to retained earnings; exact and
    final, since nothing is accounted in a closed period any more. Raises BooksBehind."""
    async with snapshot(connection):
        ended = await closed_through(connection)
        if ended is None or ended < year_end:
            raise BooksBehind(f"The books have not closed the period that ends on {year_end}: ask again.", field="year")
        return lines_of_result(tally(await connection.fetch(_RESULT, sorted(RESULT), year_end, INCOME_SUMMARY)))


def lines_of_result(found: Tally) -> tuple[EntryLine, ...]:
    """Each account of income and expense against income summary, then that against retained earnings, by currency."""
    lines = []
    for code, sides in found.items():
        total = 0
        for role, (debit, credit) in sides.items():
            if role in RESULT and debit != credit:
                lines.append(_line(role, INCOME_SUMMARY, credit - debit, code))
                total += credit - debit
        if total:
            lines.append(_line(INCOME_SUMMARY, RETAINED_EARNINGS, total, code))
    return tuple(lines)


def _line(debit: int, credit: int, amount: int, code: str) -> EntryLine:
    """A pair; with an amount below zero its sides are changed."""
    first, second = (debit, credit) if amount > 0 else (credit, debit)
    return EntryLine(debit=NAMES[first], credit=NAMES[second], amount=decimal_text(abs(amount), code), currency=code)
