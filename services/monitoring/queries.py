"""Readings of monitoring's tables. `connection`: asyncpg's, or a pool, its search path set to the worker's schema."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.monitoring.classification import bucket_of, buckets_on, days_past_due
from services.monitoring.indicators import shown
from services.monitoring.portfolio import Position
from services.monitoring.portfolio import portfolio as figures_of
from shared.errors import Refusal
from shared.money import decimal_text

OPEN = ("open", "acknowledged", "snoozed")
FIGURE_MONTHS = 26
ALERTS_MAX = 500

# The day before the earliest open date of any partition; a partition in year 1 has not been told a date.
_CLOSED = "SELECT min(open_date) FROM position WHERE open_date > '0001-01-01'"
_UNTOLD = "SELECT count(*) FROM position WHERE open_date IS NULL OR open_date <= '0001-01-01'"
# Each loan as it stood: its latest row that is not after the date.
_PORTFOLIO = """
SELECT DISTINCT ON (loan) loan, subject, currency, principal, past_due_since, industry, region, status, restructured,
    watched_until, charged_off_on, written_off
FROM loan_history WHERE as_of <= $1 ORDER BY loan, as_of DESC, partition
"""
_ALERT_COLUMNS = """
SELECT alert_id, subject, loan, indicator, severity, status, raised_on, blocks, snoozed_until, "by", reason, rule,
    ending
FROM alert
"""
_ALERTS = (
    _ALERT_COLUMNS
    + """
WHERE ($1::text[] IS NULL OR status = ANY($1)) AND ($2::text IS NULL OR subject = $2)
    AND ($3::text IS NULL OR severity = $3) AND ($4::text IS NULL OR indicator = $4)
ORDER BY array_position(ARRAY['red', 'orange', 'yellow'], severity), raised_on, alert_id
LIMIT $5
"""
)
_ALERT = _ALERT_COLUMNS + "WHERE alert_id = $1::uuid"
_LEVELS = "SELECT indicator, unit, level, figure, in_alert, months FROM level WHERE subject = $1 ORDER BY indicator"
_FIGURES = """
SELECT indicator, month, value, figure, level, crossed FROM figure
WHERE subject = $1 AND month >= $2 ORDER BY indicator, month
"""
_BORROWER = "SELECT industry, region, size, segment, telemetry FROM borrower WHERE subject = $1"
_LOAN_COLUMNS = """
SELECT loan, subject, currency, principal, past_due, past_due_since, next_due_date, status, parked, class, policy,
    restructured, watched_until, charged_off_on, written_off
FROM loan
"""
_LOANS = _LOAN_COLUMNS + "WHERE subject = $1 ORDER BY loan"
_LOAN = _LOAN_COLUMNS + "WHERE loan = $1"
_CLASSES = """
SELECT event_id, as_of, old, new, days_past_due, policy, trigger FROM class_event
WHERE loan = $1 ORDER BY as_of, days_past_due, event_id
"""
_ASIDE = "SELECT signal_id, rule, reason, open_date FROM set_aside WHERE subject = $1 ORDER BY open_date, signal_id"
# By partition, since that is how the ids are indexed.
_TAKEN_IN = """
SELECT event_id FROM position JOIN event USING (partition) WHERE event_id = ANY($1::uuid[])
"""


class DateNotClosed(Refusal):
    """The portfolio is told of closed dates."""


class EarlierValueDate(Refusal):
    """Monitoring keeps what was known on a booking date, and no value dates."""


async def last_closed(connection: Any) -> date | None:
    """The last date that every partition has closed; None: none yet."""
    if await connection.fetchval(_UNTOLD):
        return None
    opened: date | None = await connection.fetchval(_CLOSED)
    return opened - timedelta(days=1) if opened is not None else None


async def closed_dates(
    connection: Any, as_of: date | None, known: date | None, effective: date | None
) -> tuple[date, date]:
    """(known, effective) of a portfolio: each `as_of` where it is not named, then the last closed date for `known` and
    `known` for `effective`. Raises DateNotClosed."""
    closed = await last_closed(connection)
    if closed is None:
        raise DateNotClosed("No date is closed yet.", field="as_of")
    for name, day in (("as_of", as_of), ("known", known), ("effective", effective)):
        if day is not None and day > closed:
            raise DateNotClosed(f"{day} is not closed; {closed} is the last date that is.", field=name)
    at = known or as_of or closed
    return at, effective or as_of or at


async def portfolio(
    connection: Any, as_of: date | None = None, *, known: date | None = None, effective: date | None = None
) -> dict[str, Any]:
    """The portfolio as a report of a closed date told it (`as_of`, or `known`; the last one if None).

    What is kept of a loan is how it stood at the end of a booking date. Nothing that was known then has a later value
    date, so that any later `effective` gives the same. Raises DateNotClosed, and EarlierValueDate: how the loans stood
    on an earlier date by what came to be known later is for the ledger's facts to tell. The form is
    `services.monitoring.portfolio.portfolio`'s, with both dates.
    """
    known, effective = await closed_dates(connection, as_of, known, effective)
    if effective < known:
        raise EarlierValueDate(
            f"Figures of {effective} by what was known on {known} are folded from the ledger's facts: "
            f"`lendlog portfolio --known {known} --effective {effective}`.",
            field="effective",
        )
    rows = await connection.fetch(_PORTFOLIO, known)
    told = {"known": known.isoformat(), "effective": effective.isoformat()}
    return figures_of([Position(*row) for row in rows], known) | told


async def traits(connection: Any, known: date) -> dict[str, tuple[str, str]]:
    """Industry and region by loan, as they were known on a date."""
    rows = await connection.fetch(_PORTFOLIO, known)
    return {row["loan"]: (row["industry"], row["region"]) for row in rows}


async def alerts(
    connection: Any,
    *,
    ended: bool = False,
    borrower_id: str | None = None,
    severity: str | None = None,
    indicator: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Alerts, the most severe and then the oldest first; those that ended too if asked."""
    states = None if ended else list(OPEN)
    rows = await connection.fetch(_ALERTS, states, borrower_id, severity, indicator, min(limit, ALERTS_MAX))
    return [alert_view(row) for row in rows]


