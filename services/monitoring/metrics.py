"""Every metric of monitoring: portfolio at risk, alerts, signals set aside. No borrower and no loan is a label."""

import asyncio
from typing import Any

import asyncpg

from services.monitoring import queries
from services.monitoring.portfolio import PAR_DAYS
from services.monitoring.queries import DateNotClosed
from shared import telemetry
from shared.money import currency, minor_units
from shared.telemetry import gauge

REFRESH_SECONDS = 15.0
"""The portfolio changes when a date is closed; Prometheus scrapes as often."""

PAR = gauge(
    "lendlog_portfolio_at_risk_ratio",
    "ratio",
    "Outstanding principal of loans more than so many days past due, over all outstanding principal",
    "currency",
    "days",
)
OUTSTANDING = gauge("lendlog_portfolio_outstanding_minor", "minor", "Outstanding principal, in minor units", "currency")
NPL = gauge(
    "lendlog_portfolio_npl_ratio", "ratio", "Outstanding principal of non-performing loans, over all", "currency"
)
RESTRUCTURED = gauge(
    "lendlog_portfolio_restructured_ratio", "ratio", "Outstanding principal of restructured loans, over all", "currency"
)
WRITTEN_OFF = gauge(
    "lendlog_portfolio_written_off_ratio",
    "ratio",
    "Principal booked as a loss so far, over itself and what is still an asset",
    "currency",
)
LOANS = gauge("lendlog_portfolio_loans", "loans", "Loans with outstanding principal, by class", "currency", "class")
ALERTS = gauge(
    "lendlog_alerts_open", "alerts", "Alerts that are open, acknowledged or snoozed", "severity", "indicator"
)
BLOCKS = gauge("lendlog_alerts_blocking", "alerts", "Red alerts that nobody released yet")
ASIDE = gauge("lendlog_signals_set_aside", "signals", "Signals that did not count, by the rule that says why", "rule")
_ALERTS = "SELECT severity, indicator, count(*) AS n FROM alert WHERE status = ANY($1::text[]) GROUP BY 1, 2"
_BLOCKS = "SELECT count(*) FROM alert WHERE blocks"
_ASIDE = "SELECT rule, count(*) AS n FROM set_aside GROUP BY 1"
_log = telemetry.logger(__name__)


async def refresh(connection: Any) -> None:
    """Set every gauge from the tables."""
    ALERTS.clear()
    for row in await connection.fetch(_ALERTS, list(queries.OPEN)):
        ALERTS.labels(row["severity"], row["indicator"]).set(row["n"])
    BLOCKS.set(await connection.fetchval(_BLOCKS))
    for row in await connection.fetch(_ASIDE):
        ASIDE.labels(row["rule"]).set(row["n"])
    try:
        figures = (await queries.portfolio(connection))["currencies"]
    except DateNotClosed:
        return
    for metric in (PAR, OUTSTANDING, NPL, RESTRUCTURED, WRITTEN_OFF, LOANS):
        metric.clear()
    for code, one in figures.items():
        for days in PAR_DAYS:
            PAR.labels(code, days).set(one[f"par{days}"]["ratio"])
        OUTSTANDING.labels(code).set(minor_units(one["outstanding"], currency(code).code))
        NPL.labels(code).set(one["npl"]["ratio"])
        RESTRUCTURED.labels(code).set(one["restructured"]["ratio"])
        WRITTEN_OFF.labels(code).set(one["written_off"]["ratio"])
        for name, share in one["classes"].items():
            LOANS.labels(code, name).set(share["loans"])


async def keep_fresh(pool: asyncpg.Pool) -> None:
    """Refresh for as long as the process runs; a database that is away is asked again."""
    while True:
        try:
            async with pool.acquire() as connection:
                await refresh(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _log.warning("figures are not fresh", reason=str(error))
        await asyncio.sleep(REFRESH_SECONDS)
