"""A check across partitions: an instalment is asked for by one live run at a time, its attempts are numbered, and each
one after the first has a failure before it.

Runs stand on one partition, what became of their items on those of the loans. A run was planned on the books of all, so
whatever it was planned on is in them, and stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.ledger.debits.state import PREFIX, fold_runs, reference_of
from services.ledger.fact_reading import taken_back
from services.ledger.reading import read
from services.ledger.verify.rows import Books, Finding
from shared.events.debits import DIRECT_DEBITS, DebitRejected
from shared.events.ledger import PaymentReceived
from shared.merkle import record_of
from shared.money import minor_units
from shared.streams.intake import NotUnderstood, Unreadable

NAME = "direct-debits"
_MARK = f'"{PREFIX}'.encode()
_MARKS = (_MARK, b"ledger.PaymentReversed", b"ledger.EventUndone")


@dataclass(slots=True)
class Debits:
    """What is gathered from the partitions: the events of runs, and the debits that failed, by reference."""

    partition: int = 0
    runs: list[Any] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)


def take(found: Debits, books: Books) -> None:
    """Gather what the next partition has."""
    for loan in books.loans:
        events = books.events_by_loan.get(loan.number, [])
        if not any(_MARK in event.record for event in events):
            continue
        if loan.loan_id == DIRECT_DEBITS:
            found.partition, found.runs = books.partition, [_read(row.record) for row in events]
            continue
        payments: dict[str, str] = {}
        for event in (_read(row.record) for row in events if any(mark in row.record for mark in _MARKS)):
            if isinstance(event, DebitRejected):
                found.failed.add(event.data.reference)
            elif isinstance(event, PaymentReceived):
                payments[event.id] = event.data.reference or ""
            elif (gone := taken_back(event)) in payments:
                found.failed.add(payments[gone])


def asked_twice(found: Debits) -> Iterator[Finding]:
    """Items of live runs that no rule would have asked for, and runs that do not add up."""
    tried: dict[tuple[str, Any], list[str]] = {}
    runs = fold_runs(found.runs)
    key: dict[str, int | str] = {"partition": found.partition, "loan_id": DIRECT_DEBITS}
    for run in runs.runs.values():
        sums = sum(minor_units(item.amount, run.data.currency) for item in run.data.items)
        if sums != minor_units(run.data.total, run.data.currency):
            yield Finding("loan", key, f"run {run.data.run_id} asks for {run.data.total}, its items for another sum")
    for run, item in runs.live():
        before = tried.setdefault((item.loan_id, item.due), [])
        where = f"{item.reference} of run {run.data.run_id}"
        if item.attempt != len(before) + 1 or item.reference != reference_of(item.loan_id, item.due, item.attempt):
            yield Finding("loan", key, f"{where} is not attempt {len(before) + 1} of its instalment")
        if before and before[-1] not in found.failed:
            yield Finding("loan", key, f"{where} asks again for what did not fail")
        before.append(item.reference)


def _read(record: bytes) -> Any:
    try:
        return read(record_of(record))
    except (NotUnderstood, Unreadable):
        return None  # other checks name the record
