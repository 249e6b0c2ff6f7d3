"""Collections on real servers: its worker and its API as processes, and what others would publish."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from lendlog.servers.processes import free_port
from lendlog.servers.provision import provision_scratch
from services.collections.service import SERVICE
from shared.access import issue
from shared.database import connect, open_pool
from shared.events import ledger, parties
from shared.events.envelope import BOOK, Envelope
from shared.partitioner import partition_for
from shared.streams.subject_store import create_tables
from shared.topics import LEDGER_EVENTS, PARTIES
from tests.places import Place

PARTITIONS = 2
DEADLINE_SECONDS = 90.0
TIME = "2026-03-01T10:00:00Z"


def event_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class Collections:
    """One place's collections."""

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
            kind="person", language="zh-CN", time_zone="Asia/Shanghai", country="CN", region="sichuan",
            industry="retail", size="person", channels=["email", "voice"],
        )  # fmt: skip
        event = parties.PartyRegistered(
            id=event_id(f"party {borrower}"), source="/origination", subject=borrower, time=TIME, data=party
        )
        await self.publish(PARTIES.name, [event])

    async def entry(
        self, borrower: str, booked: date, *, next_due: date, since: date | None = None, cash: str | None = None
    ) -> None:
        """The borrower's loan as the ledger tells it; `since`: past due with 500.00."""
        account = ledger.Account(
            status="active", principal_outstanding="6000.00", interest_due="0", past_due="500.00" if since else "0",
            past_due_since=since, next_due_date=next_due, overpaid="0", in_suspense="0",
        )  # fmt: skip
        postings = [] if cash is None else [
            ledger.Posting(
                debit="cash", credit="loans-receivable", amount=cash, currency="CNY", effective_date=booked
            )
        ]  # fmt: skip
        data = ledger.Entry(
            loan_id=f"{borrower}-loan", borrower_id=borrower, cause="a test", currency="CNY", booking_date=booked,
            postings=postings, account=account,
        )  # fmt: skip
        kind = ledger.InstalmentFellDue if since == booked else ledger.EntryPosted
        event = kind(
            id=event_id(f"{borrower} {booked} {since} {cash}"), source="/ledger", subject=borrower, time=TIME, data=data
        )
        await self.publish(LEDGER_EVENTS.name, [event])

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
        connection = await connect(self.place.url("collections"), self.schema)
        try:
            found: list[Any] = await connection.fetch(query, *values)
            return found
        finally:
            await connection.close()

    async def until(self, condition: str, *processes: "Process") -> None:
        """Wait until an SQL condition holds in the worker's schema."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (await self.fetch(f"SELECT {condition} AS held"))[0]["held"]:
            text = "\n".join(process.complaints() for process in processes)
            assert all(process.running for process in processes), text
            assert time.monotonic() < deadline, f"{condition} does not hold\n{text}"
            await asyncio.sleep(0.05)

    async def until_open(self, day: date, *processes: "Process") -> None:
        """Wait until a date is open."""
        await self.until(f"(SELECT min(open_date) FROM position) = '{day}'", *processes)

    async def digest(self) -> dict[str, Any]:
        connection = await connect(self.place.url("collections"), self.schema)
        try:
            return await SERVICE.digest(connection)
        finally:
            await connection.close()

    async def replayed(self, batch: int) -> dict[str, Any]:
        """The digest of a replay of the inbox into a schema of its own."""
        schema, settings = f"{self.place.name}_collections_scratch", self.place.settings()

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

    async def tokens(self, *roles: str) -> dict[str, str]:
        """A token a role."""
        connection = await connect(self.place.url("collections_api"), SERVICE.api_schema(self.place.settings()))
        try:
            return {role: await issue(connection, name=role, role=role) for role in roles}
        finally:
            await connection.close()


class Process:
    """A process of the service: `app` (the worker) or `api`."""

    def __init__(self, place: Place, module: str, log: Path, **variables: str) -> None:
        self.log = log
        role = "collections_api" if module == "api" else "collections"
        self.url = ""
        if module == "api":
            port = str(free_port(0))
            variables |= {"LENDLOG_PORT": port}
            self.url = f"http://127.0.0.1:{port}"
        environment = place.environment(role, LENDLOG_SESSION_SECONDS="1.5", **variables)
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"services.collections.{module}"],
                env=environment, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def complaints(self) -> str:
        """What its log says besides what is usual."""
        lines = (line for line in self.log.read_text().splitlines() if '"level": "info"' not in line)
        return "\n".join(line[-1500:] for line in lines)[-4000:]

    async def ready(self, http: httpx.AsyncClient) -> None:
        """Wait until the API serves."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert self.running, self.complaints()
            assert time.monotonic() < deadline, self.complaints()
            try:
                if (await http.get(f"{self.url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self.running:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


@contextmanager
def process(place: Place, module: str, folder: Path, **variables: str) -> Iterator[Process]:
    one = Process(place, module, folder / f"{module}.log", **variables)
    try:
        yield one
    finally:
        one.kill()
