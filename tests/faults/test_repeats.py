"""What comes twice counts once: fetched again, produced again, the same id, the same id with another body."""

import json
from typing import Any

import pytest

from lendlog.histories import History, Produced
from shared.database import connect
from tests.faults.in_process import driven
from tests.faults.ledger_run import assert_all_agree, live_digest, produce, records_of
from tests.places import Place

pytestmark = pytest.mark.servers
SEED = 51


async def rows(place: Place, query: str) -> list[dict[str, Any]]:
    """Of the books."""
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_the_whole_log_fetched_again_changes_no_entry(places) -> None:
    place = await places(partitions=2)
    await produce(place, History(seed=SEED, loans=40, days=30, partitions=2, trouble=1).records())
    async with driven(place) as ledger:
        await ledger.claim((0, 1))
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition))
        before = await live_digest(place), await rows(place, "SELECT * FROM position ORDER BY partition")
        for partition in (0, 1):
            records = await records_of(place, partition)
            await ledger.take(partition, records)
            await ledger.take(partition, records[:30])
            await ledger.take(partition, records[-30:])
        assert (await live_digest(place), await rows(place, "SELECT * FROM position ORDER BY partition")) == before
        assert ledger.worker.processor.counts.redelivered > 350
        assert ledger.worker.processor.counts.stale == 0
        await ledger.relayed()
    async with driven(place) as again:  # a second consumer, which claims and is handed everything from 0
        await again.claim((0, 1))
        for partition in (0, 1):
            await again.take(partition, await records_of(place, partition))
        assert await live_digest(place) == before[0]
    await assert_all_agree(place)


async def test_the_whole_log_produced_again_is_dropped_as_duplicates(places) -> None:
    place = await places(partitions=2)
    history = list(History(seed=SEED + 1, loans=40, days=30, partitions=2).records())
    await produce(place, history)
    async with driven(place) as ledger:
        await ledger.claim((0, 1))
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition))
        before = await live_digest(place)
        await produce(place, history)
        for partition in (0, 1):
            await ledger.take_all(partition, await records_of(place, partition))
        await ledger.relayed()
        assert await live_digest(place) == before
        assert ledger.worker.processor.counts.duplicates == len(history)
        assert {row["conflict"] for row in await rows(place, "SELECT count(*) AS conflict FROM conflict")} == {0}
    await assert_all_agree(place)


async def test_the_same_id_with_another_body_is_set_aside_with_an_alarm_and_books_nothing(places) -> None:
    place = await places(partitions=1)
    history = list(History(seed=SEED + 2, loans=10, days=20, partitions=1).records())
    payment = next(one for one in reversed(history) if b"PaymentReceived" in (one.value or b""))
    assert payment.value is not None
    event = json.loads(payment.value)
    event["data"]["amount"] = "9999.99"
    other = Produced(payment.partition, payment.key, json.dumps(event).encode())
    await produce(place, [*history, payment, other, payment, other])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0), size=10_000)
        await ledger.relayed()
        assert ledger.worker.processor.counts.duplicates == 2
        assert ledger.worker.processor.counts.conflicts == 2
    assert [str(row["event_id"]) for row in await rows(place, "SELECT event_id FROM conflict")] == [event["id"]] * 2
    assert not await rows(place, "SELECT FROM posting WHERE amount = 999999")
    await assert_all_agree(place)


async def test_a_repeat_that_waited_behind_a_parked_loan_is_dropped_at_its_release(places) -> None:
    place = await places(partitions=1)
    history = History(seed=SEED + 3, loans=4, days=12, partitions=1)
    records = list(history.records())
    payment = next(one for one in reversed(records) if b"PaymentReceived" in (one.value or b""))
    loan = (payment.key or b"").decode()
    broken = history._event("ledger.PaymentReversed.v1", loan, {"payment_id": history._id(), "reason": "of nothing"})
    await produce(place, [*records, broken, payment])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        (parked,) = await rows(place, "SELECT * FROM parked_loan")
        data = {"first_held_offset": parked["first_offset"], "held_reason": parked["reason"], "reason": "try again"}
        await produce(place, [history._event("ledger.ParkedLoanReleased.v1", loan, data)])
        await ledger.take_all(0, await records_of(place, 0))
        await ledger.relayed()
        assert len(await rows(place, "SELECT * FROM parked_event")) == 2
    await assert_all_agree(place)
