"""A lender at work, for the stories: what its people do through the APIs, the days that pass, and what must hold after.

Everything is real: four services' processes, Apache Kafka, PostgreSQL, an SMTP server.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

import httpx

from lendlog.digest_command import digest_of_service
from lendlog.platform import Platform
from lendlog.replay_command import replay_service
from lendlog.services import SERVICES, schemas_of
from lendlog.settling import Settling
from lendlog.verify_command import verify_books
from shared.database import connect
from shared.settings import ServiceSettings
from tests.flow.mailbox import Mailbox

T = TypeVar("T")
SETTLE_SECONDS = 120.0
"""For a machine with much else to do."""
POLL_SECONDS = 0.05
AGAIN = (502, 503, 504)
"""Answers of a service that is not ready."""


class Refused(AssertionError):
    """An API's answer was a problem document; a story that expects one catches it."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(f"{status}: {document}")
        self.status = status
        self.rule = str(document.get("type", "")).rpartition("/")[2]
        self.document = document


class Lender:
    """Speaks to the running platform."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
        self.platform = platform
        self.http = http
        self.mailbox = mailbox
        self.calls = 0
        """How many requests have been made."""
        self.tokens = platform.tokens()
        self.settling: Settling | None = None

    async def call(self, role: str, service: str, method: str, path: str, body: Any = None, **query: str) -> Any:
        """One request as a role; the answer's document. Raises Refused.

        Who gets no answer asks again with the same key, as any caller should: what was done is not done twice.
        """
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        if method == "POST":
            headers["idempotency-key"] = str(uuid.uuid4())
        url = f"{self.platform.api_url(service)}{path}"
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                self.calls += 1
                with contextlib.suppress(httpx.TransportError):
                    answer = await self.http.request(method, url, json=body, params=query, headers=headers)
                    if answer.status_code not in AGAIN:
                        break
                await asyncio.sleep(POLL_SECONDS)
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

    @property
    def processes(self) -> set[str]:
        """The names of the services' processes."""
        return set(self.platform.run.processes) - {"postgres", "kafka"}

    def kill(self, process: str) -> None:
        """SIGKILL a process; the supervisor starts it again."""
        os.kill(self.platform.run.processes[process].pid, signal.SIGKILL)

    async def killing(self, process: str, step: Coroutine[Any, Any, T]) -> T:
        """Go through a step, and kill a process once the step's first request is under way."""
        before, under_way = self.calls, asyncio.create_task(step)
        await until(lambda: self.calls > before)
        self.kill(process)
        return await under_way

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
        await asyncio.gather(*(self._replays_itself(service) for service in services))

    async def _replays_itself(self, service: str) -> None:
        live = await self.digest(service)
        again = await replay_service(self.platform, service, batch=1000, processes=1)
        assert again["digest"] == live["digest"], f"{service}: live {live}, replayed {again}"


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition gives once it is true; for what does not show in positions (a mail that arrives)."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(POLL_SECONDS)
        return found
