"""What an API process has, without its HTTP, and the log as a reader sees it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.ledger.commands import LedgerCommands, ReceivePayment
from shared.events.envelope import new_event_id
from shared.partitioner import partition_for
from shared.streams.command_outbox import CommandRelay
from shared.streams.kafka import KafkaPublisher
from shared.topics import LIFECYCLE
from tests.places import Place

OPEN = date(2024, 1, 31)
PARTITIONS = 4


@dataclass(slots=True)
class Api:
    """What an API process has, without its HTTP."""

    place: Place
    pool: asyncpg.Pool
    commands: LedgerCommands
    relays: list[CommandRelay]

    def relay(self, new_publisher: Callable[[], Any] | None = None) -> CommandRelay:
        name = f"{self.place.prefix}ledger-api"
        relay = CommandRelay(
            self.pool,
            new_publisher or (lambda: KafkaPublisher(self.place.kafka_bootstrap, name)),
            name=name,
            partitions=PARTITIONS,
        )
        self.relays.append(relay)
        return relay

    def wake(self) -> None:
        for relay in self.relays:
            relay.wake()

    async def waiting(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM outbox"))

    async def none_waiting(self) -> bool:
        return await self.waiting() == 0


@contextlib.asynccontextmanager
async def running(*relays: CommandRelay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for relay in relays:
            relay.stop()
        await asyncio.gather(*tasks)


async def published(place: Place) -> dict[int, list[Any]]:
    """Every committed record of the log, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.kafka_bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        parts = [TopicPartition(place.prefix + LIFECYCLE.name, number) for number in range(PARTITIONS)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        records: dict[int, list[Any]] = {number: [] for number in range(PARTITIONS)}
        quiet = 0
        while quiet < 3:
            fetched = await consumer.getmany(timeout_ms=300)
            quiet = 0 if fetched else quiet + 1
            for at, found in fetched.items():
                records[at.partition].extend(found)
        return records
    finally:
        await consumer.stop()


def ids(records: dict[int, list[Any]], loan_id: str) -> list[str]:
    found = records[partition_for(loan_id.encode(), PARTITIONS)]
    return [json.loads(record.value)["id"] for record in found if record.key == loan_id.encode()]


def pay(loan_id: str, event_id: str | None = None) -> ReceivePayment:
    return ReceivePayment(loan_id, "1.00", "EUR", None, None, event_id or new_event_id())
