"""The derived events, snapshots and dead letters that the ledger sends.

Hot path: their JSON is written by template, a third of the time that a dictionary and an encoder take; whatever could
need escaping goes through an encoder, the rest has patterns that exclude it. Tests read each kind back with its model.
"""

from dataclasses import dataclass
from functools import lru_cache

import msgspec

from services.ledger.engine.account import PENALTY, STATUS, Loan, Valued, iso
from services.ledger.engine.accounts import NAMES
from services.ledger.engine.instalment_fees import receivable
from services.ledger.engine.journal import Journal, JournalLine
from shared.errors import InvariantBroken
from shared.events.envelope import BOOK, SCHEMA_BASE, Attributes, derived_event_id
from shared.events.ledger import PaymentReversed
from shared.money import code_of, decimal_text
from shared.partitioner import partition_for
from shared.streams.dead_letters import dead_letter as of_record
from shared.streams.ports import Message, Record
from shared.streams.unit import Parked

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


def check_partition(event: Attributes, partition: int, topics: Topics) -> None:
    """A contract on a partition that is not its key's would give the loan two orders: it parks."""
    wanted = partition_for(event.subject.encode(), topics.partitions)
    if wanted != partition:
        raise InvariantBroken(
            f"the loan belongs on partition {wanted}, this is {partition}: a writer uses another partitioner"
        )


def account(loan: Loan, open_day: int) -> str:
    """A loan's figures on the open date, as the JSON of `shared.events.ledger.Account`."""
    if not loan.currency:
        return _WITHOUT_CONTRACT
    code, zero = _code_and_zero(loan.currency)
    past_due, since = loan.arrears(open_day)
    interest, due = loan.interest_fallen_unpaid(), loan.next_due()
    return (
        f'{{"status":"{STATUS[loan.status]}",'
        f'"principal_outstanding":"{decimal_text(loan.principal_outstanding, code)}",'
        f'"interest_due":"{decimal_text(interest, code) if interest else zero}",'
        f"{_charges(loan, code) if loan.charges else ''}"
        f'"past_due":"{decimal_text(past_due, code) if past_due else zero}",'
        f'"past_due_since":{_date(since)},"next_due_date":{_date(due)},'
        f'"overpaid":"{decimal_text(loan.overpaid, code) if loan.overpaid else zero}",'
        f'"in_suspense":"{decimal_text(loan.in_suspense(), code) if loan.waiting else zero}"'
        f"{_marks(loan) if loan.charged_off or loan.restructured or loan.floating else ''}"
        f"{_valued(loan.valued, code) if loan.valued is not None else ''}}}"
    )


def _charges(loan: Loan, code: str) -> str:
    fees, penalties = decimal_text(receivable(loan), code), decimal_text(loan.unpaid_of(PENALTY), code)
    return f'"fees_due":"{fees}","penalties_due":"{penalties}",'


def _marks(loan: Loan) -> str:
    marks = f',"charged_off_on":{_date(loan.charged_off)}' if loan.charged_off else ""
    if loan.restructured:
        marks += f',"restructured":{loan.restructured},"watched_until":{_date(loan.watched_until or None)}'
    if loan.floating is not None:
        marks += f',"annual_rate":"{loan.floating.annual_rate}"'
    return marks


def _valued(valued: Valued, code: str) -> str:
    allowance, suspended, deferred = valued.allowance, valued.suspended_interest, valued.deferred_fees
    return (
        f',"valued_on":{_date(valued.period_end)},"valued_as":"{valued.group}",'
        f'"allowance":"{decimal_text(allowance, code)}","suspended_interest":"{decimal_text(suspended, code)}",'
        f'"deferred_fees":"{decimal_text(deferred, code)}"'
    )


_WITHOUT_CONTRACT = (
    '{"status":"unknown","principal_outstanding":"0","interest_due":"0","past_due":"0","past_due_since":null,'
    '"next_due_date":null,"overpaid":"0","in_suspense":"0"}'
)


@lru_cache(maxsize=256)
def _code_and_zero(currency: int) -> tuple[str, str]:
    code = code_of(currency)
    return code, decimal_text(0, code)


@lru_cache(maxsize=20_000)
def _date(ordinal: int | None) -> str:
    return "null" if ordinal is None else f'"{iso(ordinal)}"'


def _text(value: str | None) -> str:
    """An id or a code, which its pattern keeps free of what JSON would escape."""
    return "null" if value is None else f'"{value}"'


