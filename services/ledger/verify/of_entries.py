"""Checks of what people book and close: four eyes on every manual entry, nothing in a period after its close."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from services.ledger.engine.entries import lines_of, year_lines_of
from services.ledger.engine.journal import Journal
from services.ledger.reading import read
from services.ledger.verify.rows import Books, Event, Finding, Posting
from shared.events.entries import JournalEntryApproved, JournalEntryProposed, PeriodClosed, YearClosed
from shared.merkle import record_of


def booked_entries(events: Iterable[Event]) -> Iterator[Journal]:
    """The lines of approved manual entries among events, and of closes of a year. Raises what an event that can't be
    read raises."""
    for event in events:
        found = _named(event, b"JournalEntryApproved") or _named(event, b"YearClosed")
        if isinstance(found, JournalEntryApproved):
            yield lines_of(found.data.lines, event.effective.toordinal())
        elif isinstance(found, YearClosed):
            yield year_lines_of(found.data, event.effective.toordinal())


def entries_were_proposed_and_approved_by_two(books: Books) -> Iterator[Finding]:
    """An approved entry is as it was proposed for the same subject before, and who approved it is not who made it."""
    for events in books.events_by_loan.values():
        proposals: dict[str, JournalEntryProposed] = {}
        for event in events:
            found = _named(event, b"JournalEntry")
            if isinstance(found, JournalEntryProposed):
                proposals[found.id] = found
            elif isinstance(found, JournalEntryApproved):
                problem = _unlike(found, proposals.get(found.data.entry_id))
                if problem is not None:
                    yield Finding("event", books.at(event.offset), problem)


def _unlike(approved: JournalEntryApproved, proposed: JournalEntryProposed | None) -> str | None:
    entry = approved.data
    if entry.maker == entry.checker:
        return f"the entry was made and approved by {entry.maker!r}"
    if proposed is None:
        return f"the entry {entry.entry_id} was approved, and never proposed"
    said = proposed.data.model_dump(exclude={"value_date"})
    if approved.effectivedate != proposed.data.value_date or entry.model_dump(exclude={"entry_id", "checker"}) != said:
        return f"the entry {entry.entry_id} is not as it was proposed"
    return None


def postings_are_in_open_periods(books: Books) -> Iterator[Finding]:
    """Closed periods are what events closed, in order and once their dates had ended; a posting says from when on
    periods were open when it was booked."""
    closes = [
        (event, found.data.period_end)
        for event in books.sound_events
        if event.loan is None and isinstance(found := _named(event, b"PeriodClosed"), PeriodClosed)
    ]
    last = date.min
    for event, end in closes:
        if not last < end < event.booked:
            yield Finding("event", books.at(event.offset), f"a period was closed up to {end}, after {last}")
        last = end
    rows = {(row["offset"], row["period_end"]) for row in books.tables.periods}
    for offset, _end in sorted(rows ^ {(event.offset, end) for event, end in closes}):
        yield Finding("closed_period", books.at(offset), "the row is not what an event closed")
    periods = [(event.booked, event.offset, end + timedelta(days=1)) for event, end in closes]
    for posting in books.tables.postings:
        least, most = _bounds(periods, posting)
        if not least <= posting.open_from <= most:
            problem = f"open_from is {posting.open_from}, periods were open from {least}"
            yield Finding("posting", books.line(posting), problem, "open_from")


def _bounds(periods: Sequence[tuple[date, int, date]], posting: Posting) -> tuple[date, date]:
    """From when on periods were open at least, and at most: what was released on the date of a close has an offset
    before it, and was booked before or after it."""
    least = most = date.min
    for closed, offset, following in periods:
        if posting.booked >= closed:
            most = following
            if posting.booked > closed or posting.offset > offset:
                least = following
    return least, most


def _named(event: Event, name: bytes) -> Any:
    """The event, where its record has the name in it; cheap where it has not."""
    return read(record_of(event.record)) if name in event.record else None
