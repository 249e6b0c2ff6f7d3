"""Manual entries: which lines may be booked (the chart's control accounts may not be touched by hand)."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.ledger.engine.accounts import MANUAL, NAMES
from services.ledger.engine.journal import Journal, JournalLine
from services.ledger.engine.opening import in_minor_units
from shared.errors import InvariantBroken
from shared.events.entries import ApprovedEntry, EntryLine

NUMBERS: Mapping[str, int] = {name: number for number, name in NAMES.items()}


def entry_lines(entry: ApprovedEntry, effective: int, *, today: int, open_from: date) -> Journal:
    """The journal lines of an approved entry with the value date `effective`, booked on `today` (ordinals). `open_from`
    is the first date of the periods that are open. Raises InvariantBroken."""
    if entry.maker == entry.checker:
        raise InvariantBroken(f"an entry that {entry.maker!r} both made and approved")
    if effective > today:
        raise InvariantBroken(f"an entry with the value date {date.fromordinal(effective)}, which is still to come")
    if effective < open_from.toordinal():
        raise InvariantBroken(f"an entry with the value date {date.fromordinal(effective)}, in a period that is closed")
    return lines_of(entry.lines, effective)


def lines_of(lines: Sequence[EntryLine], effective: int) -> Journal:
    """The same of the lines alone. Raises InvariantBroken."""
    journal: Journal = []
    for line in lines:
        debit, credit = _manual(line.debit), _manual(line.credit)
        if debit == credit:
            raise InvariantBroken(f"an entry line with {line.debit} on both sides")
        amount, currency = in_minor_units(line.amount, line.currency)
        journal.append(JournalLine(debit, credit, amount, currency, effective))
    return journal


def _manual(name: str) -> int:
    number = NUMBERS.get(name)
    if number is None:
        raise InvariantBroken(f"an entry on {name!r}, which is no account")
    if number not in MANUAL:
        raise InvariantBroken(f"an entry on {name}, which only the loans themselves move")
    return number
