"""Checks of the books against themselves: rows have what they refer to, columns say what the states say."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from services.ledger.engine.account import AccrualGroup, Loan, group_id
from services.ledger.engine.accounts import NAMES
from services.ledger.reading import read
from services.ledger.verify.rows import Books, Event, Finding, LoanRow
from shared.errors import Refusal
from shared.events.ledger import BookOpened, ReferenceRatePublished
from shared.merkle import record_of
from shared.money import code_of
from shared.partitioner import partition_for


def events_have_loans(books: Books) -> Iterator[Finding]:
    """An event's loan exists, and is the one that its record names."""
    loans = {row.number: row.loan_id for row in books.tables.loans}
    for event in books.sound_events:
        if event.loan is None:
            continue
        key = record_of(event.record).key
        if event.loan not in loans:
            yield Finding("event", books.at(event.offset), f"loan {event.loan} does not exist")
        elif loans[event.loan].encode() != key:
            yield Finding("event", books.at(event.offset), f"loan {event.loan} is not the one that the record names")


def events_are_dated(books: Books) -> Iterator[Finding]:
    """An event is booked between the first date and the open one; its value date is its own, or that of its arrival."""
    first = _first_date(books)
    for event in books.sound_events:
        at, booked = books.at(event.offset), event.booked
        if first is not None and not first <= booked <= books.tables.position["open_date"]:
            yield Finding("event", at, f"booking_date {booked} is not between {first} and the open date")
        elif event.loan is None:
            if event.effective != booked:
                yield Finding("event", at, f"effective_date is {event.effective}, booking_date {booked}")
        elif (said := _stated(event)) is not None:
            if event.effective != said:
                yield Finding("event", at, f"effective_date is {event.effective}, the record says {said}")
        elif event.effective > booked:
            yield Finding("event", at, f"effective_date {event.effective} is after the booking_date {booked}")


def _first_date(books: Books) -> date | None:
    """The date on which the book was opened, as the log says it."""
    for event in books.sound_events:
        if b"BookOpened" in event.record:
            opened = read(record_of(event.record))
            if isinstance(opened, BookOpened):
                return opened.data.business_date
    return None


def _stated(event: Event) -> Any:
    """The value date that the record itself states, or None."""
    record = record_of(event.record)
    if not record.headers and b"effectivedate" not in (record.value or b""):
        return None
    return read(record).effectivedate


def postings_have_causes(books: Books) -> Iterator[Finding]:
    """A posting has its loan, and its event, which was booked on the same date; its accounts and currency exist."""
    loans = {row.number for row in books.tables.loans}
    events, position = books.events_by_offset, books.tables.position
    closing = position["next_offset"] if position["resume_loan"] is not None else None
    for posting in books.tables.postings:
        event = events.get(posting.offset)
        booked = position["open_date"] if posting.offset == closing else event and event.booked
        problem = None
        if booked is None:
            problem = f"no event stands at offset {posting.offset}"
        elif posting.loan not in loans:
            problem = f"loan {posting.loan} does not exist"
        elif event is not None and event.loan not in (None, posting.loan):
            problem = f"the event at offset {posting.offset} is of loan {event.loan}"
        elif posting.booked != booked:
            problem = f"booking_date is {posting.booked}, its event was booked on {booked}"
        elif posting.debit not in NAMES or posting.credit not in NAMES or not _is_currency(posting.currency):
            problem = f"{posting.debit}, {posting.credit} or currency {posting.currency} is not known"
        if problem is not None:
            yield Finding("posting", books.line(posting), problem)


def _is_currency(number: int) -> bool:
    try:
        return bool(code_of(number))
    except Refusal:
        return False


def columns_are_the_states(books: Books) -> Iterator[Finding]:
    """The columns of a loan's row say what its state says, and the loan is on its own partition."""
    for row in books.tables.loans:
        key = books.of(row.loan_id)
        match row.state:
            case None:
                yield Finding("loan", key, "state can't be decoded", "state")
            case Loan() as loan:
                said = (loan.number, loan.loan_id, loan.next_action(), loan.as_of)
                has = (row.number, row.loan_id, row.next_action and row.next_action.toordinal(), row.as_of)
                if said != has:
                    names = ("loan", "loan_id", "next_action", "as_of")
                    column = next(name for name, a, b in zip(names, said, has, strict=True) if a != b)
                    yield Finding("loan", key, f"{column} is not what state says", column)
                elif partition_for(row.loan_id.encode(), books.partitions) != books.partition:
                    yield Finding("loan", key, "the loan belongs on another partition")
            case AccrualGroup() as group:
                if not _names(row, group, books.partition):
                    yield Finding("loan", key, "loan or loan_id is not what the group's state says")


