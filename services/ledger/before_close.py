"""What somebody who closes a period is shown: what becomes final, and what is still open."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.ledger import queries
from services.ledger.bank.lender import Lender
from services.ledger.bank.reading import account_states
from services.ledger.bank.views import OPEN, line_documents
from services.ledger.commands import LedgerCommands
from services.ledger.periods import Period
from services.ledger.queries.snapshots import snapshot
from services.ledger.valuation.unvalued import unvalued

EXAMPLES_MAX = 20
"""What is open of each kind is counted; so many are shown."""
_OF_LINE = ("line_id", "account", "booked_on", "outcome", "amount", "currency")


async def before_close(commands: LedgerCommands, books: Any, lender: Lender, period: Period) -> dict[str, Any]:
    """`queries.closing_report`, and besides what is open in its books: loans without a valuation of its end, bank lines
    about which a person has to decide, entries that wait for a second person (once it is closed they can only be
    declined). Each kind with its count and the first of them; none of it stops a close. Nothing for a period that is
    not over, which the command's own rules refuse. Raises BooksBehind, BooksUnbalanced."""
    opened = await commands.open_date()
    if opened is None or period.last >= opened:
        return {}
    async with snapshot(books):
        report = await queries.closing_report(books, period)
        found = report["open_issues"] | {
            "unvalued": await unvalued(books, period.last),
            "bank_lines": await _bank_lines(books, lender, period.last),
        }
    found["entries"] = await commands.entries(waiting=True, through=period.last)
    return report | {"open_issues": {name: _shown(rows) for name, rows in found.items()}}


async def _bank_lines(books: Any, lender: Lender, end: date) -> list[dict[str, Any]]:
    lines = line_documents(await account_states(books, lender), None, None)
    return [
        {name: line[name] for name in _OF_LINE}
        for line in lines
        if line["outcome"] in OPEN and line["booked_on"] <= end.isoformat()
    ]


def _shown(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(rows), "examples": list(rows[:EXAMPLES_MAX])}
