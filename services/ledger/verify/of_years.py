"""A check across partitions: the close of a year takes what its accounts of income and expense ended with.

Its lines stand on one partition, what they clear was booked on all of them. Nothing is accounted in a closed period any
more, so that the figures can be reckoned again at any time later, once every partition has closed the year's last one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from services.ledger.engine.accounts import INCOME_SUMMARY, NAMES
from services.ledger.engine.entries import RESULT, year_lines_of
from services.ledger.engine.journal import Journal
from services.ledger.reading import read
from services.ledger.verify.rows import Books, Finding
from shared.events.entries import YearClosed
from shared.merkle import record_of
from shared.money import code_of

NAME = "years"
Result = Counter[tuple[int, int]]
"""Debits less credits in minor units by currency and account of income or expense."""


@dataclass(slots=True)
class Years:
    """What is gathered from the partitions."""

    moved: dict[date, Result] = field(default_factory=dict)
    """By accounting date, without what closes of years moved."""
    closes: list[tuple[date, Journal, dict[str, int | str]]] = field(default_factory=list)
    """Year end, lines, and the key of the event."""
    ended: list[date] = field(default_factory=list)
    """The last date of the last closed period, by partition."""


def take(found: Years, books: Books) -> None:
    """Gather what the next partition has."""
    found.ended.append(max((row["period_end"] for row in books.tables.periods), default=date.min))
    for row in books.tables.postings:
        if INCOME_SUMMARY not in (row.debit, row.credit) and (row.debit in RESULT or row.credit in RESULT):
            day = max(row.effective, row.open_from)
            _add(found.moved.setdefault(day, Counter()), row.debit, row.credit, row.currency, row.amount)
    for event in books.sound_events:
        if b"YearClosed" in event.record and isinstance(closed := read(record_of(event.record)), YearClosed):
            lines = year_lines_of(closed.data, event.effective.toordinal())
            found.closes.append((closed.data.year_end, lines, books.at(event.offset)))


def wrong(found: Years) -> Iterator[Finding]:
    """Closes whose lines are not what was on the accounts."""
    taken: Result = Counter()
    for end, lines, at in sorted(found.closes, key=lambda one: one[0]):
        for line in lines:
            _add(taken, line.debit, line.credit, line.currency, line.amount)
        if min(found.ended) < end:
            continue
        left = Counter(taken)
        for day, moved in found.moved.items():
            if day <= end:
                left.update(moved)
        for (currency, account), amount in sorted(left.items()):
            if amount:
                problem = f"the close of {end} leaves {amount} minor units of {code_of(currency)} on {NAMES[account]}"
                yield Finding("event", at, problem)


def _add(sums: Result, debit: int, credit: int, currency: int, amount: int) -> None:
    for account, signed in ((debit, amount), (credit, -amount)):
        if account in RESULT:
            sums[currency, account] += signed
