"""Whether alerts are worth their readers' time: how many led to arrears, how early, how soon somebody took care; and
which groups' levels moved, instead of an alert for each member.

`connection`: asyncpg's, or a pool, its search path set to the worker's schema.
"""

from datetime import timedelta
from typing import Any

from services.monitoring import queries
from services.monitoring.queries import DateNotClosed

HORIZON_DAYS = 90
"""An alert was right if the borrower was more than 30 days past due within so many days."""

# Alerts old enough to be judged; `late_on`: when the borrower crossed the hard level after that.
_LED = """
WITH judged AS (
    SELECT a.indicator, a.raised_on, (
        SELECT min(hard.raised_on) FROM alert hard
        WHERE hard.subject = a.subject AND hard.indicator = 'days-past-due'
            AND hard.raised_on >= a.raised_on AND hard.raised_on <= a.raised_on + $2::int
    ) AS late_on
    FROM alert a WHERE a.indicator <> 'days-past-due' AND a.status <> 'superseded' AND a.raised_on <= $1
)
SELECT indicator, count(*) AS alerts, count(late_on) AS led,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY late_on - raised_on) FILTER (WHERE late_on IS NOT NULL) AS lead_days
FROM judged GROUP BY indicator ORDER BY indicator
"""
# Business days from an alert to whoever took care of it first.
_TAKEN = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY taken.open_date - alert.raised_on)
FROM alert JOIN (
    SELECT alert_id, min(open_date) AS open_date FROM alert_event
    WHERE type = 'monitoring.AlertAcknowledged.v1' GROUP BY alert_id
) taken USING (alert_id)
"""
# The last word on each group and market.
_SHIFTS = """
SELECT * FROM (
    SELECT DISTINCT ON (partition, indicator, segment) partition, indicator, segment, as_of,
        data::jsonb ->> 'new' AS shift, data::jsonb ->> 'unit' AS unit, data::jsonb ->> 'reason' AS reason
    FROM level_event WHERE subject IS NULL ORDER BY partition, indicator, segment, as_of DESC, event_id
) latest WHERE shift <> '0' ORDER BY indicator, segment, partition
"""


async def usefulness(connection: Any) -> dict[str, Any]:
    """Precision and median lead time by indicator, of alerts at least HORIZON_DAYS old; median days to the first
    acknowledgement. Raises DateNotClosed."""
    closed = await queries.last_closed(connection)
    if closed is None:
        raise DateNotClosed("No date is closed yet.")
    rows = await connection.fetch(_LED, closed - timedelta(days=HORIZON_DAYS), HORIZON_DAYS)
    return {
        "as_of": closed.isoformat(),
        "horizon_days": HORIZON_DAYS,
        "acknowledged_after_days": await connection.fetchval(_TAKEN),
        "indicators": [
            {
                "indicator": row["indicator"],
                "alerts": row["alerts"],
                "led_to_arrears": row["led"],
                "lead_days": row["lead_days"],
            }
            for row in rows
        ],
    }


async def shifts(connection: Any) -> list[dict[str, Any]]:
    """Peer groups and markets beyond their limits now, and by how much their members' levels are moved."""
    return [dict(row) | {"as_of": row["as_of"].isoformat()} for row in await connection.fetch(_SHIFTS)]
