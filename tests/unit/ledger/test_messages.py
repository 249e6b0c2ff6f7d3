"""What the ledger writes by template is what its models read: every kind, whatever stands in the free-text fields."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger import messages
from services.ledger.engine.account import FEE, PENALTY, Loan, LoanCharge
from services.ledger.engine.accounts import CASH, LOANS_RECEIVABLE
from services.ledger.engine.journal import JournalLine
from services.ledger.memory import MemoryBooks
from services.ledger.messages import Topics
from shared.events.ledger import AccountSnapshot, PaymentReceived
from shared.streams.ports import Message, Record
from shared.streams.unit import Parked
from shared.topics import ledger_events
from tests.property.test_batches import TOPICS, troubled

KINDS = {"EntryPosted", "InstalmentFellDue", "LoanParked", "LoanUnparked", "LedgerDateClosed"}
free = st.text(max_size=100).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
IDS = "01941f29-7c01-7b73-8f18-22ffbc688778"


def cause(correlationid: str | None = None, traceparent: str | None = None) -> PaymentReceived:
    """An event that others follow from."""
    return PaymentReceived(
        id=IDS, source="/test", subject="L1", time="2025-01-01T00:00:00.5+08:00",
        correlationid=correlationid, traceparent=traceparent, data={"amount": "1.00", "currency": "CZK"},  # type: ignore[arg-type]
    )  # fmt: skip


def read_back(message: Message) -> Any:
    """The event by its model, which writes the same JSON."""
    assert message.value is not None
    event = ledger_events.validate_json(message.value, extra="forbid")
    assert message.key == event.subject.encode()
    written = event.model_dump(mode="json", exclude_none=True)
    assert written == _without_nulls(json.loads(message.value))
    return event


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def loans() -> Sequence[Loan]:
    """One of each state, all changed last at offset 7."""
    asked = [[0, 30], [20, 0], [70, 40], [5_000, 5_000]]
    schedule = {"due": [739_300, 739_400], "asked": asked}
    lent = {"borrower_id": "B1", "currency": 203, "principal": 10_000} | schedule
    left = [[0, 30], [20, 0], [70, 40], [4_000, 5_000]]
    charges = [LoanCharge(IDS, FEE, 739_300, 20, 20), LoanCharge(IDS, PENALTY, 739_400, 30, 30)]
    owing = {"fallen": 1, "left": left, "charges": charges, "principal_outstanding": 9_000}
    nothing = {"fallen": 2, "left": [[0, 0]] * 4, "first_open": 2}
    found = [
        Loan(0, "L1"),
        Loan(1, "L1", waiting=[(5, IDS, 400, 978)]),
        Loan(2, "L1", 1, "B1", 203, 10_000, terms="{}"),
        Loan(3, "L1", 2, **lent, **owing, waiting=[(5, IDS, 400, 203)]),  # type: ignore[arg-type]
        Loan(4, "L1", 2, **lent, **owing, charged_off=739_349, restructured=1, watched_until=739_900),  # type: ignore[arg-type]
        Loan(5, "L1", 3, **lent, **nothing, overpaid=10**18),  # type: ignore[arg-type]
        Loan(6, "L1", 4, **lent, **nothing),  # type: ignore[arg-type]
    ]
    for loan in found:
        loan.as_of = 7
    return found


@pytest.mark.parametrize("loan", loans(), ids=lambda loan: f"loan {loan.number}")
@given(correlation=free | st.none(), trace=free | st.none())
def test_every_entry_reads_back_as_what_it_says(loan: Loan, correlation: str | None, trace: str | None) -> None:
    figures = messages.account(loan, 739_350)
    lines = [JournalLine(CASH, LOANS_RECEIVABLE, 1, 203, 739_350), JournalLine(CASH, LOANS_RECEIVABLE, 10**17, 392, 1)]
    for kind in ("ledger.EntryPosted.v1", "ledger.InstalmentFellDue.v1"):
        event = read_back(messages.entry(loan, figures, lines, cause(correlation, trace), 739_350, 0, TOPICS, kind))
        assert (event.type, event.causationid, event.data.loan_id) == (kind, IDS, "L1")
        assert (event.correlationid or None, event.traceparent or None) == (correlation or None, trace or None)
        assert [line.amount for line in event.data.postings] == ["0.01", str(10**17)]
    snapshot = messages.snapshot(loan, figures, 739_350, 3, TOPICS)
    read = AccountSnapshot.model_validate_json(snapshot.value or b"", extra="forbid")
    assert (read.loan_id, read.partition, read.as_of) == ("L1", 3, 7)


@given(reason=free, correlation=free | st.none(), unparked=st.booleans(), offset=st.integers(0, 1 << 62))
def test_every_parking_reads_back_as_what_it_says(
    reason: str, correlation: str | None, unparked: bool, offset: int
) -> None:
    parked = Parked("L1", offset, reason, None)
    for loan in (None, Loan(0, "L1", 1, "B1")):
        event = read_back(messages.parking(parked, cause(correlation), loan, 0, TOPICS, unparked=unparked))
        assert (event.data.reason, event.data.offset, event.data.loan_id) == (reason, offset, "L1")
        assert event.subject == ("B1" if loan else "L1")


def test_every_closed_date_reads_back_on_its_partition() -> None:
    topics = Topics("l", "e", "a", "d", 3)
    found = messages.date_closed(cause("c", "t"), 739_350, 1, topics)
    assert [message.partition for message in found] == [0, 1, 2]
    events = [read_back(message) for message in found]
    assert len({event.id for event in events}) == 3
    assert {(event.data.partition, event.data.partitions) for event in events} == {(1, 3)}


@cache
def derived() -> list[Message]:
    """Of three troubled months."""
    found: list[Message] = []
    for seed in (1, 2, 3):
        books = MemoryBooks(0, TOPICS)
        for record in troubled(seed):
            books.take(record)
        found.extend(books.messages)
    return found


def test_whatever_a_troubled_history_derives_reads_back_and_has_an_id_of_its_own() -> None:
    events = [read_back(message) for message in derived() if message.topic == TOPICS.events]
    assert {event.type.split(".")[1] for event in events} >= KINDS - {"LoanUnparked"}
    assert len({(event.id, event.causationid) for event in events}) == len(events)


@given(
    key=st.none() | st.binary(max_size=20) | st.just(b"L1"),
    value=st.none() | st.binary(max_size=200) | st.sampled_from([b"null", b"[]", b"{}", b'"x"', b"1e999", b"NaN"]),
    headers=st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "content-type", "x"]), st.none() | st.binary())),
)
def test_no_record_is_so_broken_that_reading_it_fails(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]]
) -> None:
    books = MemoryBooks(0, TOPICS)
    record = Record(TOPICS.lifecycle, 0, 0, 0, key, value, tuple(headers))
    books.take(record)
    assert len(books.dead_letters) == 1
    letter = books.messages[0]
    assert (letter.key, letter.value) == (key, value)


def test_a_dead_letter_fits_its_topic_however_large_the_record_was() -> None:
    for record in (
        Record("l", 0, 5, 0, b"k", b"x" * (8 << 20)),
        Record("l", 0, 5, 0, b"k" * (8 << 20), b"x"),
        Record("l", 0, 5, 0, b"k", b"x", (("h", b"y" * (8 << 20)),)),
    ):
        letter = messages.dead_letter(record, "unreadable", TOPICS)
        assert (letter.key, letter.value) == (None, None)
        assert sum(len(content) for _, content in letter.headers) < 1000
