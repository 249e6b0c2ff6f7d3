"""When a date may be closed, and when the next one may begin: nothing of it is still on its way between the services.

What people do next rests on what the services made of a date. So that a seed gives one life, a date is closed once all
that happened on it stands in every service's order, and the next begins once every service has closed it, and has taken
in what the others derived from it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from lendlog.services import OF_BORROWERS, SERVICES, of_borrowers, schemas_of
from lendlog.signals_publishing import until_open
from shared.database import connect, quoted
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.topics import LEDGER_EVENTS, MARKET, SIGNALS

LOOK_SECONDS = 0.02
READ_MS = 5
SECONDS_MAX = 120.0
"""A restart and a claim last some 20 s."""
_UNPUBLISHED = "SELECT count(*) FROM position JOIN relay USING (partition) WHERE outbox_next > outbox_mark"
_POSITIONS = "SELECT partition, next_offset FROM position"


class Nightfall:
    """Watches one platform's services. Use as an async context manager."""

    def __init__(self, *, bootstrap: str, reader_url: str, settings: ServiceSettings) -> None:
        self._bootstrap, self._url, self._settings = bootstrap, reader_url, settings
        self._connections: dict[str, Any] = {}
        self._outboxes = ""
        self._groups: dict[str, tuple[str, int, list[TopicPartition]]] = {}
        """Service → its merger's group, the group's coordinator, and what it copies from services."""
        self._inboxes: dict[str, list[TopicPartition]] = {}
        self._without_records: dict[TopicPartition, tuple[int, int]] = {}
        """Stretches of which reading has told that no record stands in them."""

    async def __aenter__(self) -> "Nightfall":
        prefix, partitions = self._settings.topic_prefix, range(self._settings.partitions)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        self._log = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=READ_MS,  # the broker answers one request after the other: ends wait behind a fetch
        )
        await self._log.start()
        names = {name: schemas_of(name, self._settings) for name in SERVICES}
        for name in SERVICES:
            self._connections[name] = await connect(self._url, names[name].schema)
        waiting = [f"SELECT FROM {quoted(one.api_schema)}.outbox" for one in names.values()]
        self._outboxes = "SELECT " + " OR ".join(f"EXISTS ({one})" for one in waiting)
        for name in OF_BORROWERS:
            service = of_borrowers(name)
            copies = [topic for topic in service.inbox.copies if topic not in (SIGNALS, MARKET, LEDGER_EVENTS)]
            parts = [TopicPartition(prefix + topic.name, n) for topic in copies for n in partitions]
            group = f"{prefix}{name}-merger"
            self._groups[name] = (group, await self._admin.find_coordinator(group), parts)
            self._inboxes[name] = [TopicPartition(prefix + service.inbox.name, n) for n in partitions]
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections.values():
            await connection.close()
        await self._log.stop()
        await self._admin.close()

    async def until_sent(self) -> None:
        """Wait until every command of people is on a topic, and copied into the inboxes of those who read it."""
        await _until(self._commands_are_out, "commands on the topics")
        await _until(self._copied, "what services said copied into the inboxes")

    async def until_taken_in(self, day: date) -> None:
        """Wait until every service has closed `day`, and has what the others derived from it."""
        for name in OF_BORROWERS:
            await until_open(self._connections[name], day + timedelta(days=1), name)
        await _until(self._derived_is_out, "what follows from the date on the topics")
        await _until(self._copied, "what follows from the date copied into the inboxes")
        await _until(self._taken_in, "the inboxes taken in")

    async def _commands_are_out(self) -> bool:
        return not await self._connections["ledger"].fetchval(self._outboxes)

    async def _derived_is_out(self) -> bool:
        return not any([await connection.fetchval(_UNPUBLISHED) for connection in self._connections.values()])

    async def _copied(self) -> bool:
        """Whether the mergers have copied all that services and people told but the ledger: its entries come before its
        closing of the date on their own partition, and that is waited for."""
        parts = sorted({part for _, _, some in self._groups.values() for part in some})
        ends = await self._log.end_offsets(parts)
        for group, coordinator, some in self._groups.values():
            offsets = await self._admin.list_consumer_group_offsets(group, coordinator, some)
            if await self._holds({part: max(0, offsets[part].offset) for part in some}, ends):
                return False
        return True

    async def _taken_in(self) -> bool:
        """Whether the services have folded what stands in their inboxes."""
        ends = await self._log.end_offsets([part for some in self._inboxes.values() for part in some])
        reached: dict[TopicPartition, int] = {}
        for name, parts in self._inboxes.items():
            rows = {row["partition"]: row["next_offset"] for row in await self._connections[name].fetch(_POSITIONS)}
            reached |= {part: rows[part.partition] for part in parts}
        return not await self._holds(reached, ends)

    async def _holds(self, starts: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> bool:
        """Whether a record stands anywhere from `starts` to `ends`: what else may stand there are the markers of
        transactions, which only reading tells."""
        left = {
            part: start
            for part, start in starts.items()
            if start < ends[part] and self._without_records.get(part) != (start, ends[part])
        }
        if not left:
            return False
        self._log.assign(list(left))
        for part, start in left.items():
            self._log.seek(part, start)
        deadline = time.monotonic() + SECONDS_MAX
        try:
            while time.monotonic() < deadline:
                if await self._log.getmany(timeout_ms=READ_MS, max_records=1):
                    return True
                if all([await self._log.position(part) >= ends[part] for part in left]):
                    self._without_records |= {part: (start, ends[part]) for part, start in left.items()}
                    return False
            return True
        finally:
            self._log.unsubscribe()


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not await condition():
        if time.monotonic() > deadline:
            raise MissingPrecondition(
                f"There is still not {what} after {SECONDS_MAX:.0f} s: look at `lendlog status` and the logs."
            )
        await asyncio.sleep(LOOK_SECONDS)
