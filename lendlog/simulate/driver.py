"""Lets a plan's lender live on a running platform, a business date after the other, and sums up what came of it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from lendlog.platform import Platform
from lendlog.servers.home import read_json, write_private
from lendlog.services import SERVICES, schemas_of
from lendlog.signals_publishing import SignalPublisher
from lendlog.simulate.applications_desk import ApplicationsDesk
from lendlog.simulate.books_desk import BooksDesk
from lendlog.simulate.client import Client
from lendlog.simulate.journal import Journal
from lendlog.simulate.nightfall import Nightfall
from lendlog.simulate.plan import FIRST, Plan
from lendlog.simulate.summary import summed_up
from lendlog.simulate.watch_desks import WatchDesks
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.events.envelope import Envelope
from shared.settings import ServiceSettings

RECORD = "simulation.json"
"""In the home: which simulation its book holds, what came of it, and which borrower's number has which loan."""
JOURNAL = "simulation-journal.jsonl"
"""In the home until the simulation is whole: what it was answered."""


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
    """Live the plan's dates on the platform; returns the summary. Raises BookNotEmpty, ServiceMissing, JournalBroken.

    A book that holds this very simulation, whole, is left as it is, and its summary is returned. One that was killed
    goes on where it was (journal.py).

    Two books of one seed hold, borrower by borrower (RECORD numbers them), the same terms, payments and balances.
    Their digests differ in: ids that services draw (borrower, application, group), and those made of them (loan, alert,
    case); ids and `time` of first-hand events; what is derived from either: event ids, keys, and so partitions, offsets
    and the order of rows. Borrowers in other partitions have other peers in monitoring, and other ids break ties in
    queues: where a level moves with its peers, or more wait than people see in a day, lives may part (decision 0035).
    """
    plan = Plan(asked.seed, asked.loans, asked.months)
    if missing := set(SERVICES) - set(platform.services):
        raise ServiceMissing(f"{', '.join(sorted(missing))} does not run: unset LENDLOG_SERVICES.")
    record = platform.home.path / RECORD
    settings = ServiceSettings()
    async with AsyncExitStack() as stack:
        urls = {name: platform.api_url(name) for name in SERVICES}
        client = await stack.enter_async_context(Client(urls, platform.tokens(), keys=f"sim-{asked.seed}"))
        book = await client.get("auditor", "ledger", "/v1/book")
        held = read_json(record)
        if book["open_date"] is not None and held.get("asked") == asked.named() and "summary" in held:
            return dict(held["summary"])
        if book["open_date"] is None:
            write_private(record, {"asked": asked.named()})
        elif held.get("asked") != asked.named():
            raise _other_book(held, book["open_date"])
        journal = Journal(platform.home.path / JOURNAL, fresh=book["open_date"] is None)
        client.journal = stack.enter_context(journal)
        if book["open_date"] is not None:
            _require_same_life(journal, date.fromisoformat(book["open_date"]))
            say(f"the book is at {book['open_date']}: going on after {journal.count} answers")
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
        lender = Lender(client, plan, Outside(outside), nightfall, newly_due)
        await lender.live(say)
        summary = asked.named() | await summed_up(platform, settings, lender)
        summary["seconds"] = round(time.monotonic() - began, 1)
    loans = {str(number): one.loan_id for number, one in sorted(plan.payers.accounts.items())}
    write_private(record, {"asked": asked.named(), "summary": summary, "loans": loans})
    (platform.home.path / JOURNAL).unlink()
    return summary


def _other_book(record: dict[str, Any], open_date: str) -> BookNotEmpty:
    held = f"the simulation {json.dumps(record['asked'])}" if "asked" in record else "something else"
    if "asked" in record and "summary" not in record:
        held += ", not whole: ask for the same one again and it goes on. For another"
    return BookNotEmpty(
        f"The book is at {open_date} and holds {held}: simulate into a book of its own, "
        "for example with LENDLOG_HOME set to a new folder."
    )


def _require_same_life(journal: Journal, open_date: date) -> None:
    """Refuse a journal that is not of this book: the last closing that it tells of is the book's, or the one before."""
    closed = journal.names("close-")
    if (open_date - FIRST).days not in (closed, closed + 1):
        raise BookNotEmpty(
            f"The book is at {open_date}, and the journal of the simulation tells of {closed} dates from {FIRST} on: "
            "simulate into a book of its own, for example with LENDLOG_HOME set to a new folder."
        )


@dataclass(slots=True)
class Outside:
    """The publisher of signals; `quiet` on dates that are only recalled: their signals are on the topics."""

    publisher: SignalPublisher
    quiet: bool = False

    async def publish(self, signals: list[Envelope]) -> None:
        """Append the events, in order. A signal's id is drawn from the seed: sent twice, it counts once."""
        if not self.quiet:
            await self.publisher.publish(signals)

    async def until_copied(self, service: str) -> None:
        """As the publisher's."""
        await self.publisher.until_copied(service)


class Lender:
    """The desks, and the dates."""

    def __init__(
        self,
        client: Client,
        plan: Plan,
        outside: "Outside",
        nightfall: Nightfall,
        newly_due: Callable[[date], Awaitable[list[str]]],
    ) -> None:
        self.client, self.plan, self.outside, self.nightfall = client, plan, outside, nightfall
        self.applications = ApplicationsDesk(client, plan)
        self.books = BooksDesk(client, plan, outside, self.applications.borrower_ids)
        self.watch = WatchDesks(client, plan, self.applications.numbers, newly_due)
        self._waited = False
        """Whether anything was waited for: what the journal tells of had come to pass."""

    async def live(self, say: Callable[[str], None]) -> None:
        """Every date of the plan."""
        book = {"business_date": FIRST.isoformat()}
        await self.client.post("operator", "ledger", "/v1/book", book, key="open")
        month = 0
        for day in self.plan.days():
            await self._date(day)
            if day.month != month:
                month = day.month
                paid, payments = self.applications.paid_out, self.books.payments
                say(f"{day}: {paid} loans paid out, {payments} payments, {self.client.requests} requests")

    async def _date(self, day: date) -> None:
        """The morning on what was closed before; the day; its closing, once nothing is under way. A date whose closing
        the journal tells of is only recalled."""
        closing = f"close-{day}"
        self.outside.quiet = recalled = self.client.knows(closing)
        if not recalled and not self._waited:
            await self.nightfall.until_sent()
            await self.nightfall.until_taken_in(day - timedelta(days=1))
            self._waited = True
        await self.watch.work(day)
        await asyncio.gather(
            self.applications.work(day), self.applications.withdraw_consents(day), self.books.work(day)
        )
        if not recalled:
            await asyncio.gather(self.outside.until_copied("monitoring"), self.nightfall.until_sent())
            if self.client.journal is not None:
                self.client.journal.sync()
        body = {"business_date": day.isoformat()}
        await self.client.post("operator", "ledger", "/v1/book/closings", body, key=closing)
        if not recalled:
            await self.nightfall.until_taken_in(day)


_NEWLY_DUE = "SELECT subject FROM reminder WHERE on_date = $1"
