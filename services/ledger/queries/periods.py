"""Accounting periods: which are closed, by whom; and what one has to look at before it closes one."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any

from services.ledger.periods import Period
from services.ledger.queries.aside import parked_rows
from services.ledger.queries.late import adjusting_facts
from services.ledger.queries.reports import trial_balance
from services.ledger.queries.snapshots import snapshot
from services.ledger.reading import read
from shared.errors import Refusal
from shared.merkle import record_of
from shared.money import code_of, decimal_text


class BooksBehind(Refusal):
    """The books have not closed the last date of the period yet."""

    status = 409


class BooksUnbalanced(Refusal):
    """Debits and credits of the period differ: find out why before it is closed."""

    status = 409


_PERIODS = """
SELECT c.period_end, count(*) = (SELECT count(*) FROM position) AS closed, min(e.booking_date) AS booked,
       (array_agg(e.record ORDER BY c.partition))[1] AS record
FROM closed_period c JOIN event e USING (partition, "offset") GROUP BY c.period_end ORDER BY c.period_end
"""
_BEHIND = """
SELECT partition, open_date FROM position WHERE open_date IS NULL OR open_date <= $1 ORDER BY partition LIMIT 1
"""
_DEAD = """
SELECT partition, "offset", reason FROM dead_letter WHERE settled_by IS NULL ORDER BY partition, "offset"
"""
_SUSPENSE = """
SELECT l.loan_id, s.amount, s.currency, e.event_id, e.effective_date
FROM suspense s JOIN event e USING (partition, "offset") JOIN loan l ON (l.partition, l.loan) = (s.partition, s.loan)
WHERE e.effective_date <= $1 ORDER BY e.effective_date, e.partition, e."offset"
"""


async def periods_view(connection: Any) -> list[dict[str, Any]]:
    """Closed periods in order: the event that closed each, who, on which business date and at what time. `closed` is
    false while a partition has not come to it."""
    found, opens = [], None
    for row in await connection.fetch(_PERIODS):
        event: Any = read(record_of(row["record"]))
        end: date = row["period_end"]
        found.append(
            {
                "period": f"{end:%Y-%m}",
                "from": opens,
                "to": end.isoformat(),
                "closed": row["closed"],
                "closed_by": event.data.closed_by,
                "closed_on": row["booked"].isoformat(),
                "closed_at": event.time,
                "event_id": event.id,
            }
        )
        opens = (end + timedelta(days=1)).isoformat()
    return found


async def closing_report(connection: Any, period: Period) -> dict[str, Any]:
    """What closing the period makes final: its trial balance in sums, how many facts in it adjust earlier periods, and
    what is still open and older than its end: that will count in a later one. Raises BooksBehind, BooksUnbalanced."""
    async with snapshot(connection):
        if (behind := await connection.fetchrow(_BEHIND, period.last)) is not None:
            raise BooksBehind(
                f"Partition {behind['partition']} has {behind['open_date']} open: ask again a moment later.",
                field="period",
            )
        sums = (await trial_balance(connection, through=period.last))["currencies"]
        adjusting = await adjusting_facts(connection, opens=period.first, closes=period.last, known=None, years=False)
        issues = {name: await look(connection, period.last) for name, look in OPEN_ISSUES.items()}
    for code, one in sums.items():
        if one["difference"].strip("0.") or one["debits"] != one["credits"]:
            raise BooksUnbalanced(f"In {code} they differ by {one['difference']}: run `lendlog verify`.")
    return {
        "period": period.name,
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "currencies": {
            code: {name: one[name] for name in ("debits", "credits", "difference")} for code, one in sums.items()
        },
        "adjustments": len(adjusting["late_facts"]) + adjusting["late_facts_left_off"],
        "open_issues": issues,
    }


async def _parked(connection: Any, end: date) -> list[dict[str, Any]]:
    rows = await parked_rows(connection)
    return [row for row in rows if row["since"] is None or row["since"] <= end.isoformat()]


async def _dead(connection: Any, _end: date) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(_DEAD)]


async def _suspense(connection: Any, end: date) -> list[dict[str, Any]]:
    return [
        {
            "loan_id": row["loan_id"],
            "event_id": str(row["event_id"]),
            "amount": decimal_text(row["amount"], code_of(row["currency"])),
            "currency": code_of(row["currency"]),
            "effective_date": row["effective_date"].isoformat(),
        }
        for row in await connection.fetch(_SUSPENSE, end)
    ]


OPEN_ISSUES: Mapping[str, Callable[[Any, date], Awaitable[list[dict[str, Any]]]]] = {
    "parked": _parked,
    "dead_letters": _dead,
    "suspense": _suspense,
}
"""What the books have not settled up to a date, by name. None of it makes the figures wrong: they are those of what is
known, and the rest will be an adjustment. What else should be done before a close is told by before_close."""