async def alert(connection: Any, alert_id: str) -> dict[str, Any] | None:
    """One alert, or None."""
    row = await connection.fetchrow(_ALERT, alert_id)
    return None if row is None else alert_view(row)


def alert_view(row: Any) -> dict[str, Any]:
    """An alert as it is shown."""
    return {
        "alert_id": str(row["alert_id"]),
        "borrower_id": row["subject"],
        "loan_id": row["loan"],
        "indicator": row["indicator"],
        "severity": row["severity"],
        "status": row["status"],
        "raised_on": row["raised_on"].isoformat(),
        "blocks": row["blocks"],
        "snoozed_until": _iso(row["snoozed_until"]),
        "by": row["by"],
        "reason": row["reason"],
        "rule": row["rule"],
        "ends_with_release": row["ending"],
    }


async def taken_in(connection: Any, event_ids: list[str]) -> set[str]:
    """Which of these events of the inbox the tables already show."""
    return {str(row["event_id"]) for row in await connection.fetch(_TAKEN_IN, event_ids)}


async def indicators(connection: Any, borrower_id: str) -> dict[str, Any] | None:
    """A borrower's levels, and the months that they were compared in; None: not known."""
    party = await connection.fetchrow(_BORROWER, borrower_id)
    if party is None:
        return None
    closed = await last_closed(connection) or date.min
    earliest = closed - timedelta(days=31 * FIGURE_MONTHS) if closed.year > FIGURE_MONTHS else closed
    months: dict[str, list[dict[str, Any]]] = {}
    for row in await connection.fetch(_FIGURES, borrower_id, earliest):
        months.setdefault(row["indicator"], []).append(
            {
                "month": f"{row['month']:%Y-%m}",
                "value": shown(row["value"]),
                "figure": shown(row["figure"]),
                "level": shown(row["level"]),
                "crossed": row["crossed"],
            }
        )
    return {
        "borrower_id": borrower_id,
        **dict(party),
        "indicators": [
            {
                "indicator": row["indicator"],
                "unit": row["unit"],
                "level": shown(row["level"]),
                "figure": None if row["figure"] is None else shown(Decimal(row["figure"])),
                "in_alert": row["in_alert"],
                "learned_months": row["months"],
                "months": months.get(row["indicator"], []),
            }
            for row in await connection.fetch(_LEVELS, borrower_id)
        ],
        "set_aside": [
            {"signal_id": str(row["signal_id"]), "rule": row["rule"], "reason": row["reason"]}
            for row in await connection.fetch(_ASIDE, borrower_id)
        ],
    }


async def loans(connection: Any, borrower_id: str) -> list[dict[str, Any]]:
    """A borrower's loans with days past due, bucket and class as of the last closed date."""
    closed = await last_closed(connection)
    return [_loan_view(row, closed) for row in await connection.fetch(_LOANS, borrower_id)]


async def classification(connection: Any, loan_id: str) -> dict[str, Any] | None:
    """A loan's class, the policy row that gave it, and every change; None: not known."""
    row = await connection.fetchrow(_LOAN, loan_id)
    if row is None:
        return None
    view = _loan_view(row, await last_closed(connection))
    changes = [
        {
            "event_id": str(change["event_id"]),
            "as_of": change["as_of"].isoformat(),
            "old": change["old"],
            "new": change["new"],
            "days_past_due": change["days_past_due"],
            "policy": change["policy"],
            "trigger": change["trigger"],
        }
        for change in await connection.fetch(_CLASSES, loan_id)
    ]
    return view | {"changes": changes}


def _loan_view(row: Any, closed: date | None) -> dict[str, Any]:
    code = row["currency"]
    days = days_past_due(row["past_due_since"], closed) if closed else None
    return {
        "loan_id": row["loan"],
        "borrower_id": row["subject"],
        "status": row["status"],
        "currency": code or None,
        "principal_outstanding": decimal_text(row["principal"], code) if code else None,
        "past_due": decimal_text(row["past_due"], code) if code else None,
        "past_due_since": _iso(row["past_due_since"]),
        "days_past_due": days,
        "bucket": None if closed is None or days is None else bucket_of(days, buckets_on(closed)),
        "class": row["class"],
        "policy": row["policy"] or None,
        "restructured": row["restructured"],
        "watched_until": _iso(row["watched_until"]),
        "charged_off_on": _iso(row["charged_off_on"]),
        "written_off": decimal_text(row["written_off"], code) if code else None,
        "parked": row["parked"],
        "as_of": _iso(closed),
    }


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


async def figures(connection: Any) -> dict[str, Any]:
    """Counts for `status`: borrowers, loans, alerts that are open or acknowledged by severity, red ones that block."""
    severities = {row["severity"]: row["count"] for row in await connection.fetch(_BY_SEVERITY)}
    counts = await connection.fetchrow(_COUNTS)
    return {"borrowers": counts["borrowers"], "alerts": severities, "blocking_alerts": counts["blocking"]}


_BY_SEVERITY = """
SELECT severity, count(*) FROM alert WHERE status IN ('open', 'acknowledged') GROUP BY severity ORDER BY severity
"""
_COUNTS = """
SELECT (SELECT count(*) FROM borrower) AS borrowers,
       (SELECT count(*) FROM alert WHERE blocks AND status IN ('open', 'acknowledged', 'snoozed')) AS blocking
"""
