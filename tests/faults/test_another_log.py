"""A log that is no longer the one the books stand for halts its partition with a named error; nothing is reset."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from lendlog.histories import History, Produced
from services.ledger.worker import topics_of
from shared.streams.topic_admin import ensure_topics
from tests.faults.in_process import driven
from tests.faults.ledger_run import caught_up, live_digest, produce, records_of, workers
from tests.faults.test_repeats import rows
from tests.places import Place
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.ops]
SEED = 81


async def with_books(places: Any, folder: Path) -> tuple[Place, list[Produced]]:
    """Three partitions, the first half of a history in the books, no worker running."""
    place = await places(partitions=3)
    history = list(History(seed=SEED, loans=30, days=30, partitions=3).records())
    await produce(place, history[: len(history) // 2])
    with workers(place, folder) as running:
        await caught_up(place, alive=running)
    return place, history[len(history) // 2 :]


async def halted(place: Place) -> dict[int, str]:
    """Why partitions stopped."""
    return {r["partition"]: r["halted"] for r in await rows(place, "SELECT * FROM position") if r["halted"]}


async def truncate(place: Place, partition: int, before: int) -> None:
    """Delete the records below an offset."""
    client = AIOKafkaAdminClient(bootstrap_servers=place.kafka_bootstrap)
    await client.start()
    try:
        at = TopicPartition(topics_of(place.settings()).lifecycle, partition)
        await client.delete_records({at: RecordsToDelete(before_offset=before)})
    finally:
        await client.close()


async def others_are_through(place: Place, partitions: tuple[int, ...], ends: dict[int, int]) -> None:
    """Until these partitions' positions are at the ends."""

    async def through() -> bool:
        found = {r["partition"]: r["next_offset"] for r in await rows(place, "SELECT * FROM position")}
        return all(found[p] >= ends[p] for p in partitions)

    await until(through, 30)


async def test_a_log_truncated_below_the_position_halts_that_partition_and_the_others_go_on(
    places: Any, tmp_path: Path
) -> None:
    place, rest = await with_books(places, tmp_path)
    positions = {r["partition"]: r["next_offset"] for r in await rows(place, "SELECT * FROM position")}
    await produce(place, rest)
    ends = {p: (await records_of(place, p))[-1].offset + 1 for p in range(3)}
    await truncate(place, 1, positions[1] + 3)
    with workers(place, tmp_path) as running:
        await others_are_through(place, (0, 2), ends)
        reasons = await halted(place)
        assert list(reasons) == [1]
        assert f"log truncated: {place.prefix}loans.lifecycle.v1/1 starts at {positions[1] + 3}" in reasons[1]
        assert not running[0].ended
    (row,) = await rows(place, "SELECT next_offset FROM position WHERE partition = 1")
    assert row["next_offset"] == positions[1], "never reset"


async def test_a_log_truncated_to_nothing_halts_that_partition(places: Any, tmp_path: Path) -> None:
    place, rest = await with_books(places, tmp_path)
    positions = {r["partition"]: r["next_offset"] for r in await rows(place, "SELECT * FROM position")}
    await produce(place, rest)
    ends = {p: (await records_of(place, p))[-1].offset + 1 for p in range(3)}
    await truncate(place, 2, ends[2])  # all of it, what the books have not seen included
    with workers(place, tmp_path):
        await others_are_through(place, (0, 1), ends)
        assert "log truncated" in (await halted(place))[2]
    (row,) = await rows(place, "SELECT next_offset FROM position WHERE partition = 2")
    assert row["next_offset"] == positions[2]


@pytest.mark.parametrize("longer", [False, True])
async def test_a_topic_deleted_and_made_anew_halts_every_partition_that_had_records(
    places: Any, tmp_path: Path, longer: bool
) -> None:
    place, rest = await with_books(places, tmp_path)
    before = await live_digest(place), await rows(place, "SELECT partition, next_offset FROM position ORDER BY 1")
    await delete_lifecycle(place)
    await ensure_topics(place.kafka_bootstrap, prefix=place.prefix, partitions=3)
    await produce(place, rest * 2 if longer else rest[:9])
    with workers(place, tmp_path) as running:

        async def stopped() -> bool:
            assert not running[0].ended, running[0].complaints()
            return len(await halted(place)) == 3

        await until(stopped, 40)
        assert all(reason.startswith("log replaced: ") for reason in (await halted(place)).values())
    assert before == (
        await live_digest(place),
        await rows(place, "SELECT partition, next_offset FROM position ORDER BY 1"),
    )


async def delete_lifecycle(place: Place) -> None:
    """Delete the log and wait until the broker has forgotten it."""
    client = AIOKafkaAdminClient(bootstrap_servers=place.kafka_bootstrap)
    await client.start()
    topic = topics_of(place.settings()).lifecycle
    try:
        await client.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await client.list_topics()

        await until(gone)
    finally:
        await client.close()


async def test_a_halt_is_cleared_by_a_claim_that_finds_the_log_sound(places: Any, tmp_path: Path) -> None:
    place, _rest = await with_books(places, tmp_path)

    async with driven(place) as ledger:
        await ledger.claim((0, 1, 2))
        await ledger.worker.processor.halt(1, "an operator is needed")
        assert await halted(place) == {1: "an operator is needed"}
        await ledger.claim((0, 1, 2), generation=2)
        assert await halted(place) == {}
        assert sorted(ledger.worker.processor.owned) == [0, 1, 2]