def _derived(kind: str, cause: Attributes, subject: str, derived_id: str) -> str:
    """The attributes of a derived event as JSON, up to its data."""
    more = ""
    if cause.correlationid:
        more += f'"correlationid":{_encode(cause.correlationid).decode()},'
    if cause.traceparent:
        more += f'"traceparent":{_encode(cause.traceparent).decode()},'
    return (
        f'{{"specversion":"1.0","id":"{derived_id}","source":"{SOURCE}","type":"{kind}","subject":"{subject}",'
        f'"time":"{cause.time}","datacontenttype":"application/json","dataschema":"{SCHEMA_BASE}{kind}.json",'
        f'"causationid":"{cause.id}",{more}"data":'
    )


def _key(loan: Loan | None, loan_id: str) -> str:
    return loan.borrower_id if loan is not None and loan.borrower_id else loan_id


def entry(
    loan: Loan,
    figures: str,
    lines: Journal,
    cause: Attributes,
    open_day: int,
    partition: int,
    topics: Topics,
    kind: str,
) -> Message:
    """EntryPosted or InstalmentFellDue; `figures` is `account` of the loan."""
    key = loan.borrower_id or loan.loan_id
    head = _derived(kind, cause, key, derived_event_id(cause.id, partition, loan.loan_id, ENTRY))
    code = cause.data.code if isinstance(cause, PaymentReversed) else None
    returned = f'"returned":"{code}",' if code is not None else ""
    value = (
        f'{head}{{"loan_id":"{loan.loan_id}","borrower_id":{_text(loan.borrower_id)},"cause":"{cause.type}",'
        f'"currency":{_text(code_of(loan.currency) if loan.currency else None)},"booking_date":"{iso(open_day)}",'
        f'"postings":[{",".join(map(_posting, lines))}],{returned}"account":{figures}}}}}'
    )
    raw = key.encode()
    return Message(topics.events, partition_for(raw, topics.partitions), raw, value.encode())


def _posting(line: JournalLine) -> str:
    code = code_of(line.currency)
    return (
        f'{{"debit":"{NAMES[line.debit]}","credit":"{NAMES[line.credit]}",'
        f'"amount":"{decimal_text(line.amount, code)}","currency":"{code}","effective_date":"{iso(line.effective)}"}}'
    )


def date_closed(cause: Attributes, day: int, partition: int, topics: Topics) -> list[Message]:
    """LedgerDateClosed to every partition of `ledger.events.v1` (D15)."""
    out = []
    for target in range(topics.partitions):
        derived_id = derived_event_id(cause.id, partition, "-", CLOSED + target)
        head = _derived("ledger.LedgerDateClosed.v1", cause, BOOK, derived_id)
        data = f'{{"partition":{partition},"partitions":{topics.partitions},"business_date":"{iso(day)}"}}'
        out.append(Message(topics.events, target, BOOK.encode(), f"{head}{data}}}".encode()))
    return out


def parking(
    parked: Parked, cause: Attributes, loan: Loan | None, partition: int, topics: Topics, *, unparked: bool
) -> Message:
    """LoanParked or LoanUnparked."""
    key = _key(loan, parked.loan_id)
    kind, index = ("ledger.LoanUnparked.v1", UNPARKED) if unparked else ("ledger.LoanParked.v1", PARKED)
    head = _derived(kind, cause, key, derived_event_id(cause.id, partition, parked.loan_id, index))
    data = _encode({"loan_id": parked.loan_id, "offset": parked.first_offset, "reason": parked.reason}).decode()
    raw = key.encode()
    return Message(topics.events, partition_for(raw, topics.partitions), raw, f"{head}{data}}}".encode())


def snapshot(loan: Loan, figures: str, open_day: int, partition: int, topics: Topics) -> Message:
    """The loan's latest state for the compacted topic, on the partition of its own log."""
    value = (
        f'{{"loan_id":"{loan.loan_id}","borrower_id":{_text(loan.borrower_id)},'
        f'"currency":{_text(code_of(loan.currency) if loan.currency else None)},"partition":{partition},'
        f'"as_of":{loan.as_of},"business_date":"{iso(open_day)}","account":{figures}}}'
    )
    return Message(topics.accounts, partition, loan.loan_id.encode(), value.encode())


def dead_letter(record: Record, reason: str, topics: Topics) -> Message:
    """An unreadable record of the log, whole."""
    return of_record(record, reason, source=topics.lifecycle, topic=topics.dead_letters)
