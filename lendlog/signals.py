"""Run a coroutine so that Ctrl-C, SIGTERM and a closed terminal let it clean up."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal ended the coroutine, after its clean-up. Exit code: 128 + its number, as shells have it."""


def run_to_end(main: Coroutine[Any, Any, T]) -> T:
    """Run `main`. The first signal cancels it; its context managers then clean up, whatever signals follow.

    Raises Stopped after a signal.
    """
    received: list[signal.Signals] = []

    async def watched() -> T:
        task = asyncio.ensure_future(main)
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            received.append(number)
            if len(received) == 1:
                task.cancel()

        for number in ENDING:
            loop.add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        if not received:
            raise
        raise Stopped(128 + received[0]) from None
