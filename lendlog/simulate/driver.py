"""Lets a plan's lender live on a running platform, a business date after the other, and sums up what came of it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

from lendlog.platform import Platform
from lendlog.servers.home import read_json, write_private
from lendlog.services import SERVICES, schemas_of
from lendlog.signals_publishing import SignalPublisher
from lendlog.simulate.applications_desk import ApplicationsDesk
from lendlog.simulate.books_desk import BooksDesk
from lendlog.simulate.client import Client
from lendlog.simulate.nightfall import Nightfall
from lendlog.simulate.plan import FIRST, Plan
from lendlog.simulate.watch_desks import WatchDesks
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings

RECORD = "simulation.json"
"""In the home: which simulation its book holds, and what came of it."""


class BookNotEmpty(MissingPrecondition):
    """The book holds something else than this simulation."""


class ServiceMissing(MissingPrecondition):
    """A simulation needs all services."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which simulation."""

    loans: int
    months: int
    seed: int

    def named(self) -> dict[str, int]:
        """As it stands in documents."""
        return {"loans": self.loans, "months": self.months, "seed": self.seed}


async def simulate(platform: Platform, asked: Asked, say: Callable[[str], None]) -> dict[str, Any]:
    """Live the plan's dates on the platform; returns the summary. Raises BookNotEmpty, ServiceMissing.

    A book that holds this very simulation, whole, is left as it is, and its summary is returned.
    """
    plan = Plan(asked.seed, asked.loans, asked.months)
    if missing := set(SERVICES) - set(platform.services):
        raise ServiceMissing(f"{', '.join(sorted(missing))} does not run: unset LENDLOG_SERVICES.")
    record = platform.home.path / RECORD
    settings = ServiceSettings()
    async with AsyncExitStack() as stack:
        urls = {name: platform.api_url(name) for name in SERVICES}
        client = await stack.enter_async_context(Client(urls, platform.tokens(), keys=f"sim-{asked.seed}"))
        if (book := await client.get("auditor", "ledger", "/v1/book"))["open_date"] is not None:
            return _done_before(read_json(record), asked, book["open_date"])
        write_private(record, {"asked": asked.named()})
        outside = SignalPublisher(platform.kafka_bootstrap, settings)
        stack.push_async_callback(outside.stop)
        await outside.start()
        nightfall = await stack.enter_async_context(
            Nightfall(bootstrap=platform.kafka_bootstrap, reader_url=platform.url("reader"), settings=settings)
        )
        collections = await connect(platform.url("reader"), schemas_of("collections", settings).schema)
        stack.push_async_callback(collections.close)

        async def newly_due(day: date) -> list[str]:
            return [row["subject"] for row in await collections.fetch(_NEWLY_DUE, day)]

        began = time.monotonic()
        lender = _Lender(client, plan, outside, nightfall, newly_due)
        await lender.live(say)
        summary = asked.named() | await _summary(platform, settings, lender)
        summary["seconds"] = round(time.monotonic() - began, 1)
    write_private(record, {"asked": asked.named(), "summary": summary})
    return summary


def _done_before(record: dict[str, Any], asked: Asked, open_date: str) -> dict[str, Any]:
    if record.get("asked") == asked.named() and isinstance(record.get("summary"), dict):
        return dict(record["summary"])
    held = f"the simulation {json.dumps(record['asked'])}, not whole," if "asked" in record else "something else"
    if "summary" in record:
        held = f"the simulation {json.dumps(record['asked'])}"
    raise BookNotEmpty(
        f"The book is at {open_date} and holds {held}: simulate into a book of its own, "
        "for example with LENDLOG_HOME set to a new folder."
    )


class _Lender:
    """The desks, and the dates."""

    def __init__(
        self,
        client: Client,
        plan: Plan,
        outside: SignalPublisher,
        nightfall: Nightfall,
        newly_due: Callable[[date], Awaitable[list[str]]],
    ) -> None:
        self.client, self.plan, self.outside, self.nightfall = client, plan, outside, nightfall
        self.applications = ApplicationsDesk(client, plan)
        self.books = BooksDesk(client, plan, outside, self.applications.borrower_ids)
        self.watch = WatchDesks(client, plan, self.applications.numbers, newly_due)

    async def live(self, say: Callable[[str], None]) -> None:
        """Every date of the plan."""
        book = {"business_date": FIRST.isoformat()}
        await self.client.post("operator", "ledger", "/v1/book", book, key="open")
        await self.nightfall.until_sent()
        await self.nightfall.until_taken_in(date.fromordinal(FIRST.toordinal() - 1))
        month = 0
        for day in self.plan.days():
            await self._date(day)
            if day.month != month:
                month = day.month
                paid, payments = self.applications.paid_out, self.books.payments
                say(f"{day}: {paid} loans paid out, {payments} payments, {self.client.requests} requests")

    async def _date(self, day: date) -> None:
        """The morning on what was closed before; the day; its closing, once nothing is under way."""
        await self.watch.work(day)
        await asyncio.gather(
            self.applications.work(day), self.applications.withdraw_consents(day), self.books.work(day)
        )
        await asyncio.gather(self.outside.until_copied("monitoring"), self.nightfall.until_sent())
        body = {"business_date": day.isoformat()}
        await self.client.post("operator", "ledger", "/v1/book/closings", body, key=f"close-{day}")
        await self.nightfall.until_taken_in(day)


_NEWLY_DUE = "SELECT subject FROM reminder WHERE on_date = $1"
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


async def _summary(platform: Platform, settings: ServiceSettings, lender: _Lender) -> dict[str, Any]:
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
