"""What a retry does to dead letters that can be read: they are dead for what they say, not for how they say it."""

import json
import uuid
from typing import Any

from services.ledger.memory import MemoryBooks
from services.ledger.messages import Topics
from shared.streams.ports import Record

TOPICS = Topics("lifecycle", "events", "accounts", "dead-letters", 1)


def take(books: MemoryBooks, offset: int, kind: str, subject: str, data: dict[str, Any]) -> None:
    event = {
        "specversion": "1.0",
        "id": str(uuid.UUID(int=offset)),
        "source": "/test",
        "type": kind,
        "subject": subject,
        "time": "2025-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }
    books.take(Record(TOPICS.lifecycle, 0, offset, 0, subject.encode(), json.dumps(event).encode()))


def test_a_release_that_came_too_late_stays_dead_and_parks_nothing() -> None:
    books = MemoryBooks(0, TOPICS)
    take(books, 0, "ledger.BookOpened.v1", "book", {"business_date": "2025-01-01"})
    take(books, 1, "ledger.PaymentReceived.v1", "L1", {"amount": "5.00", "currency": "CZK"})
    release = {"first_held_offset": 0, "held_reason": "x", "reason": "y"}
    take(books, 2, "ledger.ParkedLoanReleased.v1", "L1", release)
    take(books, 3, "ledger.DeadLetterRetried.v1", "book", {"dead_offset": 2, "reason": "again"})
    assert list(books.dead_letters) == [2]
    assert books.hosted.intake.parked == {}


def test_a_release_can_discard_the_event_that_never_counts_and_the_rest_goes_on() -> None:
    books = MemoryBooks(0, TOPICS)
    take(books, 0, "ledger.BookOpened.v1", "book", {"business_date": "2025-01-01"})
    take(books, 1, "ledger.PaymentReversed.v1", "L1", {"payment_id": str(uuid.UUID(int=99)), "reason": "of nothing"})
    take(books, 2, "ledger.PaymentReceived.v1", "L1", {"amount": "5.00", "currency": "CZK"})
    reason = books.hosted.intake.parked["L1"].reason
    release = {"first_held_offset": 1, "held_reason": reason, "discard_first": True, "reason": "a mistake"}
    take(books, 3, "ledger.ParkedLoanReleased.v1", "L1", release)
    assert books.hosted.intake.parked == {}
    assert books.parked_events == {}
    assert list(books.dead_letters) == [1]
    assert books.hosted.book.loans["L1"].waiting == [(2, str(uuid.UUID(int=2)), 500, 203)]
