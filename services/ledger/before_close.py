"""What somebody who closes a period is shown: what becomes final, and what is still open."""

from typing import Any

from services.ledger import queries
from services.ledger.commands import LedgerCommands
from services.ledger.periods import Period


async def before_close(commands: LedgerCommands, books: Any, period: Period) -> dict[str, Any]:
    """`queries.closing_report`, and the entries of the period that wait for a second person: once it is closed they can
    only be declined. Nothing for a period that is not over, which the command's own rules refuse. Raises BooksBehind,
    BooksUnbalanced."""
    opened = await commands.open_date()
    if opened is None or period.last >= opened:
        return {}
    report = await queries.closing_report(books, period)
    report["open_issues"]["entries"] = await commands.entries(waiting=True, through=period.last)
    return report
