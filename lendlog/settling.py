"""Whether everything that was sent has been taken in by every service, and all that followed has been sent on."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from lendlog.services import OF_BORROWERS, of_borrowers, schemas_of
from shared.database import connect, quoted
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams.kafka import KafkaLog
from shared.topics import LIFECYCLE

POLL_SECONDS = 0.1
_WORKERS = """
SELECT p.partition, p.next_offset, p.halted, p.outbox_next > r.outbox_mark AS unpublished
FROM position p JOIN relay r USING (partition) ORDER BY p.partition
"""


class Settling:
    """Looks at positions, outboxes and copies of the given services. Use as an async context manager."""

    def __init__(self, *, bootstrap: str, reader_url: str, settings: ServiceSettings, services: Sequence[str]) -> None:
        """`settings` has the names (prefixes, schemas) and the number of partitions."""
        self._bootstrap, self._url, self._settings, self._services = bootstrap, reader_url, settings, tuple(services)
        self._log = KafkaLog(bootstrap)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._connections: dict[str, Any] = {}
        self._commands: dict[str, str] = {}

    async def __aenter__(self) -> "Settling":
        await self._log.start()
        await self._admin.start()
        for service in self._services:
            schemas = schemas_of(service, self._settings)
            self._connections[service] = await connect(self._url, schemas.schema)
            self._commands[service] = f"SELECT EXISTS (SELECT FROM {quoted(schemas.api_schema)}.outbox)"
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections.values():
            await connection.close()
        await self._admin.close()
        await self._log.stop()

    async def until_settled(self, seconds: float) -> None:
        """Wait until nothing is under way any more. MissingPrecondition names what is, after `seconds` without an end,
        or a partition that halted."""
        deadline = time.monotonic() + seconds
        while (what := await self.under_way()) is not None:
            if time.monotonic() > deadline:
                raise MissingPrecondition(f"Not everything was taken in within {seconds:.0f} s: {what}.")
            await asyncio.sleep(POLL_SECONDS)

    async def under_way(self) -> str | None:
        """What is under way at the moment, in words; None: nothing, and so nothing will be unless somebody acts.

        Upstream first: what a service has still to send on is seen before those who read it are asked.
        """
        for service in self._services * 2:  # twice, for what came meanwhile to one that had been asked already
            if await self._connections[service].fetchval(self._commands[service]):
                return f"a command of {service} is not on the log yet"
            if service in OF_BORROWERS and (what := await self._copying(service)):
                return what
            if what := await self._taking_in(service):
                return what
        return None

    async def _taking_in(self, service: str) -> str | None:
        topic = LIFECYCLE if service == "ledger" else of_borrowers(service).inbox
        rows = await self._connections[service].fetch(_WORKERS)
        for row in rows:
            where = f"partition {row['partition']} of {service}"
            if row["halted"]:
                raise MissingPrecondition(f"{where} stopped: {row['halted']}")
            if row["unpublished"]:
                return f"{where} has something to send on"
        name = self._settings.topic_prefix + topic.name
        unread = await self._log.first_unread({(name, row["partition"]): row["next_offset"] for row in rows})
        return None if unread is None else f"partition {unread[1]} of {service} has something to take in"

    async def _copying(self, service: str) -> str | None:
        """What the service's merger has still to copy."""
        prefix = self._settings.topic_prefix
        offsets = await self._admin.list_consumer_group_offsets(f"{prefix}{service}-merger")
        copied = {(at.topic, at.partition): max(found.offset, 0) for at, found in offsets.items()}
        places = [
            (prefix + topic.name, partition)
            for topic in of_borrowers(service).inbox.copies
            for partition in range(self._settings.partitions)
        ]
        unread = await self._log.first_unread({place: copied.get(place, 0) for place in places})
        if unread is None:
            return None
        return f"partition {unread[1]} of {unread[0].removeprefix(prefix)} has something to copy for {service}"
