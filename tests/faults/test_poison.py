"""What cannot be read becomes a dead letter, whole and sealed, with the headers that Kafka Connect's and Spring's tools
read; nothing else stops."""

import json
import random
import struct

import pytest
from aiokafka import AIOKafkaProducer

from lendlog.histories import History, Produced
from services.ledger.worker import topics_of
from shared.merkle import record_of
from shared.streams.sealing import HEADER, unseal
from tests.faults.in_process import driven
from tests.faults.ledger_run import assert_all_agree, produce, records_of
from tests.faults.test_repeats import rows
from tests.places import Place

pytestmark = pytest.mark.servers
SEED = 61


def poison() -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """(key, value, headers) of records that nobody can read."""
    dice = random.Random(SEED)
    return [
        (None, b'{"specversion":"1.0"}', []),
        (None, None, []),
        (b"L0000001", None, []),
        (b"L0000001", b"", []),
        (b"L0000001", dice.randbytes(1 << 20), []),
        (b"L0000001", "不是一个事件 ✓ \U0001f4b0 \u202e".encode(), [("trace", "第三".encode()), ("empty", b"")]),
        ("借款人".encode(), b"\xff\xfe\x00", []),
        (b"\x00\xff", b"null", []),
        (b"L0000001", b'{"data":' + b"[" * 100_000, []),
        (b"L0000001", b"[" * 100_000, [("ce_id", b"x"), ("ce_type", b"y")]),
        (b"L0000001", b"NaN", [("ce_id", b"\xff"), ("content-type", b"application/json")]),
    ]


async def _send(place: Place, letters: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=place.kafka_bootstrap)
    await producer.start()
    try:
        topic = topics_of(place.settings()).lifecycle
        for key, value, headers in letters:
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=1_700_000_000_000, headers=headers)
            batch.close()
            await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()


async def test_unreadable_records_go_to_the_dead_letters_whole_sealed_and_with_both_families_of_headers(places) -> None:
    place = await places(partitions=1)
    history = list(History(seed=SEED, loans=10, days=20, partitions=1).records())
    await produce(place, history[:80])
    await _send(place, poison())
    await produce(place, history[80:])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        await ledger.relayed()
    counts = await assert_all_agree(place)
    assert (counts["dead_letters"], counts["events"]) == (len(poison()), len(history))
    stored = {row["offset"]: row for row in await rows(place, "SELECT * FROM dead_letter")}
    topics, key = topics_of(place.settings()), place.settings().dead_letter_key.get_secret_value()
    letters = await records_of(place, 0, topics.dead_letters)
    assert len(letters) == len(poison())
    for letter, (wanted_key, value, own) in zip(letters, poison(), strict=True):
        headers = dict(letter.headers)
        (offset,) = struct.unpack(">q", headers["kafka_dlt-original-offset"])
        original = record_of(stored[offset]["record"])
        assert (letter.key, original.key, original.value) == (wanted_key, wanted_key, value)
        assert (None if letter.value is None else unseal(key, letter.value)) == value
        assert letter.value is None or headers[HEADER[0]] == HEADER[1]
        assert set(own) <= set(letter.headers)
        assert headers["__connect.errors.topic"] == headers["kafka_dlt-original-topic"] == topics.lifecycle.encode()
        assert headers["__connect.errors.offset"] == str(offset).encode()
        assert headers["__connect.errors.exception.message"] == stored[offset]["reason"].encode()
        assert headers["kafka_dlt-original-partition"] == struct.pack(">i", 0)


async def test_a_record_as_large_as_a_topic_takes_stops_neither_books_nor_relay(places) -> None:
    place = await places(partitions=1)
    history = list(History(seed=SEED, loans=3, days=10, partitions=1).records())
    await produce(place, history[:8])
    junk = b"x" * ((8 << 20) - 200)
    await _send(place, [(b"k", junk, [])])
    await produce(place, history[8:])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        await ledger.relayed()
    assert (await assert_all_agree(place))["dead_letters"] == 1
    (letter,) = await records_of(place, 0, topics_of(place.settings()).dead_letters)
    assert letter.value is None
    assert b"too large" in dict(letter.headers)["kafka_dlt-exception-message"]
    (row,) = await rows(place, "SELECT record FROM dead_letter")
    assert record_of(row["record"]).value == junk


async def test_a_dead_letter_is_settled_by_the_event_that_replaces_it(places) -> None:
    place = await places(partitions=1)
    history = History(seed=SEED + 1, loans=3, days=10, partitions=1)
    records = list(history.records())
    payment = next(one for one in reversed(records) if b"PaymentReceived" in (one.value or b""))
    right = history._payment((payment.key or b"").decode(), 12_300)
    await produce(place, [*records, Produced(0, b"someone-else", right.value), Produced(0, right.key, b"{}"), right])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        first, second = [row["offset"] for row in await rows(place, 'SELECT "offset" FROM dead_letter ORDER BY 1')]
        settles = {"dead_offset": first, "replaced_by": json.loads(right.value or b"")["id"], "reason": "sent again"}
        again = {"dead_offset": second, "reason": "looks readable"}
        events = [history._event("ledger.DeadLetterRetried.v1", "book", data) for data in (settles, again)]
        await produce(place, events)
        await ledger.take_all(0, await records_of(place, 0))
        await ledger.relayed()
        settled = {row["offset"]: row["settled_by"] for row in await rows(place, "SELECT * FROM dead_letter")}
        assert str(settled[first]) == settles["replaced_by"]
        assert settled[second] is None, "still unreadable, so still dead"
    await assert_all_agree(place)
