"""What a retry does to dead letters that can be read: they are dead for what they say, not for how they say it."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from services.ledger import book as book_module
from services.ledger import reading
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.messages import Topics
from services.ledger.replay import note
from shared.events.envelope import Envelope
from shared.streams.intake import Unreadable
from shared.streams.ports import Record
from shared.streams.replay import Holds

TOPICS = Topics("lifecycle", "events", "accounts", "dead-letters", 1)


def take(books: MemoryBooks, offset: int, kind: str, subject: str, data: dict[str, Any]) -> None:
    books.take(record_of_event(offset, kind, subject, data))


def record_of_event(offset: int, kind: str, subject: str, data: dict[str, Any]) -> Record:
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
    return Record(TOPICS.lifecycle, 0, offset, 0, subject.encode(), json.dumps(event).encode())


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


def test_a_retry_that_failed_fails_in_a_replay_by_a_better_engine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry under the old engine leaves the letter dead, one under the mended engine books it, on its own date."""
    payment = {"amount": "5.00", "currency": "CZK"}

    def facts(books: MemoryBooks, *, mend: Callable[[], None] = lambda: None) -> dict[str, Any]:
        take(books, 0, "ledger.BookOpened.v1", "book", {"business_date": "2025-01-01"})
        take(books, 1, "ledger.PaymentReceived.v1", "L1", payment)
        take(books, 2, "ledger.DeadLetterRetried.v1", "book", {"dead_offset": 1, "reason": "too early"})
        take(books, 3, "ledger.BusinessDateClosed.v1", "book", {"business_date": "2025-01-01"})
        mend()
        late = {"dead_offset": 1, "reason": "knows nothing of the first"}
        take(books, 4, "ledger.DeadLetterRetried.v1", "book", late)
        take(books, 5, "ledger.DeadLetterRetried.v1", "book", late | {"tried_at": 2})
        return digest_in_memory([books])

    real, old = reading.read, {"blind": True}

    def read(record: Record) -> Envelope:
        if old["blind"] and record.offset == 1:
            raise Unreadable("an old engine")
        return real(record)

    monkeypatch.setattr(book_module, "read_to_fold", read)
    live = MemoryBooks(0, TOPICS)
    digest = facts(live, mend=lambda: old.update(blind=False))
    assert sorted(live.dead_letters) == [4], "the late one is set aside; the letter itself is booked"
    holds = Holds()
    for offset, tried_at in ((2, None), (4, None), (5, 2)):
        data = {"dead_offset": 1, "reason": "x", "tried_at": tried_at}
        note(record_of_event(offset, "ledger.DeadLetterRetried.v1", "book", data), holds)
    assert facts(MemoryBooks(0, TOPICS, holds={}, retried=holds.retried)) == digest
