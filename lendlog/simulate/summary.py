"""What came of a simulation, in figures."""

from typing import Any, Protocol

from lendlog.platform import Platform
from lendlog.services import SERVICES, schemas_of
from lendlog.simulate.applications_desk import ApplicationsDesk
from lendlog.simulate.books_desk import BooksDesk
from lendlog.simulate.client import Client
from lendlog.simulate.watch_desks import WatchDesks
from shared.database import connect
from shared.settings import ServiceSettings


class Desks(Protocol):
    """What is counted where it happens."""

    client: Client
    applications: ApplicationsDesk
    books: BooksDesk
    watch: WatchDesks


# The policy's own decision, once an application is submitted; people may decide otherwise, and borrowers withdraw.
_POLICY_DECIDED = """
SELECT count(*) FILTER (WHERE outcome = 'approved') AS approved,
       count(*) FILTER (WHERE outcome = 'referred') AS referred,
       count(*) FILTER (WHERE outcome = 'declined') AS declined
FROM application
"""
_STATUS_AT_END = "SELECT status, count(*) AS n FROM application GROUP BY status ORDER BY status"
_ALERTS = """
SELECT count(*) FILTER (WHERE type LIKE '%AlertRaised%') AS raised,
       count(*) FILTER (WHERE type LIKE '%AlertReleased%') AS released,
       count(*) FILTER (WHERE type LIKE '%AlertResolved%') AS resolved,
       (SELECT count(*) FROM set_aside) AS signals_set_aside
FROM alert_event
"""
_CASES = """
SELECT count(*) FILTER (WHERE type LIKE '%CaseOpened%') AS opened,
       count(*) FILTER (WHERE type LIKE '%CaseReopened%') AS reopened,
       count(*) FILTER (WHERE type LIKE '%CaseClosed%') AS closed
FROM case_event
"""
_PROMISES = "SELECT status, count(*) AS n FROM promise GROUP BY status ORDER BY status"
_EVENTS = "SELECT coalesce(sum(events), 0)::bigint FROM position"


async def summed_up(platform: Platform, settings: ServiceSettings, lender: Desks) -> dict[str, Any]:
    """What came of it, read from what the services keep, by the reader's role."""
    found: dict[str, dict[str, Any]] = {"events": {}}
    for name in SERVICES:
        connection = await connect(platform.url("reader"), schemas_of(name, settings).schema)
        try:
            found["events"][name] = await connection.fetchval(_EVENTS)
            if name == "origination":
                found["policy_decided"] = dict(await connection.fetchrow(_POLICY_DECIDED))
                found["status_at_end"] = {row["status"]: row["n"] for row in await connection.fetch(_STATUS_AT_END)}
            elif name == "monitoring":
                found["alerts"] = dict(await connection.fetchrow(_ALERTS))
            elif name == "collections":
                found["cases"] = dict(await connection.fetchrow(_CASES))
                found["promises"] = {row["status"]: row["n"] for row in await connection.fetch(_PROMISES)}
        finally:
            await connection.close()
    books = lender.books
    return {
        "applications": sum(found["status_at_end"].values()),
        "policy_decided": found["policy_decided"],
        "status_at_end": found["status_at_end"],
        "loans_paid_out": lender.applications.paid_out,
        "payments": books.payments,
        "reversals": books.reversals,
        "signals": books.signals,
        "alerts": found["alerts"],
        "cases": found["cases"],
        "promises": found["promises"],
        "reminders": lender.watch.reminders.document(),
        "refusals": dict(sorted(lender.client.refusals.items())),
        "events": found["events"],
        "requests": lender.client.requests,
    }
