"""SIGKILL at every named crash point: the list in code is the list that is tested."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lendlog.histories import History
from shared.streams.crash_points import EXIT_CODE, POINTS
from tests.faults.ledger_run import Worker, assert_all_agree, caught_up, live_digest, produce, workers
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
SEED = 21
OF_THE_API = [point for point in POINTS if point.startswith("command-relay.")]
OF_THE_WORKER = [point for point in POINTS if point not in OF_THE_API]
SMALL = {"LENDLOG_CLOSING_CHUNK": "3", "LENDLOG_BATCH_RECORDS": "60"}
"""Every closing spans transactions, and the log lasts for all the crashes."""


async def _crash(place: Place, folder: Path, point: str, *, passing: int) -> None:
    """Start a worker that ends at the point, and wait until it has."""
    log = folder / f"{point}.hit"
    worker = Worker(
        place, folder / "crashing.log", LENDLOG_CRASH_AT=f"{point}:{passing}", LENDLOG_CRASH_LOG=str(log), **SMALL
    )

    async def ended() -> bool:
        return worker.ended

    try:
        await until(ended, 40)
    finally:
        worker.kill()
    assert worker.process.returncode == EXIT_CODE, worker.complaints()
    assert log.read_text().split() == [point]


async def test_a_kill_at_any_point_of_the_worker_changes_nothing_in_the_outcome(
    places: Callable[..., Awaitable[Place]], tmp_path: Path
) -> None:
    history = list(History(seed=SEED, loans=70, days=45, partitions=2, trouble=2).records())
    killed, calm = await places(partitions=2), await places(partitions=2)
    share = len(history) // len(OF_THE_WORKER)
    await produce(calm, history)
    with workers(calm, tmp_path, **SMALL) as running:
        for n, point in enumerate(OF_THE_WORKER):
            last = n + 1 == len(OF_THE_WORKER)
            await produce(killed, history[n * share : None if last else (n + 1) * share])
            await _crash(killed, tmp_path, point, passing=1 if point.startswith(("claim", "snapshots")) else 2)
        await caught_up(calm, alive=running)
    with workers(killed, tmp_path, **SMALL) as running:
        await caught_up(killed, alive=running)
    outcome = await assert_all_agree(killed)
    assert outcome == await live_digest(calm), f"seed {SEED}"


def test_every_point_is_of_the_worker_or_of_the_api() -> None:
    assert sorted(OF_THE_API + OF_THE_WORKER) == sorted(POINTS)
    assert len(OF_THE_API) >= 2
    assert len(OF_THE_WORKER) >= 14
