"""Workers that join and leave under load, politely or not, in a seeded order."""

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest

from lendlog.histories import History
from tests.faults.ledger_run import Worker, assert_all_agree, caught_up, produce
from tests.places import Place

pytestmark = pytest.mark.servers
SEED = 91
LEAVE_SECONDS = 10.0


@pytest.mark.ops
async def test_three_workers_joining_and_leaving_under_load_change_nothing(places, tmp_path: Path) -> None:
    place: Place = await places(partitions=4)
    dice = random.Random(SEED)
    history = list(History(seed=SEED, loans=100, days=50, partitions=4, trouble=2).records())
    shares = 14
    running: list[Worker] = []
    left: list[tuple[signal.Signals, float]] = []

    async def produce_all() -> None:
        for n in range(shares):
            await produce(place, history[n * len(history) // shares : (n + 1) * len(history) // shares])
            await asyncio.sleep(0.6)  # a load over time, not a wait for anything

    def begin() -> None:
        name = f"worker-{len(left) + len(running)}.log"
        running.append(Worker(place, tmp_path / name, LENDLOG_BATCH_RECORDS="30", LENDLOG_CLOSING_CHUNK="5"))

    load = asyncio.create_task(produce_all())
    try:
        while not load.done():
            if len(running) < 3:
                begin()
            else:
                number = dice.choice((signal.SIGTERM, signal.SIGKILL))
                worker = running.pop(dice.randrange(3))
                started = time.monotonic()
                await asyncio.to_thread(worker.kill, number)
                left.append((number, time.monotonic() - started))
            await asyncio.sleep(dice.uniform(0.2, 1.2))  # seeded
        await load
        await caught_up(place, alive=running)
    finally:
        load.cancel()
        for worker in running:
            worker.kill()
    assert len(left) >= 3, f"seed {SEED}: {left}"
    assert max(seconds for _, seconds in left) < LEAVE_SECONDS, f"seed {SEED}: {left}"
    await assert_all_agree(place)
