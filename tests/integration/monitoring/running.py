"""Monitoring on real servers: its worker as a process, its API as an application, and what others would publish."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from lendlog.servers.provision import provision_scratch
from services.monitoring.access_matrix import MATRIX
from services.monitoring.api.routes import ROUTES, Services
from services.monitoring.service import SERVICE
from shared.access import issue
from shared.api import create_app
from shared.api.process import command_relay
from shared.commands import Commands
from shared.database import connect, open_pool
from shared.events import ledger, parties, signals
from shared.events.envelope import BOOK, Envelope
from shared.partitioner import partition_for
from shared.streams.subject_store import create_tables
from shared.topics import LEDGER_EVENTS, MARKET, PARTIES, SIGNALS
from tests.places import Place

PARTITIONS = 2
DEADLINE_SECONDS = 90.0
TIME = "2024-01-01T10:00:00Z"


def event_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class Monitoring:
    """One place's monitoring."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.schema = SERVICE.schema(place.settings())

    # What others publish ------------------------------------------------------------------------------------------

    async def publish(self, topic: str, events: Sequence[Envelope], partition: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.place.kafka_bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            for event in events:
                key = event.subject.encode()
                target = partition_for(key, PARTITIONS) if partition is None else partition
                await producer.send(self.place.prefix + topic, event.to_json(), key, target)
            await producer.flush()
        finally:
            await producer.stop()

    async def register(self, borrower: str) -> None:
        party = parties.Party(
            kind="business", language="en", time_zone="Asia/Shanghai", country="CN", region="north",
            industry="farming", size="micro", channels=[],
        )  # fmt: skip
        event = parties.PartyRegistered(
            id=event_id(f"party {borrower}"), source="/origination", subject=borrower, time=TIME, data=party
        )
        await self.publish(PARTIES.name, [event])

    async def entry(self, borrower: str, loan: str, booked: date, *, principal: str, since: date | None = None) -> None:
        """The loan as the ledger tells it."""
        account = ledger.Account(
            status="active", principal_outstanding=principal, interest_due="0", past_due="10.00" if since else "0",
            past_due_since=since, overpaid="0", in_suspense="0",
        )  # fmt: skip
        data = ledger.Entry(
            loan_id=loan, borrower_id=borrower, cause="a test", currency="CNY", booking_date=booked, postings=[],
            account=account,
        )  # fmt: skip
        name = event_id(f"{loan} {booked} {principal} {since}")
        event = ledger.EntryPosted(id=name, source="/ledger", subject=borrower, time=TIME, data=data)
        await self.publish(LEDGER_EVENTS.name, [event])

    async def moved(self, borrower: str, day: date, amount: str, **more: Any) -> str:
        fields = {"direction": "in", "balance": "100.00", "currency": "CNY"} | more
        data = signals.Movement(amount=amount, observed_on=day, **fields)
        name = event_id(f"{borrower} {day} {amount} {more}")
        event = signals.AccountMoved(id=name, source="/bank", subject=borrower, time=TIME, data=data)
        await self.publish(SIGNALS.name, [event])
        return name

    async def market(self, day: date, value: str) -> None:
        """The prices of farming in the north."""
        data = signals.Indicator(
            indicator="price-index", industry="farming", region="north", value=value, unit="index", observed_on=day
        )
        event = signals.IndicatorPublished(
            id=event_id(f"market {day}"), source="/market", subject="farming.north", time=TIME, data=data
        )
        await self.publish(MARKET.name, [event])

    async def close(self, first: date, last: date) -> None:
        """The ledger's partitions close dates, and tell every partition."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        for target in range(PARTITIONS):
            events = [
                ledger.LedgerDateClosed(
                    id=event_id(f"{day} {source}"), source="/ledger", subject=BOOK, time=TIME,
                    data=ledger.PartitionDate(partition=source, partitions=PARTITIONS, business_date=day),
                )
                for day in days
                for source in range(PARTITIONS)
            ]  # fmt: skip
            await self.publish(LEDGER_EVENTS.name, events, target)

    # What can be seen ---------------------------------------------------------------------------------------------

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        connection = await connect(self.place.url("monitoring"), self.schema)
        try:
            found: list[Any] = await connection.fetch(query, *values)
            return found
        finally:
            await connection.close()

    async def until(self, condition: str, worker: "Worker | None" = None) -> None:
        """Wait until an SQL condition holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (await self.fetch(f"SELECT {condition} AS held"))[0]["held"]:
            complaints = worker.complaints() if worker else ""
            assert worker is None or worker.process.poll() is None, complaints
            assert time.monotonic() < deadline, f"{condition} does not hold\n{complaints}"
            await asyncio.sleep(0.05)

    async def until_open(self, day: date, worker: "Worker") -> None:
        """Wait until a date is open, and all that followed is published."""
        await self.until(f"(SELECT min(open_date) FROM position) = '{day}'", worker)
        await self.until("NOT EXISTS (SELECT FROM outbox)", worker)

    async def digest(self) -> dict[str, Any]:
        connection = await connect(self.place.url("monitoring"), self.schema)
        try:
            return await SERVICE.digest(connection)
        finally:
            await connection.close()

    async def replayed(self, batch: int) -> dict[str, Any]:
        """The digest of a replay of the inbox into a schema of its own."""
        schema, settings = f"{self.place.name}_monitoring_scratch", self.place.settings()

        async def create(connection: Any, name: str, partitions: int) -> None:
            await create_tables(connection, name, SERVICE.migrations, partitions)

        await provision_scratch(self.place.url("replay"), schema, PARTITIONS, create)
        pool = await open_pool(self.place.url("replay"), schema)
        try:
            for partition in range(PARTITIONS):
                await SERVICE.replay(partition, settings, pool, batch=batch)
            async with pool.acquire() as connection:
                return await SERVICE.digest(connection)
        finally:
            await pool.close()

    @asynccontextmanager
    async def api(self, *roles: str) -> AsyncIterator["Client"]:
        """The API with its relay, and a token a role; an applicant is `applicant:<borrower>`."""
        settings = self.place.settings("monitoring_api")
        url, own = self.place.url("monitoring_api"), SERVICE.api_schema(settings)
        pool, worker = await open_pool(url, own, size=8), await open_pool(url, self.schema, size=8)
        relay = command_relay(pool, settings, "monitoring-api")
        publishing = asyncio.create_task(relay.run())
        async with pool.acquire() as connection:
            tokens = {
                name: await issue(connection, name=name, role=name.partition(":")[0], borrower_id=_bound(name))
                for name in roles
            }

        async def unready() -> list[str]:
            return []

        commands = Commands(pool, scope=own, on_recorded=relay.wake)
        services = Services(commands, pool, worker, unready, self.place.prefix)
        transport = httpx.ASGITransport(create_app("monitoring", ROUTES, MATRIX, services), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://monitoring") as http:
            try:
                yield Client(http, tokens)
            finally:
                relay.stop()
                await asyncio.wait([publishing], timeout=10)
                publishing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await publishing
                await pool.close()
                await worker.close()


def _bound(name: str) -> str | None:
    return name.partition(":")[2] or None


class Client:
    """Calls the API as one of the roles."""

    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.http, self.tokens = http, tokens

    async def send(self, role: str, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def get(self, path: str, role: str = "risk") -> Any:
        answer = await self.send(role, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def rule(answer: httpx.Response) -> str:
    """The rule that a refusal names."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).rpartition("/")[2]


class Worker:
    """The worker's process."""

    def __init__(self, place: Place, log: Path, **variables: str) -> None:
        self.log = log
        environment = place.environment("monitoring", LENDLOG_SESSION_SECONDS="1.5", **variables)
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.monitoring.app"],
                env=environment, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def complaints(self) -> str:
        """What its log says besides what is usual."""
        lines = (line for line in self.log.read_text().splitlines() if '"level": "info"' not in line)
        return "\n".join(line[-1500:] for line in lines)[-4000:]

    def kill(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


@contextmanager
def running(place: Place, folder: Path, **variables: str) -> Iterator[Worker]:
    one = Worker(place, folder / "worker.log", **variables)
    try:
        yield one
    finally:
        one.kill()
