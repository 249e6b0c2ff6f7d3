"""The cash of a branch on a date, for whoever counts the till: what it gave receipts for, and what was taken back."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.ledger.fact_reading import taken_back
from services.ledger.reading import read
from shared.events.ledger import Payment
from shared.merkle import record_of
from shared.money import decimal_text, minor_units

# Payments with a receipt of the branch and of the value date, and whatever takes payments back on the booking date. An
# event is booked on its value date or later; of events, pages of those booking dates are read.
_RECEIPTS = """
SELECT l.loan_id, e.event_id, e.record FROM event e JOIN loan l ON l.partition = e.partition AND l.loan = e.loan
WHERE e.booking_date >= $1 AND e.effective_date = $1 AND position($2::bytea IN e.record) > 0
ORDER BY e.event_id
"""
_TAKEN_BACK = """
SELECT e.record FROM event e WHERE e.booking_date >= $1
  AND (position('"ledger.PaymentReversed'::bytea IN record) > 0 OR position('"ledger.EventUndone'::bytea IN record) > 0)
"""
_OF_DAY = _TAKEN_BACK.replace(">= $1", "= $1")
_NAMED = """
SELECT l.loan_id, e.event_id, e.record FROM event e JOIN loan l ON l.partition = e.partition AND l.loan = e.loan
WHERE e.event_id = ANY($1::uuid[]) ORDER BY e.event_id
"""


async def branch_cash(connection: Any, branch: str, on: date) -> dict[str, Any]:
    """Receipts of the value date, each with whether it stands now; `reversals`: receipts of any date that were taken
    back on the date (by booking date). `totals` per currency: received, reversed, and the difference."""
    mark = f'"receipt":{{"branch":"{branch}"'.encode()
    gone = {taken_back(read(record_of(row["record"]))) for row in await connection.fetch(_TAKEN_BACK, on)}
    receipts = list(_receipts(await connection.fetch(_RECEIPTS, on, mark), branch, gone))
    back = {taken_back(read(record_of(row["record"]))) for row in await connection.fetch(_OF_DAY, on)} - {None}
    reversals = list(_receipts(await connection.fetch(_NAMED, sorted(filter(None, back))), branch, gone))
    totals: dict[str, dict[str, int]] = {}
    for name, some in (("received", receipts), ("reversed", reversals)):
        for one in some:
            total = totals.setdefault(one["currency"], {"receipts": 0, "received": 0, "reversed": 0})
            total["receipts"] += name == "received"
            total[name] += minor_units(one["amount"], one["currency"])
    return {
        "branch": branch,
        "on": on.isoformat(),
        "receipts": receipts,
        "reversals": reversals,
        "totals": {code: _total(code, total) for code, total in sorted(totals.items())},
    }


def _receipts(rows: Iterable[Any], branch: str, gone: Any) -> Iterable[dict[str, Any]]:
    for row in rows:
        event: Any = read(record_of(row["record"]))
        if not isinstance(event.data, Payment) or event.data.receipt is None or event.data.receipt.branch != branch:
            continue
        yield {
            "number": event.data.receipt.number,
            "cashier": event.data.receipt.cashier,
            "loan_id": row["loan_id"],
            "payment_id": event.id,
            "amount": event.data.amount,
            "currency": event.data.currency,
            "stands": event.id not in gone,
        }


def _total(code: str, total: dict[str, int]) -> dict[str, Any]:
    return {
        "receipts": total["receipts"],
        "received": decimal_text(total["received"], code),
        "reversed": decimal_text(total["reversed"], code),
        "net": _signed(total["received"] - total["reversed"], code),
    }


def _signed(minor: int, code: str) -> str:
    return ("-" if minor < 0 else "") + decimal_text(abs(minor), code)
