"""Speaks to the services' APIs as the lender's people do: a role's token, an idempotency key, another try when a
process is away."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from lendlog.simulate.journal import Journal
from shared.errors import MissingPrecondition

AT_ONCE = 16
"""Requests under way: enough to keep the services' processes busy."""
AGAIN_SECONDS_MAX = 90.0
"""A process that is away is waited for this long: a restart and a claim last some 20 s."""
AGAIN_SECONDS = 0.2


class Refused(Exception):
    """An API refused a request by one of its rules."""

    def __init__(self, status: int, rule: str, detail: str) -> None:
        super().__init__(f"{status} {rule}: {detail}")
        self.status, self.rule, self.detail = status, rule, detail


class Client:
    """Requests to one platform's APIs. Use as an async context manager."""

    def __init__(self, urls: Mapping[str, str], tokens: Mapping[str, str], *, keys: str) -> None:
        """`urls`: of the APIs, by service; `tokens`: by role; `keys` begins every idempotency key."""
        self._urls, self._tokens, self._keys = urls, tokens, keys
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession
        self.requests = 0
        self.refusals: Counter[str] = Counter()
        """By rule: those that `attempt` took."""
        self.journal: Journal | None = None
        """What is answered from it is not asked; what is asked is written into it."""

    async def __aenter__(self) -> "Client":
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, role: str, service: str, path: str, **query: str) -> Any:
        """What stands at a path."""
        asked = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
        name = f"GET {service} {path}?{asked}"
        return await self._recalled(name, lambda: self._request(role, service, "GET", path, None, {}, query))

    async def post(self, role: str, service: str, path: str, body: Any = None, *, key: str) -> Any:
        """A command; the same `key` again is the same command. Raises Refused."""
        once = {"idempotency-key": f"{self._keys}-{key}"}
        return await self._recalled(key, lambda: self._request(role, service, "POST", path, body, once, {}))

    async def attempt(self, role: str, service: str, path: str, body: Any = None, *, key: str) -> Any:
        """A command that a rule may well refuse, which is counted: None then."""
        try:
            return await self.post(role, service, path, body, key=key)
        except Refused as refused:
            if refused.status in (401, 403, 404):
                raise
            self.refusals[refused.rule] += 1
            return None

    async def read(self, name: str, reader: Callable[[], Awaitable[Any]]) -> Any:
        """Something that is read elsewhere and decides on what is done; JSON. Recalled like an answer."""

        async def ask() -> tuple[int, Any]:
            return 200, await reader()

        return await self._recalled(name, ask)

    def knows(self, key: str) -> bool:
        """Whether the command of this key is answered from the journal."""
        return self.journal is not None and self.journal.has(key)

    async def _recalled(self, name: str, ask: Callable[[], Awaitable[tuple[int, Any]]]) -> Any:
        if self.journal is not None and self.journal.has(name):
            self.requests += 1
            status, document = self.journal.recall(name)
        else:
            status, document = await ask()
            if self.journal is not None:
                self.journal.keep(name, [status, document])
        return _answered(status, document)

    async def _request(
        self,
        role: str,
        service: str,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> tuple[int, Any]:
        """Status and document; the status is below 500."""
        url, token = f"{self._urls[service]}{path}", {"authorization": f"Bearer {self._tokens[role]}"}
        deadline = time.monotonic() + AGAIN_SECONDS_MAX
        async with self._turn:
            while True:
                self.requests += 1
                try:
                    async with self._session.request(
                        method, url, json=body, params=query, headers={**token, **headers}
                    ) as answer:
                        if answer.status < 500:
                            return answer.status, await answer.json(content_type=None)
                        problem = f"it answers {answer.status}"
                except (aiohttp.ClientConnectionError, TimeoutError) as error:
                    problem = repr(error)
                if time.monotonic() > deadline:
                    raise MissingPrecondition(f"The API of {service} can't be used at {url}: {problem}.")
                await asyncio.sleep(AGAIN_SECONDS)


def _answered(status: int, document: Any) -> Any:
    if status < 400:
        return document
    rule = str(document.get("type", "")).rpartition("/")[2]
    raise Refused(status, rule, str(document.get("detail", "")))
