"""Manual entries, and the close of a year: which lines may be booked."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.ledger.engine.accounts import INCOME_SUMMARY, MANUAL, NAMES, RETAINED_EARNINGS
from services.ledger.engine.journal import Journal, JournalLine
from services.ledger.engine.opening import in_minor_units
from shared.errors import InvariantBroken
from shared.events.entries import ApprovedEntry, EntryLine, YearEnd

NUMBERS: Mapping[str, int] = {name: number for number, name in NAMES.items()}
RESULT = frozenset(number for number in NAMES if number // 1000 in (4, 5))
"""Accounts of income and expense."""


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


def year_lines(data: YearEnd, effective: int, *, open_from: date) -> Journal:
    """The journal lines of the close of a year, with the value date `effective`. Raises InvariantBroken."""
    if effective != data.year_end.toordinal():
        raise InvariantBroken(f"the close of a year that ends on {data.year_end}, with another value date")
    if data.year_end >= open_from:
        raise InvariantBroken(f"the close of a year whose last date {data.year_end} is in a period that is open")
    return year_lines_of(data, effective)


def year_lines_of(data: YearEnd, effective: int) -> Journal:
    """The same of the lines alone: income and expense against income summary, which ends with nothing, since retained
    earnings take it. Raises InvariantBroken."""
    journal: Journal = []
    summary: dict[int, int] = {}
    for line in data.lines:
        debit, credit = NUMBERS.get(line.debit, 0), NUMBERS.get(line.credit, 0)
        (other,) = {debit, credit} - {INCOME_SUMMARY} if INCOME_SUMMARY in (debit, credit) and debit != credit else {0}
        if other != RETAINED_EARNINGS and other not in RESULT:
            raise InvariantBroken(f"the close of a year with {line.debit} against {line.credit}")
        amount, currency = in_minor_units(line.amount, line.currency)
        journal.append(JournalLine(debit, credit, amount, currency, effective))
        summary[currency] = summary.get(currency, 0) + (amount if debit == INCOME_SUMMARY else -amount)
    if any(summary.values()):
        raise InvariantBroken("the close of a year that leaves something on income-summary")
    return journal
