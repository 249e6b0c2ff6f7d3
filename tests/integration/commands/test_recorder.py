"""Commands become events once, in order, whole or not at all."""

import asyncio
import json
import random
from collections import defaultdict

import asyncpg
import pytest

from services.ledger.commands import (
    CloseDate,
    PaymentAlreadyReversed,
    ReversePayment,
    UnknownPayment,
)
from shared.events.envelope import CONTENT_TYPE, new_event_id
from shared.partitioner import partition_for
from tests.integration.commands.recording import OPEN, PARTITIONS, Api, ids, pay, published, running
from tests.waiting import until

pytestmark = pytest.mark.servers


async def test_events_arrive_as_cloudevents_under_their_key_and_the_calendar_everywhere(api: Api) -> None:
    closing, payment = CloseDate(OPEN, new_event_id()), pay("loan-1")
    async with running(api.relay()):
        await api.commands.record(payment, correlation_id="request-1")
        await api.commands.record(closing)
        await until(api.none_waiting)
    records = await published(api.place)
    for found in records.values():
        calendar = [json.loads(record.value) for record in found if record.key == b"book"]
        assert [event["type"] for event in calendar] == ["ledger.BookOpened.v1", "ledger.BusinessDateClosed.v1"]
        assert calendar[1]["id"] == closing.event_id
    assert ids(records, "loan-1") == [payment.event_id]
    (record,) = [r for r in records[partition_for(b"loan-1", PARTITIONS)] if r.key == b"loan-1"]
    assert record.headers == (("content-type", CONTENT_TYPE.encode()),)
    assert json.loads(record.value)["correlationid"] == "request-1"


async def test_one_loans_order_is_kept_under_twenty_writers(api: Api) -> None:
    """A payment's reversal never overtakes it, and what the table numbered first is published first."""
    seed = 20240131
    print(f"seed {seed}")
    expected: dict[str, list[str]] = defaultdict(list)
    admin = await asyncpg.connect(api.place.admin_url, server_settings={"search_path": api.place.api_schema})
    await _keep_a_witness(admin)

    async def writer(number: int) -> None:
        chance = random.Random(seed + number)
        for _ in range(25):
            payment = pay(f"loan-{chance.randrange(3)}")
            await api.commands.record(payment)
            await asyncio.sleep(chance.random() / 200)
            reversal = ReversePayment(payment.loan_id, payment.event_id, "returned", new_event_id())
            await api.commands.record(reversal)

    async def bystander(number: int) -> None:
        """Transactions that hold an id for a while, so that the gate moves in steps."""
        chance = random.Random(-seed - number)
        async with api.pool.acquire() as connection:
            while True:
                async with connection.transaction():
                    await connection.execute("SELECT pg_current_xact_id()")
                    await asyncio.sleep(chance.random() / 50)

    async with running(api.relay(), api.relay()):
        others = [asyncio.create_task(bystander(number)) for number in range(4)]
        await asyncio.gather(*(writer(number) for number in range(20)))
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await until(api.none_waiting)
    witness = await admin.fetch(
        "SELECT id, aggregateid, transaction_id::text::bigint AS xid FROM witness ORDER BY sequence"
    )
    await admin.close()
    last: dict[str, int] = defaultdict(int)
    for row in witness:
        assert row["xid"] > last[row["aggregateid"]], "transaction ids ascend with the commands of a loan"
        last[row["aggregateid"]] = row["xid"]
        expected[row["aggregateid"]].append(str(row["id"]))
    records = await published(api.place)
    assert sum(len(expected[f"loan-{n}"]) for n in range(3)) == 20 * 25 * 2
    for n in range(3):
        assert ids(records, f"loan-{n}") == expected[f"loan-{n}"]


async def _keep_a_witness(admin: asyncpg.Connection) -> None:
    """A copy of every outbox row, written by a trigger: the relay deletes the rows themselves."""
    await admin.execute("""
        CREATE TABLE witness AS SELECT sequence, id, aggregateid, transaction_id FROM outbox WITH NO DATA;
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO witness VALUES (new.sequence, new.id, new.aggregateid, new.transaction_id);
            RETURN NULL;
        END $$;
        CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep();
    """)


async def test_a_command_that_waits_for_its_loan_has_no_transaction_id_yet(api: Api) -> None:
    """Lock first: the id is assigned after the lock is held, so ids ascend in the order of the lock."""
    loan = api.commands._units._lock_number("loan-1")
    async with api.pool.acquire() as holder:
        async with holder.transaction():
            await holder.execute("SELECT pg_advisory_xact_lock($1::bigint)", loan)
            waiting = asyncio.create_task(api.commands.record(pay("loan-1")))

            async def blocked() -> list[asyncpg.Record]:
                return await api.pool.fetch(
                    "SELECT backend_xid FROM pg_stat_activity "
                    "WHERE wait_event = 'advisory' AND datname = current_database()"
                )

            await until(blocked)
            assert [row["backend_xid"] for row in await blocked()] == [None]
        await waiting


async def test_a_repeated_command_does_nothing_even_at_once(api: Api) -> None:
    payment = pay("loan-1")
    results = await asyncio.gather(*(api.commands.record(payment) for _ in range(10)))
    assert sorted(result.repeated for result in results) == [False] + [True] * 9
    assert (await api.commands.record_many([payment, pay("loan-1"), payment]))[2].repeated
    assert await api.pool.fetchval("SELECT count(*) FROM outbox WHERE aggregateid = 'loan-1'") == 2


async def test_a_batch_is_recorded_whole_or_not_at_all(api: Api) -> None:
    good = pay("loan-1")
    reversal = ReversePayment("loan-1", good.event_id, "returned", new_event_id())
    with pytest.raises(UnknownPayment):
        await api.commands.record_many([good, ReversePayment("loan-2", good.event_id, "typo", new_event_id())])
    assert await api.waiting() == PARTITIONS
    await api.commands.record_many([good, reversal])
    with pytest.raises(PaymentAlreadyReversed):
        await api.commands.record(ReversePayment("loan-1", good.event_id, "again", new_event_id()))


async def test_a_batch_over_many_loans_and_single_commands_do_not_block_each_other_for_good(api: Api) -> None:
    batches = [[pay(f"loan-{(n * 7 + k) % 300}") for n in range(300)] for k in range(4)]
    singles = [pay(f"loan-{n}") for n in range(100)]
    closings = [CloseDate(OPEN, new_event_id())]
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(api.commands.record_many(batch) for batch in batches),
            *(api.commands.record_many(singles[n : n + 10]) for n in range(0, 100, 10)),
            *(api.commands.record(command) for command in closings),
        )
    assert await api.waiting() == 4 * 300 + 100 + 2 * PARTITIONS
