"""A process leaves in order, and never stays behind without one of its tasks."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

import asyncpg
import pytest

from shared.api import create_app
from shared.api.process import Build, EndedEarly, Served, serve
from shared.commands import Commands
from shared.settings import ServiceSettings
from shared.streams.command_outbox import CommandRelay
from shared.streams.ports import Message
from tests.integration.shared_api.events import payment

pytestmark = pytest.mark.servers


class Published:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def start(self) -> None: ...

    async def publish(self, messages: Iterable[Message]) -> None:
        self.messages.extend(messages)

    async def close(self) -> None: ...


def building(relay: CommandRelay | None, body: Callable[[], Coroutine[Any, Any, None]]) -> Build[ServiceSettings]:
    @contextlib.asynccontextmanager
    async def build(settings: ServiceSettings) -> AsyncIterator[Served]:
        services: Any = None
        yield Served(create_app("Test", (), {}, services), relay, {"watch": body})

    return build


async def test_on_sigterm_background_tasks_end_before_the_outbox_is_drained(pool: asyncpg.Pool) -> None:
    published = Published()
    relay = CommandRelay(pool, lambda: published, name="test", partitions=1)
    commands = Commands(pool, scope="test")

    async def watch() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            async with commands.unit("a") as unit:
                unit.publish("numbers", payment("a"))

    async with asyncio.timeout(10):
        await serve(ServiceSettings(), building(relay, watch))
    assert [(message.topic, message.key) for message in published.messages] == [("numbers", b"a")]
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_background_task_that_ends_ends_the_process(pool: asyncpg.Pool) -> None:
    async def fails() -> None:
        raise LookupError("no such thing")

    async def returns() -> None: ...

    for body, expected in ((fails, LookupError), (returns, EndedEarly)):
        relay = CommandRelay(pool, Published, name="test", partitions=1)
        with pytest.raises(expected):
            async with asyncio.timeout(10):
                await serve(ServiceSettings(), building(relay, body))
