"""Histories of a lender with accountants: manual entries, some declined or refused, and periods that are closed."""

import itertools
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from lendlog.histories import History
from shared.events.entries import GENERAL_LEDGER
from shared.streams.ports import Record
from tests.property.test_batches import TOPICS, log_of

LINES = [
    [{"debit": "bank-charges", "credit": "cash", "amount": "12.50", "currency": "CZK"}],
    [
        {"debit": "operating-expense", "credit": "payables", "amount": "300.00", "currency": "CZK"},
        {"debit": "cash", "credit": "equity", "amount": "1000", "currency": "JPY"},
    ],
    [{"debit": "fee-income", "credit": "other-income", "amount": "0.01", "currency": "CZK"}],
    [{"debit": "loans-receivable", "credit": "cash", "amount": "1.00", "currency": "CZK"}],  # parks its subject
]
_ids = itertools.count(1 << 100)


def event(
    kind: str, subject: str, data: Any, *, effective: date | None = None, event_id: str | None = None
) -> dict[str, Any]:
    """An event of the log of record."""
    found = {
        "specversion": "1.0", "id": event_id or str(uuid.UUID(int=next(_ids))), "source": "/test",
        "type": f"ledger.{kind}.v1", "subject": subject, "time": "2025-01-01T00:00:00Z", "data": data,
    }  # fmt: skip
    return found | ({} if effective is None else {"effectivedate": effective.isoformat()})


def entry(
    subject: str, on: date, lines: list[dict[str, str]], *, checker: str = "bob", decision: str = "Approved"
) -> list[dict[str, Any]]:
    """A proposal by ann, and the decision on it."""
    said = {"lines": lines, "reason": "bank statement", "maker": "ann"}
    proposed = event("JournalEntryProposed", subject, said | {"value_date": on.isoformat()})
    about = {"entry_id": proposed["id"], "checker": checker}
    if decision == "Declined":
        declined = {"reason": "the wrong month", "maker": "ann"} | about
        return [proposed, event("JournalEntryDeclined", subject, declined)]
    return [proposed, event("JournalEntryApproved", subject, said | about, effective=on)]


def close(end: date) -> dict[str, Any]:
    """The close of a period."""
    return event("PeriodClosed", "book", {"period_end": end.isoformat(), "closed_by": "ann"})


def close_year(end: date) -> dict[str, Any]:
    """The close of a year that ended on a date, of whatever figures."""
    lines = [
        {"debit": "interest-income", "credit": "income-summary", "amount": "3.00", "currency": "CZK"},
        {"debit": "income-summary", "credit": "bank-charges", "amount": "1.00", "currency": "CZK"},
        {"debit": "income-summary", "credit": "retained-earnings", "amount": "2.00", "currency": "CZK"},
    ]
    said = {"year_end": end.isoformat(), "lines": lines, "closed_by": "ann"}
    return event("YearClosed", GENERAL_LEDGER, said, effective=end)


def record(offset: int, said: dict[str, Any]) -> Record:
    """As it stands on the only partition."""
    return Record(TOPICS.lifecycle, 0, offset, 0, said["subject"].encode(), json.dumps(said).encode())


def accounted(history: History) -> list[Record]:
    """The history with accountants in it: after each closing of a date they may enter something of a value date of the
    last fortnight, and close a period that ends on one, and with it a year."""
    pick, years, last = random.Random(history.seed), random.Random(history.seed), date.min
    offsets = (n + n // 7 for n in itertools.count())
    found: list[Record] = []
    for one in log_of(history):
        found.append(replace(one, offset=next(offsets)))
        if one.value is not None and b"BusinessDateClosed" in one.value and one.key == b"book":
            day = date.fromisoformat(json.loads(one.value)["data"]["business_date"])
            for said in _accountants(history, day, pick):
                found.append(record(next(offsets), said))
                if "period_end" in said["data"]:
                    end = date.fromisoformat(said["data"]["period_end"])
                    if last < end <= day and years.random() < 0.5:
                        found.append(record(next(offsets), close_year(end)))
                    last = max(last, end) if end <= day else last
    return found


def _accountants(history: History, closed: date, pick: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(pick.randrange(3)):
        subject = pick.choice([GENERAL_LEDGER, GENERAL_LEDGER, f"{history.name}{pick.randrange(history.loans):07d}"])
        on = closed - timedelta(days=pick.randrange(-1, 14))
        lines = pick.choices(LINES, [10, 10, 10, 1])[0]
        decision = pick.choice(["Approved", "Approved", "Declined"])
        yield from entry(subject, on, lines, decision=decision, checker="bob" if pick.random() < 0.97 else "ann")
    if pick.random() < 0.15:
        yield close(closed - timedelta(days=pick.randrange(-1, 10)))
