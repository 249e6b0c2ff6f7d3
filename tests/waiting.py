"""Waiting for what another process or server does."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 15.0) -> None:
    """Until `condition` gives something true; TimeoutError after that."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # nobody rings: the other side is a server
            await asyncio.sleep(0.01)
