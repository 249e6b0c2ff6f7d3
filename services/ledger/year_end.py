"""The close of a year: from its name to the command that books its result."""

from datetime import date
from typing import Any

from services.ledger import queries
from services.ledger.commands import LedgerCommands
from services.ledger.commands.entries import require_closable
from services.ledger.commands.model import CloseYear
from shared.errors import Refusal
from shared.events.entries import GENERAL_LEDGER
from shared.events.envelope import derived_event_id


class YearNotNamed(Refusal):
    """A year is four digits."""


def year_closed_id(year_end: date) -> str:
    """The id of the event that closes a year: one, so that no log closes it twice."""
    return derived_event_id(f"year/{year_end}", 0, GENERAL_LEDGER, 0)


def year_named(text: str) -> date:
    """The last date of the year of this name. Raises YearNotNamed."""
    if not (len(text) == 4 and text.isascii() and text.isdecimal() and int(text) in range(1900, 2200)):
        raise YearNotNamed(f"{text[:20]!r} is no year, such as 2025.", field="year")
    return date(int(text), 12, 31)


async def closing_of_year(commands: LedgerCommands, books: Any, year_end: date, by: str) -> CloseYear:
    """The command that closes a year, with the lines that the books give. Raises YearIsClosed, YearNotOver,
    BooksBehind."""
    last = await commands.year_closed()
    require_closable(year_end, await commands.closed_through(), last)
    if last is not None and not await queries.event_is_in(books, year_closed_id(last)):
        raise queries.BooksBehind(f"The close of {last.year} is not in the books yet: ask again a moment later.")
    lines = await queries.closing_lines(books, year_end)
    return CloseYear(year_end, lines, by, last, year_closed_id(year_end))
