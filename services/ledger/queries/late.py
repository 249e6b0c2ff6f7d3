"""Late facts: what was booked after the date that it counts from."""

from datetime import date
from typing import Any

from services.ledger.reading import read
from shared.events.entries import YearClosed
from shared.merkle import record_of

YEAR_CLOSED = YearClosed.model_fields["type"].default
LISTED_MAX = 1_000
"""Late facts that a report lists: a report is a document for people, and the rest is counted."""

# Facts of loans that were booked on or after a date and count from before it: by their own value date, or by that of
# what they changed (a reversal counts from the payment that it takes back). Reads postings once, and of the events the
# pages of those booking dates.
_LATE = """
WITH changed AS (
    SELECT partition, loan, "offset", min(effective_date) AS since FROM posting
    WHERE booking_date >= $1 AND booking_date <= $2 AND effective_date < $1 AND effective_date <= $3 AND loan >= -1
    GROUP BY partition, loan, "offset"
)
SELECT l.loan_id, e.partition, e."offset", e.event_id, e.effective_date, e.booking_date, e.record,
       least(e.effective_date, c.since) AS since, count(*) OVER () AS found
FROM event e JOIN loan l USING (partition, loan) LEFT JOIN changed c USING (partition, loan, "offset")
WHERE e.booking_date >= $1 AND e.booking_date <= $2 AND e.effective_date <= $3
  AND (e.effective_date < $1 OR c.since IS NOT NULL)
ORDER BY e.booking_date, e.partition, e."offset" LIMIT $4
"""

# What was booked for a later accounting period than that of its value date, since that was closed.
_ADJUSTING = """
WITH adjusted AS (
    SELECT partition, loan, "offset", min(effective_date) AS since FROM posting
    WHERE open_from > effective_date AND open_from BETWEEN $1 AND $2 AND effective_date < $1
      AND ($3::date IS NULL OR booking_date <= $3) AND loan >= -1
    GROUP BY partition, loan, "offset"
)
SELECT l.loan_id, e.partition, e."offset", e.event_id, e.effective_date, e.booking_date, e.record, a.since,
       count(*) OVER () AS found
FROM adjusted a JOIN event e USING (partition, "offset") JOIN loan l ON (l.partition, l.loan) = (a.partition, a.loan)
ORDER BY e.booking_date, e.partition, e."offset", l.loan LIMIT $4
"""


async def adjusting_facts(
    connection: Any, *, opens: date, closes: date, known: date | None, years: bool = True
) -> dict[str, Any]:
    """Facts that count in the accounting periods from `opens` to `closes`, and are of an earlier one that was closed
    when they were booked; as `late_facts` has them. `known`: of those booked up to that date."""
    return _listed(await connection.fetch(_ADJUSTING, opens, closes, known, LISTED_MAX), years=years)


async def late_facts(connection: Any, *, cut: date, known: date, effective: date, years: bool = True) -> dict[str, Any]:
    """Facts booked from `cut` to `known` that count from a date before `cut`, in the order of booking; and how many
    more there are than LISTED_MAX. `years`: with closes of years, which are of the year's last date."""
    return _listed(await connection.fetch(_LATE, cut, known, effective, LISTED_MAX), years=years)


def _listed(rows: list[Any], *, years: bool) -> dict[str, Any]:
    left_off = (rows[0]["found"] if rows else 0) - len(rows)
    listed = [
        {
            "loan_id": row["loan_id"],
            "partition": row["partition"],
            "offset": row["offset"],
            "event_id": str(row["event_id"]),
            "type": read(record_of(row["record"])).type,
            "effective_date": row["effective_date"].isoformat(),
            "booking_date": row["booking_date"].isoformat(),
            "counts_from": row["since"].isoformat(),
        }
        for row in rows
    ]
    if not years:
        listed = [one for one in listed if one["type"] != YEAR_CLOSED]
    return {"late_facts": listed, "late_facts_left_off": left_off}