def _names(row: LoanRow, group: AccrualGroup, partition: int) -> bool:
    if not _is_currency(group.currency):
        return False
    return (row.number, row.loan_id) == (group.number, group_id(partition, group, code_of(group.currency)))


def suspense_is_what_waits(books: Books) -> Iterator[Finding]:
    """The suspense table holds each payment that waits in a loan's state, and nothing else."""
    waiting = {
        (loan.number, offset): (event_id, amount, currency)
        for loan in books.loans
        for offset, event_id, amount, currency in loan.waiting
    }
    held = {
        (row["loan"], row["offset"]): (str(row["event_id"]), row["amount"], row["currency"])
        for row in books.tables.suspense
    }
    for loan, offset in sorted(waiting.keys() | held.keys()):
        if waiting.get((loan, offset)) != held.get((loan, offset)):
            there = "" if (loan, offset) in held else ": the row is missing"
            key = {"partition": books.partition, "loan": loan, "offset": offset}
            yield Finding("suspense", key, f"not the payment that waits in the loan's state{there}")


def parked_are_held(books: Books) -> Iterator[Finding]:
    """A parked loan is held from its first offset on, nothing of it is booked after that; what is held is parked."""
    parked = {row["loan_id"]: row for row in books.tables.parked_loans}
    first: dict[str, int] = {}
    for row in books.tables.parked_events:
        first.setdefault(row["loan_id"], row["offset"])
        if row["loan_id"] not in parked:
            yield Finding("parked_event", books.at(row["offset"]), f"loan {row['loan_id']} is not parked")
    for loan_id, row in parked.items():
        if first.get(loan_id) != row["first_offset"]:
            problem = f"first_offset is {row['first_offset']}, what is held begins at {first.get(loan_id)}"
            yield Finding("parked_loan", books.of(loan_id), problem)
    for loan in books.loans:
        if (stopped := parked.get(loan.loan_id)) is None:
            continue
        last = max((event.offset for event in books.events_by_loan.get(loan.number, ())), default=-1)
        if last > stopped["first_offset"]:
            yield Finding("event", books.at(last), f"accepted, though loan {loan.loan_id} is parked")


def rates_are_published(books: Books) -> Iterator[Finding]:
    """Each accepted publication of a reference rate has its row, which says what it says; no other row is there."""
    rows = {row["offset"]: row for row in books.tables.reference_rates if row["offset"] >= books.start}
    for event in books.sound_events:
        if event.loan is not None or event.offset < books.start or b"ReferenceRatePublished" not in event.record:
            continue
        published = read(record_of(event.record))
        if not isinstance(published, ReferenceRatePublished):
            continue
        row, data = rows.pop(event.offset, None), published.data
        said = {"rate_index": data.index, "from_date": data.from_date, "annual_rate": data.annual_rate}
        if row is None:
            yield Finding("reference_rate", books.at(event.offset), "the row is missing")
        elif (column := next((name for name in said if row[name] != said[name]), None)) is not None:
            problem = f"{column} is {row[column]}, the event says {said[column]}"
            yield Finding("reference_rate", books.at(event.offset), problem, column)
    for offset in rows:
        yield Finding("reference_rate", books.at(offset), "no event published it")


def partitions_are_whole(books: Books) -> Iterator[Finding]:
    """Each partition has its position and its relay's mark, and no table holds rows of a partition that is none."""
    for table, held in sorted(books.held.items()):
        strange = sorted(set(held) - set(range(books.partitions)))
        missing = table in ("position", "relay") and books.partition not in held
        if strange:
            key = {"partition": strange[0]}
            yield Finding(table, key, f"a row of partition {strange[0]}: there are {books.partitions}", "partition")
        elif missing:
            yield Finding(table, {"partition": books.partition}, "the row is missing")
