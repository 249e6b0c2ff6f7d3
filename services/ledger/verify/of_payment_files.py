"""A check across partitions: files to a bank keep their rules, and pay what the books have paid out.

The events of files stand on one partition, the disbursements that they pay on any. What a file says of a loan is held
against its partition once that has closed the date on which the file's event was booked: it may have been behind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from services.ledger.bank.payment_files import broken_rules
from services.ledger.engine.accounts import CASH
from services.ledger.fact_reading import taken_back
from services.ledger.queries.loans import HISTORY
from services.ledger.reading import read
from services.ledger.verify.rows import Books, Finding
from shared.events.origination import LoanDisbursed
from shared.events.payment_files import PAYMENT_FILES, REJECTED, PaymentFileMade, PaymentItem, PaymentStatusTaken
from shared.merkle import record_of
from shared.money import currency, minor_units
from shared.partitioner import partition_for
from shared.streams.intake import NotUnderstood, Unreadable

NAME = "payment-files"
_SUBJECT = "SELECT partition, loan FROM loan WHERE loan_id = $1"


class Wanted(NamedTuple):
    """An item of a file, in its currency, and the date on which the file was booked; that of a rejection, if it was."""

    item: PaymentItem
    currency: str
    booked: date
    rejected: date | None = None


class Seen(NamedTuple):
    """A disbursement in the books: its loan, what left cash in minor units, its currency, whether it was taken back."""

    loan_id: str
    amount: int
    currency: int
    undone: bool


@dataclass(slots=True)
class PaymentFiles:
    """What is gathered: the files' own events, what their items want, and what the partitions have of that."""

    partition: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    open_dates: list[date | None] = field(default_factory=list)
    parked: set[str] = field(default_factory=set)


async def read_files(connection: Any) -> PaymentFiles:
    """The events of files in one snapshot of the books; those that can't be read are for `records` to name."""
    found = PaymentFiles()
    subject = await connection.fetchrow(_SUBJECT, PAYMENT_FILES)
    if subject is None:
        return found
    found.partition = subject["partition"]
    events: list[tuple[date, Any]] = []
    for row in await connection.fetch(HISTORY, subject["partition"], subject["loan"]):
        try:
            events.append((row["booking_date"], read(record_of(row["record"]))))
        except (NotUnderstood, Unreadable, ValueError):
            continue
    found.problems = list(broken_rules(event for _, event in events))
    found.wanted = _wanted(events)
    return found


def _wanted(events: list[tuple[date, Any]]) -> dict[str, Wanted]:
    wanted: dict[str, Wanted] = {}
    files: dict[str, Mapping[str, PaymentItem]] = {}
    for booked, event in events:
        if isinstance(event, PaymentFileMade):
            files[event.id] = {item.reference: item for item in event.data.items}
            for item in event.data.items:
                wanted[item.disbursement_id] = Wanted(item, event.data.currency, booked)
        elif isinstance(event, PaymentStatusTaken):
            items = files.get(event.data.file_id, {})
            for one in event.data.items:
                if one.status == REJECTED and one.reference in items:
                    disbursement_id = items[one.reference].disbursement_id
                    wanted[disbursement_id] = wanted[disbursement_id]._replace(rejected=booked)
    return wanted


def take(found: PaymentFiles, books: Books) -> None:
    """Gather what the next partition has of what the files pay."""
    found.open_dates.append(books.tables.position["open_date"])
    found.parked.update(row["loan_id"] for row in books.tables.parked_loans)
    if not found.wanted:
        return
    loans = {loan.number: loan.loan_id for loan in books.loans}
    for event in books.sound_events:
        if event.event_id not in found.wanted or event.loan is None:
            continue
        said: Any = read(record_of(event.record))
        if isinstance(said, LoanDisbursed):
            moved = [one for one in books.postings_by_loan[event.loan] if one.offset == event.offset]
            found.seen[event.event_id] = Seen(
                loans.get(event.loan, ""),
                sum(one.amount * ((one.credit == CASH) - (one.debit == CASH)) for one in moved),
                currency(said.data.currency).number,
                any(
                    event.event_id.encode() in other.record and _takes_back(other.record, event.event_id)
                    for other in books.events_by_loan[event.loan]
                ),
            )


def _takes_back(record: bytes, event_id: str) -> bool:
    return taken_back(read(record_of(record))) == event_id


def unpaid(found: PaymentFiles) -> Iterator[Finding]:
    """What of the files breaks a rule, or is not as the books have it."""
    for event_id, problem in found.problems:
        yield Finding("event", {"partition": found.partition, "event_id": event_id}, problem)
    partitions = len(found.open_dates)
    for disbursement_id, wanted in found.wanted.items():
        loan_id = wanted.item.loan_id
        opened = found.open_dates[there := partition_for(loan_id.encode(), partitions)]
        if opened is None or opened <= wanted.booked or loan_id in found.parked:
            continue
        if (wrong := _problem(wanted, found.seen.get(disbursement_id), opened)) is not None:
            yield Finding("event", {"partition": there, "event_id": disbursement_id}, wrong)


def _problem(wanted: Wanted, seen: Seen | None, opened: date) -> str | None:
    item, code = wanted.item, wanted.currency
    if seen is None or seen.loan_id != item.loan_id:
        return f"a file pays it for loan {item.loan_id}, which has no such disbursement"
    if (seen.amount, seen.currency) != (minor_units(item.amount, code), currency(code).number):
        return f"a file pays {item.amount} {code}, another amount left cash"
    if wanted.rejected is not None and opened > wanted.rejected and not seen.undone:
        return "the bank rejected it, and it stands"
    return None
