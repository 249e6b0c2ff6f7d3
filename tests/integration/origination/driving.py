"""A lender's office in tests: the real API and worker, and what the ledger and monitoring would tell them."""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from lendlog.servers.provision import provision_scratch
from lendlog.services import schemas_of
from services.origination.api.__main__ import build
from services.origination.explanation import why_decision
from services.origination.service import SERVICE
from shared.access import ROLES, issue
from shared.database import connect, open_pool
from shared.events.envelope import BOOK, Envelope, new_event_id
from shared.events.ledger import LedgerDateClosed, PartitionDate
from shared.events.monitoring import Alert
from shared.partitioner import partition_for
from shared.topics import ALERTS, LEDGER_EVENTS
from tests.places import Place
from tests.unit.origination.examples import months
from tests.waiting import until

OPENED = date(2024, 6, 10)
PARTITIONS = 2
PARTY = {
    "kind": "person",
    "language": "zh-CN",
    "time_zone": "Asia/Shanghai",
    "country": "CN",
    "region": "sichuan",
    "industry": "retail",
    "size": "person",
}
PERSONAL = {"name": "王小明", "contacts": {"email": "wang@example.com", "sms": "+8613800000000"}}
REQUEST = {
    "product": "consumer-equal-instalment",
    "amount": "20000.00",
    "currency": "CNY",
    "instalments": 12,
    "first_due_date": "2024-07-10",
    "purpose": "household",
}
STATEMENT: dict[str, Any] = {
    "currency": "CNY",
    "source": "bank-account",
    "months": months(6),
    "balance": {"as_of": "2024-05-31", "cash": "8000.00", "property": "50000.00", "debts": "5000.00"},
    "years_in_business": 5,
}
POOR = STATEMENT | {"months": months(6, "6500.00")}


