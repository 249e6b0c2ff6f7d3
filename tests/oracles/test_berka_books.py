"""The real loans of the bank through the whole fold, in memory: what the books must say on 1994-03-31."""

import os
from datetime import date
from pathlib import Path

import pytest

from lendlog.berka import plan, read
from services.ledger.book import Book
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.engine.accounts import CASH, LOANS_RECEIVABLE
from services.ledger.messages import Topics
from shared.events.envelope import BOOK
from shared.events.ledger import BusinessDateClosed
from shared.streams.intake import Intake, decode
from shared.streams.ports import Record

pytestmark = pytest.mark.berka
BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))
THROUGH = date(1994, 3, 31)
TOPICS = Topics("loans.lifecycle.v1", "ledger.events.v1", "ledger.accounts.v1", "loans.lifecycle.v1.dlq", 1)


def fold(records: list[Record]) -> tuple[Book, list[tuple[int, int, int]]]:
    """One partition's book after these records, and every posting as (debit, credit, minor units)."""
    book = Book(0, topics=TOPICS)
    intake = Intake(book, holds={}, retried={})
    postings: list[tuple[int, int, int]] = []
    for record in records:
        rows = book.begin(intake.begin({}).messages)
        book.at = record.offset
        item = decode(book, record)
        if isinstance(item.event, BusinessDateClosed):
            book.check_closing(item.event)
            assert book.open_day is not None
            loans = sorted(book.loans.values(), key=lambda loan: loan.number)
            due = [loan for loan in loans if (day := loan.next_due()) is not None and day <= book.open_day]
            book.close_loans(due, item.event, record.offset)
            book.finish_closing(item.event, record.offset, b"")
        else:
            intake.take(item)
        postings += [(row[6], row[7], row[2]) for row in rows.postings]
    assert not intake.parked
    return book, postings


@pytest.fixture(scope="module")
def books() -> tuple[Book, list[tuple[int, int, int]]]:
    guards, stamp = Guards(), Stamp("2026-01-01T00:00:00Z")
    records: list[Record] = []
    for command in plan(read(BERKA, THROUGH), THROUGH):
        event, _ = decide(command, guards, partitions=1, stamp=stamp)
        evolve(command, guards)
        key = event.subject.encode()
        records.append(Record(TOPICS.lifecycle, 0, len(records), 0, key, event.to_json(), ()))
    return fold(records)


def test_postings_add_up_to_what_the_bank_published(books: tuple[Book, list[tuple[int, int, int]]]) -> None:
    _, postings = books
    received = [amount for debit, _, amount in postings if debit == CASH]
    assert len(received) == 123
    assert sum(received) == 48356580
    lent = sum(amount for debit, credit, amount in postings if (debit, credit) == (LOANS_RECEIVABLE, CASH))
    assert lent - sum(received) == 417283020
    assert {frozenset((debit, credit)) for debit, credit, _ in postings} == {frozenset((CASH, LOANS_RECEIVABLE))}


def test_only_loan_5314_is_past_due_beyond_materiality(books: tuple[Book, list[tuple[int, int, int]]]) -> None:
    """231 days: its oldest unpaid instalment is that of 1993-08-12. Ten more loans are short by 0.20 to 2.40."""
    book, _ = books
    assert BOOK not in book.loans
    assert len(book.loans) == 38
    assert book.open_day == date(1994, 4, 1).toordinal()
    today = THROUGH.toordinal()
    since = {loan.loan_id: day for loan in book.loans.values() if (day := loan.past_due_since(today)) is not None}
    assert {loan_id: today - day for loan_id, day in since.items()} == {"5314": 231}
    short = {loan.loan_id: loan.past_due(today) for loan in book.loans.values() if loan.past_due(today)}
    assert len(short) == 11
    del short["5314"]
    assert (min(short.values()), max(short.values())) == (20, 240)
