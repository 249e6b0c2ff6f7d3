"""The database fails inside a batch, or a commit stays unanswered: each event counts once, each derived one leaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from lendlog.histories import History
from services.ledger.store import LedgerStore, LedgerTransaction
from shared.database import connect
from shared.streams.ports import RetryableError
from tests.faults.in_process import driven
from tests.faults.ledger_run import assert_all_agree, caught_up, produce, records_of, workers
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
SEED = 41


class LosesAnswers(LedgerStore):
    """Every third commit goes through and the connection is gone before its answer; every fifth transaction loses its
    connection after its rows were written."""

    count = 0

    @asynccontextmanager
    async def transaction(self, partition: int, epoch: int) -> AsyncIterator[LedgerTransaction]:
        type(self).count += 1
        number = self.count
        async with super().transaction(partition, epoch) as transaction:
            yield transaction
            if number % 5 == 0:
                backend = transaction.connection.get_server_pid()
                await self.end_backend(backend)
                with pytest.raises(asyncpg.PostgresError):
                    await transaction.connection.execute("SELECT 1")
                raise RetryableError("the backend was ended before the commit")
        if number % 3 == 0:
            raise RetryableError("the answer to a commit was lost")

    administrator = ""

    async def end_backend(self, number: int) -> None:
        connection = await asyncpg.connect(self.administrator)
        await connection.execute("SELECT pg_terminate_backend($1)", number)
        await connection.close()


async def test_a_commit_whose_answer_is_lost_counts_once_and_its_events_are_published(places) -> None:
    place: Place = await places(partitions=2)
    await produce(place, History(seed=SEED, loans=60, days=40, partitions=2, trouble=1).records())
    LosesAnswers.administrator = place.admin_url
    async with driven(place, LosesAnswers, LENDLOG_CLOSING_CHUNK="5") as ledger:
        await ledger.claim((0, 1))
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition), size=40)
        await ledger.relayed()
        assert ledger.worker.processor.counts.found > 3
        assert ledger.worker.processor.counts.retried > 6
    await assert_all_agree(place)


async def test_backends_ended_again_and_again_under_a_worker_cost_nothing(places, tmp_path: Path) -> None:
    place: Place = await places(partitions=2)
    await produce(place, History(seed=SEED + 1, loans=80, days=50, partitions=2, trouble=1).records())
    dice = random.Random(SEED)
    administrator = await connect(place.admin_url)
    ended = 0
    with workers(place, tmp_path, 1, LENDLOG_BATCH_RECORDS="25", LENDLOG_CLOSING_CHUNK="4") as running:
        task = asyncio.create_task(caught_up(place, alive=running))
        mine = (
            "SELECT pid, state <> 'idle' AS busy FROM pg_stat_activity"
            " WHERE usename LIKE '%ledger' AND pid <> pg_backend_pid() ORDER BY pid"
        )

        async def end_one() -> bool:
            nonlocal ended
            rows = await administrator.fetch(mine)
            if ended < 10 and (rows := [row for row in rows if row["busy"]] or rows):
                ended += 1
                await administrator.execute("SELECT pg_terminate_backend($1)", dice.choice(rows)["pid"])
            await asyncio.sleep(0.2)  # a rate, not a wait
            return task.done()

        await until(end_one, 60)
        await task
    await administrator.close()
    assert ended > 3, f"seed {SEED}"
    await assert_all_agree(place)
