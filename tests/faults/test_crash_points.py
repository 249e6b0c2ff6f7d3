"""SIGKILL at every named crash point: the list in code is the list that is tested."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from lendlog.histories import History, Produced
from services.ledger.commands import CloseDate, LedgerCommands, OpenBook, ReceivePayment
from services.ledger.worker import topics_of
from shared.database import open_pool
from shared.events.envelope import new_event_id
from shared.streams.crash_points import EXIT_CODE, POINTS
from tests.faults.ledger_run import Worker, assert_all_agree, caught_up, live_digest, produce, records_of, workers
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
SEED = 21
OF_THE_API = [point for point in POINTS if point.startswith("command-relay.")]
OF_THE_WORKER = [point for point in POINTS if point not in OF_THE_API]
SMALL = {"LENDLOG_CLOSING_CHUNK": "3", "LENDLOG_BATCH_RECORDS": "60"}
"""Every closing spans transactions, and the log lasts for all the crashes."""


async def _crash(place: Place, folder: Path, point: str, *, passing: int, kind: type[Worker] = Worker) -> None:
    """Start a worker that ends at the point, and wait until it has."""
    log = folder / f"{point}.hit"
    worker = kind(
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


async def _crash_at_each(place: Place, folder: Path, points: list[str], history: list[Produced]) -> None:
    """Produce the history share by share, and crash at one point after the other."""
    folder.mkdir()
    share = len(history) // len(points)
    for n, point in enumerate(points):
        await produce(place, history[n * share : None if n + 1 == len(points) else (n + 1) * share])
        await _crash(place, folder, point, passing=1 if point.startswith(("claim", "snapshots")) else 2)


async def test_a_kill_at_any_point_of_the_worker_changes_nothing_in_the_outcome(
    places: Callable[..., Awaitable[Place]], tmp_path: Path
) -> None:
    history = list(History(seed=SEED, loans=60, days=40, partitions=2, trouble=2).records())
    killed, also, calm = [await places(partitions=2) for _ in range(3)]
    await asyncio.gather(  # side by side: most of the time is a process's start, and the group's wait for the dead one
        _crash_at_each(killed, tmp_path / "one", OF_THE_WORKER[0::2], history),
        _crash_at_each(also, tmp_path / "two", OF_THE_WORKER[1::2], history),
    )
    await produce(calm, history)
    finishing = [Worker(place, tmp_path / f"{place.name}.log", **SMALL) for place in (killed, also, calm)]
    try:
        for place in (killed, also, calm):
            await caught_up(place, alive=finishing)
    finally:
        for worker in finishing:
            worker.kill()
    outcome = await assert_all_agree(killed)
    assert outcome == await assert_all_agree(also), f"seed {SEED}"
    assert outcome == await live_digest(calm), f"seed {SEED}"


class Api(Worker):
    """The API's process instead of a worker's."""

    module = "services.ledger.api"
    role = "ledger_api"


async def test_a_kill_at_any_point_of_the_apis_relay_changes_nothing_in_the_outcome(
    places: Callable[..., Awaitable[Place]], tmp_path: Path
) -> None:
    place = await places(partitions=2)
    pool = await open_pool(place.url("ledger_api"), place.api_schema)
    commands = LedgerCommands(pool, place.partitions, topics_of(place.settings()).lifecycle)
    day, recorded = date(2025, 1, 1), 1
    await commands.record(OpenBook(day, new_event_id()))
    for point in OF_THE_API:
        for n in range(20):
            await commands.record(ReceivePayment(f"L{n % 7}", "1.00", "CZK", None, None, new_event_id()))
        await commands.record(CloseDate(day + timedelta(days=OF_THE_API.index(point)), new_event_id()))
        recorded += 21
        await _crash(place, tmp_path, point, passing=1, kind=Api)
        assert await pool.fetchval("SELECT count(*) FROM outbox") > 0, "what the relay had in hand is still there"
    api = Api(place, tmp_path / "api.log")
    try:

        async def published() -> bool:
            assert not api.ended, api.complaints()
            return await pool.fetchval("SELECT count(*) FROM outbox") == 0

        await until(published, 30)
    finally:
        api.kill()
        await pool.close()
    with workers(place, tmp_path) as running:
        await caught_up(place, alive=running)
    outcome = await assert_all_agree(place)
    assert outcome["suspense"] == 20 * len(OF_THE_API)
    assert outcome["events"] == 20 * len(OF_THE_API) + (1 + len(OF_THE_API)) * place.partitions, recorded
    log = sum([len(await records_of(place, partition)) for partition in range(2)])
    assert log > outcome["events"], "a kill after the publication made it publish again"


def test_every_point_is_of_the_worker_or_of_the_api() -> None:
    assert sorted(OF_THE_API + OF_THE_WORKER) == sorted(POINTS)
    assert len(OF_THE_API) >= 2
    assert len(OF_THE_WORKER) >= 14