@dataclass(slots=True)
class Office:
    """Calls the API as one of the roles, and tells the worker what others would."""

    place: Place
    http: httpx.AsyncClient
    tokens: dict[str, str]
    schema: str

    async def send(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = f"Bearer {self.tokens[who]}"
        return await self.http.request(method, path, json=body, headers=named)

    async def done(self, who: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        answer = await self.send(who, "POST", path, {} if body is None else body, **headers)
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def read(self, path: str, who: str = "officer") -> dict[str, Any]:
        answer = await self.send(who, "GET", path)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def token(self, name: str, role: str, borrower_id: str | None = None) -> None:
        """Let somebody in."""
        database = await connect(self.place.url("origination_api"), f"{self.schema}_api")
        try:
            self.tokens[name] = await issue(database, name=name, role=role, borrower_id=borrower_id)
        finally:
            await database.close()

    # The story so far ---------------------------------------------------------------------------------------------

    async def borrower(self, *, consent: bool = True, personal: Any = None) -> str:
        """Somebody registered, who agreed to automated decisions."""
        made = await self.done("officer", "/v1/parties", {"party": PARTY, "personal": personal or PERSONAL})
        borrower_id: str = made["borrower_id"]
        if consent:
            body = {"purpose": "automated-decision", "evidence": "store/consent"}
            await self.done("officer", f"/v1/parties/{borrower_id}/consents", body)
        return borrower_id

    async def draft(self, borrower_id: str, statement: Any = STATEMENT, **changes: Any) -> str:
        """An application that lacks nothing; its path."""
        started = await self.done("officer", "/v1/applications", REQUEST | {"borrower_id": borrower_id} | changes)
        path = f"/v1/applications/{started['application_id']}"
        await self.done("officer", f"{path}/statement", statement)
        for kind in ("identity", "income-proof"):
            document = {"kind": kind, "sha256": "0" * 64, "reference": f"store/{kind}"}
            await self.done("officer", f"{path}/documents", document)
        return path

    async def accept(self, path: str) -> httpx.Response:
        """Take what was offered."""
        shown = (await self.read(f"{path}/offer"))["shown_sha256"]
        body = {"shown_sha256": shown, "method": "signature", "evidence": "store/signed"}
        return await self.send("officer", "POST", f"{path}/acceptance", body)

    async def agreed(self) -> tuple[str, str]:
        """A borrower and the path of an application whose loan is agreed."""
        borrower_id = await self.borrower()
        path = await self.draft(borrower_id)
        assert (await self.done("officer", f"{path}/submission"))["status"] == "approved"
        await self.done("officer", f"{path}/offer")
        answer = await self.accept(path)
        assert answer.status_code == 202, answer.text
        return borrower_id, path

    # What others tell ---------------------------------------------------------------------------------------------

    async def publish(self, topic: str, *events: Envelope, everywhere: bool = False) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.place.kafka_bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            for event in events:
                key = event.subject.encode()
                for target in range(PARTITIONS) if everywhere else (partition_for(key, PARTITIONS),):
                    await producer.send_and_wait(self.place.prefix + topic, event.to_json(), key, target)
        finally:
            await producer.stop()

    async def close(self, day: date) -> None:
        """Every ledger partition closes the day, and the worker has taken it in."""
        for partition in range(PARTITIONS):
            data = PartitionDate(partition=partition, partitions=PARTITIONS, business_date=day)
            event = stated(LedgerDateClosed, BOOK, data)
            await self.publish(LEDGER_EVENTS.name, event, everywhere=True)
        await self.until(f"bool_and(open_date > DATE '{day}') FROM position")

    async def tell(self, kind: type[Envelope], borrower_id: str, alert: Alert) -> None:
        """Monitoring says something about an alert."""
        await self.publish(ALERTS.name, stated(kind, borrower_id, alert))

    # What is there ------------------------------------------------------------------------------------------------

    async def until(self, condition: str) -> None:
        """Wait until an SQL condition holds in the worker's schema."""
        database = await connect(self.place.url("origination"), self.schema)
        try:
            await until(lambda: database.fetchval(f"SELECT {condition}"), 60)
        finally:
            await database.close()

    async def why(self, application_id: str) -> dict[str, Any] | None:
        database = await connect(self.place.url("reader"), self.schema)
        try:
            return await why_decision(database, application_id)
        finally:
            await database.close()

    async def records(self, topic: str) -> list[tuple[bytes, bytes]]:
        """Key and value of everything on a topic."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.place.kafka_bootstrap, group_id=None, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            places = [TopicPartition(self.place.prefix + topic, number) for number in range(PARTITIONS)]
            ends = await consumer.end_offsets(places)
            consumer.assign(places)
            await consumer.seek_to_beginning()
            found = []
            while any([await consumer.position(one) < ends[one] for one in places]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.key or b"", record.value or b"") for record in records]
            return found
        finally:
            await consumer.stop()

    async def digests(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the live tables, and of a replay with one record a transaction."""
        database = await connect(self.place.url("origination"), self.schema)
        try:
            live = await SERVICE.digest(database)
        finally:
            await database.close()
        settings = self.place.settings()
        scratch = f"{self.place.name}_origination_scratch"
        await provision_scratch(
            self.place.url("replay"), scratch, PARTITIONS, schemas_of("origination", settings).create
        )
        pool = await open_pool(self.place.url("replay"), scratch)
        try:
            for partition in range(PARTITIONS):
                await SERVICE.replay(partition, settings, pool, batch=1)
            async with pool.acquire() as connection:
                return live, await SERVICE.digest(connection)
        finally:
            await pool.close()


def stated(kind: type[Envelope], subject: str, data: Any) -> Envelope:
    """An event that another service might have published."""
    return kind.model_validate(
        {
            "id": new_event_id(),
            "source": "/test",
            "subject": subject,
            "time": "2024-06-10T08:00:00Z",
            "data": data,
        }
    )


def alert(borrower_id: str, **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "alert_id": str(uuid.uuid4()),
        "borrower_id": borrower_id,
        "indicator": "inflow-fall",
        "severity": "red",
        "status": "open",
        "raised_on": OPENED,
        "blocks": True,
        "reason": "inflows fell",
        "rule": "inflow-fall@1",
        "inputs": {},
    }
    return Alert(**(values | changes))


@asynccontextmanager
async def worker(place: Place, service: str, log: Path) -> AsyncIterator[None]:
    """A service's worker as a process of its own."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"services.{service}.app",
            env=place.environment(service, LENDLOG_SESSION_SECONDS="1.5"),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield
        assert process.returncode is None, log.read_text()[-4000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def office(place: Place, log: Path) -> AsyncIterator[Office]:
    """API in this process, worker as a process of its own; no business date yet."""
    settings = place.settings("origination_api")
    schema = SERVICE.schema(settings)
    async with worker(place, "origination", log), build(settings) as served:
        assert served.relay is not None
        relaying = asyncio.create_task(served.relay.run())
        database = await connect(place.url("origination_api"), f"{schema}_api")
        tokens = {role: await issue(database, name=role, role=role) for role in ROLES - {"applicant"}}
        await database.close()
        transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://origination") as http:
                yield Office(place, http, tokens, schema)
        finally:
            served.relay.stop()
            await asyncio.wait_for(relaying, 10)
