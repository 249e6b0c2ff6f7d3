"""Broker and database killed and back under load; and leaving while they are away."""

import asyncio
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lendlog.histories import History
from lendlog.platform import Platform, _supervised
from lendlog.servers.supervisor import Embedded, Supervisor
from shared.settings import PlatformSettings
from tests.faults.ledger_run import Worker, assert_all_agree, caught_up, produce, workers
from tests.faults.test_repeats import rows
from tests.places import Place, new_place
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.ops, pytest.mark.alone]
SEED = 101
LEAVE_SECONDS = 10.0
SLOW = {"LENDLOG_BATCH_RECORDS": "15", "LENDLOG_CLOSING_CHUNK": "3"}
"""So that the load lasts."""


@pytest.fixture(scope="module")
def own(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Supervisor]]:
    """Servers of this module's own, which nobody repairs but the tests."""
    home = tmp_path_factory.mktemp("own")
    settings = PlatformSettings(home=home, postgres_url=None, kafka_bootstrap=None, postgres_port=0, kafka_port=0)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = _supervised(settings, lambda _: None)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))
    shutil.rmtree(home, ignore_errors=True)


async def kill(server: Any) -> None:
    """SIGKILL, and wait until it is gone."""
    assert server.child is not None
    server.child.send(signal.SIGKILL)
    assert await server.child.wait(10)


async def some_are_in(place: Place, running: list[Worker], more: int) -> None:
    """Until the books have at least so many more events: the load is under way."""

    async def count() -> int:
        for worker in running:
            assert not worker.ended, worker.complaints()
        return int((await rows(place, "SELECT sum(events)::int AS n FROM position"))[0]["n"])

    first = await count()

    async def further() -> bool:
        return await count() >= first + more

    await until(further, 40)


async def test_broker_and_database_killed_and_back_under_load_cost_nothing(
    own: tuple[Platform, Supervisor], tmp_path: Path
) -> None:
    platform, supervisor = own
    place = new_place(platform, 2)
    await place.create()
    servers: list[Embedded] = [server for server in (supervisor.kafka, supervisor.postgres) if server]
    assert len(servers) == 2
    history = list(History(seed=SEED, loans=80, days=50, partitions=2, trouble=1).records())
    third = len(history) // 3
    with workers(place, tmp_path, 2, **SLOW) as running:
        for n, server in enumerate((*servers, None)):
            await produce(place, history[n * third : (n + 1) * third if n < 2 else None])
            await some_are_in(place, running, 20)
            if server is not None:
                await kill(server)
                await asyncio.sleep(2.0)  # the outage
                await supervisor._repair(server)
        await caught_up(place, alive=running, seconds=90)
        for worker in running:
            assert not worker.ended, worker.complaints()
    await assert_all_agree(place)


@pytest.mark.parametrize("name", ["kafka", "postgres"])
async def test_a_worker_leaves_in_time_though_a_server_is_away(
    own: tuple[Platform, Supervisor], tmp_path: Path, name: str
) -> None:
    platform, supervisor = own
    place = new_place(platform, 2)
    await place.create()
    await produce(place, History(seed=SEED, loans=20, days=10, partitions=2).records())
    with workers(place, tmp_path, 1) as running:
        await caught_up(place, alive=running)
        await kill(getattr(supervisor, name))
        await asyncio.sleep(1.0)  # the worker has noticed
        started = time.monotonic()
        running[0].kill(signal.SIGTERM)
        assert time.monotonic() - started < LEAVE_SECONDS
    await supervisor._repair(getattr(supervisor, name))
