"""Who may write: one claim for each assignment, and nothing from whoever lost it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lendlog.histories import History
from services.ledger.store import LedgerStore
from services.ledger.worker import topics_of
from shared.database import connect, open_pool
from tests.faults.in_process import driven
from tests.faults.ledger_run import Worker, assert_all_agree, caught_up, live_digest, produce, records_of
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
SEED = 31


async def small(places) -> Place:
    """Two partitions with a month of troubled history on them."""
    place = await places(partitions=2)
    await produce(place, History(seed=SEED, loans=50, days=35, partitions=2, trouble=1).records())
    return place


async def position(place: Place, partition: int) -> dict:
    """The position row."""
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        return dict(await connection.fetchrow("SELECT * FROM position WHERE partition = $1", partition))
    finally:
        await connection.close()


async def test_two_claims_for_one_assignment_take_the_partitions_once(places) -> None:
    place = await small(places)
    async with driven(place) as ledger:
        await asyncio.gather(*(ledger.worker.claim({0, 1}, 1) for _ in range(3)))
        assert [(await position(place, p))["epoch"] for p in (0, 1)] == [1, 1]
        await ledger.claim((0, 1))
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition))
        await ledger.relayed()
        assert [(await position(place, p))["epoch"] for p in (0, 1)] == [1, 1]
    await assert_all_agree(place)


async def test_batches_of_an_ended_run_or_an_older_epoch_are_dropped(places) -> None:
    place = await small(places)
    async with driven(place) as ledger:
        await ledger.claim((0, 1))
        records = await records_of(place, 0)
        await ledger.take(0, records[:50])
        epoch, run = ledger.worker.processor.owned[0].position.epoch, ledger.runs[0]
        await ledger.claim((0, 1), generation=2)
        before = await position(place, 0)
        await ledger.take(0, records[50:90], run=run)
        assert await ledger.worker.processor.process(0, epoch, records[50:90])
        assert await position(place, 0) == before
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition))
        await ledger.relayed()
    await assert_all_agree(place)


async def test_a_worker_whose_partitions_went_to_another_writes_nothing_and_its_relay_is_refused(places) -> None:
    place = await small(places)
    records = await records_of(place, 0)
    async with driven(place) as zombie, driven(place) as owner:
        await zombie.claim((0, 1))
        await zombie.take(0, records[:60])
        await zombie.relayed()
        await owner.claim((0, 1))
        before = await position(place, 0)
        await zombie.take(0, records[60:120])
        assert await position(place, 0) == before
        assert zombie.worker.processor.counts.fenced == 1
        relay = zombie.worker.relays[1]
        relay.hand_over(10**6, [owner_message(place)])
        await relay.idle()
        assert relay.backlog == 1, "the zombie's relay published"
        zombie.worker.revoked()  # its assignment is gone: it must not claim again
        for partition in (0, 1):
            await owner.take_all(partition, await records_of(place, partition))
        await owner.relayed()
    await assert_all_agree(place)


def owner_message(place: Place):
    """Something that must never be on the broker."""
    from shared.streams.ports import Message

    return Message(topics_of(place.settings()).events, 0, b"zombie", b'{"id":"zombie"}')


class Stopping:
    """A pool whose caller gets the answer to its first statement and is stopped then, as by SIGSTOP."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.stopped = asyncio.Event()

    @asynccontextmanager
    async def acquire(self, **options: float) -> AsyncIterator[Any]:
        async with self.pool.acquire(**options) as self.connection:
            yield self

    def transaction(self) -> Any:
        return self.connection.transaction()

    async def execute(self, statement: str, *arguments: Any) -> None:
        await self.connection.execute(statement, *arguments)
        self.stopped.set()
        await asyncio.Future()


async def test_an_owner_that_is_stopped_while_it_marks_keeps_the_next_ones_relay_waiting_for_nothing(places) -> None:
    place = await small(places)
    settings = place.settings()
    pool = await open_pool(settings.database_url.get_secret_value(), settings.ledger_schema, size=3)
    stopping = Stopping(pool)
    mark = asyncio.create_task(LedgerStore(stopping).mark_published(0, 1))
    try:
        async with asyncio.timeout(20):
            await stopping.stopped.wait()
            await LedgerStore(pool).mark_published(0, 2)
    finally:
        mark.cancel()
        await asyncio.gather(mark, return_exceptions=True)
        await pool.close()


async def test_a_paused_owner_that_wakes_after_its_partitions_moved_changes_nothing(places, tmp_path: Path) -> None:
    place = await places(partitions=2)
    history = list(History(seed=SEED + 1, loans=80, days=45, partitions=2, trouble=1).records())
    half = len(history) // 2
    slow = {"LENDLOG_BATCH_RECORDS": "40"}
    await produce(place, history[:half])
    paused = Worker(place, tmp_path / "paused.log", **slow)
    try:

        async def begun() -> bool:
            assert not paused.ended, paused.complaints()
            return (await position(place, 0))["events"] > 0

        await until(begun, 40)
        paused.kill(signal.SIGSTOP)
        epoch = (await position(place, 0))["epoch"]
        other = Worker(place, tmp_path / "other.log", **slow)
        try:
            await caught_up(place, alive=[other])
            assert (await position(place, 0))["epoch"] > epoch
            before = await live_digest(place)
            paused.kill(signal.SIGCONT)
            await produce(place, history[half:])
            await caught_up(place, alive=[other])
            assert before["events"] < (await live_digest(place))["events"]
        finally:
            other.kill()
    finally:
        paused.kill()
    await assert_all_agree(place)
