"""The derived events, snapshots and dead letters that the ledger sends (hot path: plain dictionaries, checked by tests
against the models of `shared.events.ledger`)."""

from dataclasses import dataclass
from typing import Any

import msgspec

from services.ledger.account import STATUS, UNKNOWN, Loan, iso
from services.ledger.accounts import NAMES
from services.ledger.servicing import Journal
from shared.errors import InvariantBroken
from shared.events.envelope import BOOK, SCHEMA_BASE, Envelope, derived_event_id
from shared.money import code_of, decimal_text
from shared.partitioner import partition_for
from shared.streams.dead_letters import dead_letter_headers
from shared.streams.intake import Parked
from shared.streams.ports import Message, Record

_encode = msgspec.json.Encoder().encode
SOURCE = "/ledger"
ENTRY, PARKED, UNPARKED, CLOSED = 0, 1, 2, 10
"""Indexes of derived ids: one event can give one of each for a loan, and a closed date for each target partition."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Names and partition count of the topics as this platform has them."""

    lifecycle: str
    events: str
    accounts: str
    dead_letters: str
    partitions: int


def check_partition(event: Envelope, partition: int, topics: Topics) -> None:
    """A contract on a partition that is not its key's would give the loan two orders: it parks."""
    wanted = partition_for(event.subject.encode(), topics.partitions)
    if wanted != partition:
        raise InvariantBroken(
            f"the loan belongs on partition {wanted}, this is {partition}: a writer uses another partitioner"
        )


_WITHOUT_CONTRACT: dict[str, Any] = {
    "status": STATUS[UNKNOWN], "principal_outstanding": "0", "interest_due": "0", "past_due": "0", "past_due_since": None,
    "next_due_date": None, "overpaid": "0", "in_suspense": "0",
}  # fmt: skip


def account(loan: Loan, open_day: int) -> dict[str, Any]:
    """A loan's figures on the open date, as `shared.events.ledger.Account`."""
    if not loan.currency:
        return _WITHOUT_CONTRACT
    code = code_of(loan.currency)
    past_due, since = loan.arrears(open_day)
    zero = decimal_text(0, code)
    return {
        "status": STATUS[loan.status],
        "principal_outstanding": decimal_text(loan.principal_outstanding, code),
        "interest_due": decimal_text(interest, code) if (interest := loan.interest_fallen_unpaid()) else zero,
        "past_due": decimal_text(past_due, code) if past_due else zero,
        "past_due_since": iso(since),
        "next_due_date": iso(loan.next_due()),
        "overpaid": decimal_text(loan.overpaid, code) if loan.overpaid else zero,
        "in_suspense": decimal_text(loan.in_suspense(), code) if loan.waiting else zero,
    }


def _derived(kind: str, cause: Envelope, subject: str, partition: int, loan: str, index: int) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": derived_event_id(cause.id, partition, loan, index),
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": cause.time,
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA_BASE}{kind}.json",
        "causationid": cause.id,
    }
    if cause.correlationid:
        event["correlationid"] = cause.correlationid
    if cause.traceparent:
        event["traceparent"] = cause.traceparent
    return event


def _key(loan: Loan | None, loan_id: str) -> str:
    return loan.borrower_id if loan is not None and loan.borrower_id else loan_id


def entry(
    loan: Loan, lines: Journal, cause: Envelope, open_day: int, partition: int, topics: Topics, kind: str
) -> Message:
    """EntryPosted or InstalmentFellDue."""
    key = _key(loan, loan.loan_id)
    event = _derived(kind, cause, key, partition, loan.loan_id, ENTRY)
    event["data"] = {
        "loan_id": loan.loan_id,
        "borrower_id": loan.borrower_id,
        "cause": cause.type,
        "currency": code_of(loan.currency) if loan.currency else None,
        "booking_date": iso(open_day),
        "postings": [
            {
                "debit": NAMES[line.debit],
                "credit": NAMES[line.credit],
                "amount": decimal_text(line.amount, code_of(line.currency)),
                "currency": code_of(line.currency),
                "effective_date": iso(line.effective),
            }
            for line in lines
        ],
        "account": account(loan, open_day),
    }
    raw = key.encode()
    return Message(topics.events, partition_for(raw, topics.partitions), raw, _encode(event))


def date_closed(cause: Envelope, day: int, partition: int, topics: Topics) -> list[Message]:
    """LedgerDateClosed to every partition of `ledger.events.v1` (D15)."""
    out = []
    for target in range(topics.partitions):
        event = _derived("ledger.LedgerDateClosed.v1", cause, BOOK, partition, "-", CLOSED + target)
        event["data"] = {"partition": partition, "partitions": topics.partitions, "business_date": iso(day)}
        out.append(Message(topics.events, target, BOOK.encode(), _encode(event)))
    return out


def parking(
    parked: Parked, cause: Envelope, loan: Loan | None, partition: int, topics: Topics, *, unparked: bool
) -> Message:
    """LoanParked or LoanUnparked."""
    key = _key(loan, parked.loan_id)
    kind, index = ("ledger.LoanUnparked.v1", UNPARKED) if unparked else ("ledger.LoanParked.v1", PARKED)
    event = _derived(kind, cause, key, partition, parked.loan_id, index)
    event["data"] = {"loan_id": parked.loan_id, "offset": parked.first_offset, "reason": parked.reason}
    raw = key.encode()
    return Message(topics.events, partition_for(raw, topics.partitions), raw, _encode(event))


def snapshot(loan: Loan, open_day: int, partition: int, topics: Topics) -> Message:
    """The loan's latest state for the compacted topic, on the partition of its own log."""
    state = {
        "loan_id": loan.loan_id,
        "borrower_id": loan.borrower_id,
        "currency": code_of(loan.currency) if loan.currency else None,
        "partition": partition,
        "as_of": loan.as_of,
        "business_date": iso(open_day),
        "account": account(loan, open_day),
    }
    return Message(topics.accounts, partition, loan.loan_id.encode(), _encode(state))


def dead_letter(record: Record, reason: str, topics: Topics) -> Message:
    """An unreadable record, whole, with the headers of both Kafka Connect and Spring."""
    headers = dead_letter_headers(record, reason, topics.lifecycle)
    return Message(topics.dead_letters, record.partition, record.key, record.value, headers)
