"""A lender at work, for the stories: what its people do through the APIs, the days that pass, and what must hold after.

Everything is real: four services' processes, Apache Kafka, PostgreSQL, an SMTP server.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import httpx

from lendlog.digest_command import digest_of_service
from lendlog.platform import Platform
from lendlog.replay_command import replay_service
from lendlog.services import SERVICES, schemas_of
from lendlog.settling import Settling
from lendlog.verify_command import verify_books
from shared.database import connect
from shared.settings import ServiceSettings

SETTLE_SECONDS = 120.0
"""For a machine with much else to do."""


class Refused(AssertionError):
    """An API's answer was a problem document; a story that expects one catches it."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(f"{status}: {document}")
        self.status = status
        self.rule = str(document.get("type", "")).rpartition("/")[2]
        self.document = document


class Lender:
    """Speaks to the running platform."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient, mails: list[Any]) -> None:
        self.platform = platform
        self.http = http
        self.mails = mails
        """Messages that the SMTP server took, newest last (email.message.EmailMessage, with `to` of the envelope)."""
        self.tokens = platform.tokens()
        self.settling: Settling | None = None

    async def call(self, role: str, service: str, method: str, path: str, body: Any = None, **query: str) -> Any:
        """One request as a role; the answer's document. Raises Refused."""
        answer = await self.http.request(
            method,
            f"{self.platform.api_url(service)}{path}",
            json=body,
            params=query,
            headers={
                "authorization": f"Bearer {self.tokens[role]}",
                **({"idempotency-key": str(uuid.uuid4())} if method == "POST" else {}),
            },
        )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, answer.json())
        return answer.json()

    async def today(self) -> date:
        """The open business date; the book is opened on 2024-01-01 if nobody did."""
        book = await self.call("auditor", "ledger", "GET", "/v1/book")
        if book.get("open_date") is None:
            await self.call("operator", "ledger", "POST", "/v1/book", {"business_date": "2024-01-01"})
            await self.settle()
            return date(2024, 1, 1)
        return date.fromisoformat(book["open_date"])

    async def pass_days(self, days: int) -> date:
        """Close this many business dates; everything that follows is through. Returns the open date."""
        today = await self.today()
        for _ in range(days):
            await self.call("operator", "ledger", "POST", "/v1/book/closings", {"business_date": today.isoformat()})
            today += timedelta(days=1)
        await self.settle()
        return today

    async def pass_to(self, day: date) -> None:
        """Close dates until `day` is open."""
        await self.pass_days((day - await self.today()).days)

    async def settle(self) -> None:
        """Wait until every service has taken in everything, and has sent on what followed."""
        if self.settling is None:
            self.settling = Settling(
                bootstrap=self.platform.kafka_bootstrap,
                reader_url=self.platform.url("reader"),
                settings=ServiceSettings(),
                services=SERVICES,
            )
            await self.settling.__aenter__()
        await self.settling.until_settled(SETTLE_SECONDS)

    async def close(self) -> None:
        """Let go of what `settle` holds."""
        if self.settling is not None:
            await self.settling.__aexit__()

    async def rows(self, service: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """What a service keeps, by the reader's role."""
        connection = await connect(self.platform.url("reader"), schemas_of(service, ServiceSettings()).schema)
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def digest(self, service: str) -> dict[str, Any]:
        """The digest of what a service keeps."""
        connection = await connect(self.platform.url("reader"), schemas_of(service, ServiceSettings()).schema)
        try:
            return await digest_of_service(service, connection)
        finally:
            await connection.close()

    async def proves_itself(self, services: Sequence[str] = SERVICES) -> None:
        """The books verify, and each service's replay from its log is what it keeps."""
        await self.settle()
        connection = await connect(self.platform.url("reader"), ServiceSettings().ledger_schema)
        try:
            audit = await verify_books(self.platform, connection)
        finally:
            await connection.close()
        assert audit.ok, audit.document()
        for service in services:
            live = await self.digest(service)
            again = await replay_service(self.platform, service, batch=1000, processes=1)
            assert again["digest"] == live["digest"], f"{service}: live {live}, replayed {again}"


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition gives once it is true; for what does not show in positions (a mail that arrives)."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.05)
        return found
