"""The broker behind the ports: transactions are whole and in order, fenced is fenced, readings skip markers."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.streams import kafka
from shared.streams.kafka import BATCH_BYTES_MAX, MESSAGE_BYTES_MAX, KafkaLog, KafkaPublisher
from shared.streams.ports import FencedError, Message, RetryableError
from shared.topics import LEDGER_EVENTS
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
async def log(place: Place) -> AsyncIterator[KafkaLog]:
    reader = KafkaLog(place.kafka_bootstrap)
    await reader.start()
    yield reader
    await reader.stop()


@pytest.fixture
async def publisher(place: Place) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(place.kafka_bootstrap, f"{place.prefix}test")
    await made.start()
    yield made
    await made.close()


def message(place: Place, value: bytes, partition: int = 0) -> Message:
    return Message(place.prefix + LEDGER_EVENTS.name, partition, b"key", value, (("kind", b"test"),))


async def until_end(log: KafkaLog, place: Place, end: int, partition: int = 0) -> None:
    """Markers are written a moment after the commit was acknowledged."""

    async def reached() -> bool:
        return (await log.bounds(place.prefix + LEDGER_EVENTS.name, partition))[1] >= end

    await until(reached)


async def values(log: KafkaLog, place: Place, *, end: int) -> list[bytes | None]:
    """Of all committed records below `end`, which counts markers and aborted records too."""
    await until_end(log, place, end)
    topic = place.prefix + LEDGER_EVENTS.name
    assert await log.bounds(topic, 0) == (0, end)
    found = [await log.read_one(topic, 0, offset) for offset in range(end)]
    return [record.value for record in found if record is not None]


async def test_a_transaction_is_read_whole_with_keys_and_headers(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    await publisher.publish([message(place, b"a"), message(place, b"b", 3), message(place, b"c")])
    assert await values(log, place, end=3) == [b"a", b"c"]
    await until_end(log, place, 2, partition=3)
    record = await log.read_one(place.prefix + LEDGER_EVENTS.name, 3, 0)
    assert record is not None
    assert (record.key, record.value, record.headers) == (b"key", b"b", (("kind", b"test"),))


async def test_a_failed_transaction_leaves_nothing_and_the_publisher_goes_on(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    def half() -> Iterator[Message]:
        for n in range(5):
            yield message(place, bytes([n]) * (BATCH_BYTES_MAX // 2))
        raise LookupError("the caller failed")

    with pytest.raises(LookupError):
        await publisher.publish(half())
    with pytest.raises(ValueError, match="larger than"):
        await publisher.publish([message(place, b"fits"), message(place, b"x" * (MESSAGE_BYTES_MAX + 1))])
    await publisher.publish([message(place, b"after")])
    topic = place.prefix + LEDGER_EVENTS.name

    async def last() -> object:
        return await log.read_one(topic, 0, (await log.bounds(topic, 0))[1] - 2)

    await until(last)
    assert await values(log, place, end=(await log.bounds(topic, 0))[1]) == [b"after"]


async def test_where_a_marker_or_nothing_stands_there_is_no_record(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    topic = place.prefix + LEDGER_EVENTS.name
    assert await log.bounds(topic, 0) == (0, 0)
    assert await log.read_one(topic, 0, 0) is None
    await publisher.publish([message(place, b"a")])
    await publisher.publish([])
    await publisher.publish([message(place, b"b")])
    await until_end(log, place, 4)
    found = [await log.read_one(topic, 0, offset) for offset in range(5)]
    assert [record and record.value for record in found] == [b"a", None, b"b", None, None]


async def test_a_log_that_has_just_been_read_is_closed_at_once(place: Place, publisher: KafkaPublisher) -> None:
    """Found by a command that never ended: the client loses a cancellation while it drops an assignment."""
    topic = place.prefix + LEDGER_EVENTS.name
    await publisher.publish([message(place, b"1"), message(place, b"2", partition=1)])
    for _ in range(3):
        reader = KafkaLog(place.kafka_bootstrap)
        await reader.start()
        assert [await reader.first_from(topic, partition, 1) for partition in range(2)] == [None, None]
        assert await reader.first_unread({(topic, 0): 1, (topic, 1): 1, (topic, 2): 0}) is None
        assert await reader.first_unread({(topic, 0): 1, (topic, 1): 0}) == (topic, 1)
        _, hanging = await asyncio.wait({asyncio.create_task(reader.stop())}, timeout=5)
        assert not hanging


async def test_many_batches_of_one_partition_keep_their_order(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    parts = [n.to_bytes(2, "big") + b"." * (BATCH_BYTES_MAX // 3) for n in range(12)]
    await publisher.publish(message(place, part) for part in parts)
    assert await values(log, place, end=13) == parts


async def test_a_message_as_large_as_the_topic_takes_is_published(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    largest = b"x" * (MESSAGE_BYTES_MAX - len(b"key"))
    await publisher.publish([message(place, b"before"), message(place, largest), message(place, b"after")])
    assert await values(log, place, end=4) == [b"before", largest, b"after"]


async def test_an_older_publisher_of_the_same_name_is_fenced_for_good(
    place: Place, log: KafkaLog, publisher: KafkaPublisher
) -> None:
    await publisher.publish([message(place, b"old")])
    newer = KafkaPublisher(place.kafka_bootstrap, f"{place.prefix}test")
    await newer.start()
    try:
        await newer.publish([message(place, b"new")])
        for _ in range(2):
            with pytest.raises(FencedError):
                await publisher.publish([message(place, b"zombie")])
        await newer.publish([message(place, b"newer")])
    finally:
        await newer.close()
    assert await values(log, place, end=6) == [b"old", b"new", b"newer"]


async def test_a_closed_publisher_refuses(publisher: KafkaPublisher, place: Place) -> None:
    await publisher.close()
    with pytest.raises(FencedError):
        await publisher.publish([message(place, b"late")])


async def test_a_broker_that_does_not_answer_is_a_failure_that_may_pass(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher gives up in time, says that it is spent, and leaves no task behind; a new one goes on."""
    name = f"{place.prefix}test"
    pid = place.servers.run.processes["kafka"].pid
    publisher = KafkaPublisher(place.kafka_bootstrap, name)
    await publisher.start()
    await publisher.publish([message(place, b"before")])
    publisher._publish_seconds = 1.0
    monkeypatch.setattr(kafka, "ABORT_SECONDS", 1.0)
    monkeypatch.setattr(kafka, "CLOSE_SECONDS", 0.5)
    tasks = asyncio.all_tasks()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RetryableError):
            await publisher.publish([message(place, b"lost")])
        with pytest.raises(FencedError):
            await publisher.publish([message(place, b"lost")])
        await publisher.close()
        lost = KafkaPublisher(place.kafka_bootstrap, name, publish_seconds=1.0)
        with pytest.raises(RetryableError):
            await lost.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(0.5)
    assert asyncio.all_tasks() <= tasks
    successor = KafkaPublisher(place.kafka_bootstrap, name)
    await successor.start()
    await successor.publish([message(place, b"after")])
    await successor.close()


async def test_no_broker_at_all_is_a_failure_that_may_pass() -> None:
    with pytest.raises(RetryableError):
        await KafkaPublisher("127.0.0.1:1", "test").start()
    with pytest.raises(RetryableError):
        await KafkaLog("127.0.0.1:1").start()
