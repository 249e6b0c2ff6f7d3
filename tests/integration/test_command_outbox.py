"""The API's outbox: what commands recorded reaches the log in order, whatever commits late, hangs or dies."""

import asyncio
import contextlib
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.ledger.commands import (
    CloseDate,
    LedgerCommands,
    OpenBook,
    PaymentAlreadyReversed,
    ReceivePayment,
    ReversePayment,
    UnknownPayment,
)
from shared.database import open_pool
from shared.events.envelope import CONTENT_TYPE, new_event_id
from shared.partitioner import partition_for
from shared.streams.command_outbox import FAILURES, OLDEST, CommandRelay
from shared.streams.kafka import KafkaPublisher
from shared.streams.ports import FencedError, Message
from shared.topics import LIFECYCLE
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
OPEN = date(2024, 1, 31)
PARTITIONS = 4


@dataclass(slots=True)
class Api:
    """What an API process has, without its HTTP."""

    place: Place
    pool: asyncpg.Pool
    commands: LedgerCommands
    relays: list[CommandRelay]

    def relay(self, new_publisher: Callable[[], Any] | None = None) -> CommandRelay:
        name = f"{self.place.prefix}ledger-api"
        relay = CommandRelay(
            self.pool,
            new_publisher or (lambda: KafkaPublisher(self.place.kafka_bootstrap, name)),
            name=name,
            partitions=PARTITIONS,
        )
        self.relays.append(relay)
        return relay

    def wake(self) -> None:
        for relay in self.relays:
            relay.wake()

    async def waiting(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM outbox"))

    async def none_waiting(self) -> bool:
        return await self.waiting() == 0


@pytest.fixture
async def api(places: Callable[..., Awaitable[Place]]) -> AsyncIterator[Api]:
    place = await places(partitions=PARTITIONS)
    pool = await open_pool(place.url("ledger_api"), place.api_schema, size=30)
    made = Api(place, pool, None, [])  # type: ignore[arg-type]
    made.commands = LedgerCommands(pool, PARTITIONS, place.prefix + LIFECYCLE.name, on_recorded=made.wake)
    await made.commands.record(OpenBook(OPEN, new_event_id()))
    yield made
    await pool.close()


@contextlib.asynccontextmanager
async def running(*relays: CommandRelay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for relay in relays:
            relay.stop()
        await asyncio.gather(*tasks)


async def published(place: Place) -> dict[int, list[Any]]:
    """Every committed record of the log, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.kafka_bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        parts = [TopicPartition(place.prefix + LIFECYCLE.name, number) for number in range(PARTITIONS)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        records: dict[int, list[Any]] = {number: [] for number in range(PARTITIONS)}
        quiet = 0
        while quiet < 3:
            fetched = await consumer.getmany(timeout_ms=300)
            quiet = 0 if fetched else quiet + 1
            for at, found in fetched.items():
                records[at.partition].extend(found)
        return records
    finally:
        await consumer.stop()


def ids(records: dict[int, list[Any]], loan_id: str) -> list[str]:
    found = records[partition_for(loan_id.encode(), PARTITIONS)]
    return [json.loads(record.value)["id"] for record in found if record.key == loan_id.encode()]


def pay(loan_id: str, event_id: str | None = None) -> ReceivePayment:
    return ReceivePayment(loan_id, "1.00", "EUR", None, None, event_id or new_event_id())


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
    loan = api.commands._lock_number("loan-1")
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


async def test_a_commit_that_comes_late_is_not_skipped(api: Api) -> None:
    """A row with a lower number than one that is published already is published, too."""
    async with running(api.relay()), api.pool.acquire() as late:
        number = await late.fetchval("SELECT nextval(pg_get_serial_sequence('outbox', 'sequence'))")
        later = pay("loan-2")
        await api.commands.record(later)
        await until(api.none_waiting)
        payment = pay("loan-1")
        await late.execute(
            "INSERT INTO outbox (sequence, id, aggregatetype, aggregateid, type, payload) OVERRIDING SYSTEM VALUE "
            "VALUES ($1, $2, $3, 'loan-1', 'ledger.PaymentReceived.v1', $4)",
            number,
            payment.event_id,
            api.place.prefix + LIFECYCLE.name,
            json.dumps({"id": payment.event_id}).encode(),
        )
        await until(api.none_waiting)
    records = await published(api.place)
    assert (ids(records, "loan-1"), ids(records, "loan-2")) == ([payment.event_id], [later.event_id])


async def test_a_long_transaction_holds_the_gate_visibly_and_nothing_is_lost(api: Api) -> None:
    async with running(api.relay()):
        await until(api.none_waiting)
        async with api.pool.acquire() as slow, slow.transaction():
            await slow.execute("SELECT pg_current_xact_id()")
            payments = [pay("loan-1") for _ in range(3)]
            for payment in payments:
                await api.commands.record(payment)
            await asyncio.sleep(2.2)
            assert await api.waiting() == 3
            assert OLDEST._value.get() > 1.0
        await until(api.none_waiting)

        async def caught_up() -> bool:
            return OLDEST._value.get() == 0.0

        await until(caught_up)
    assert ids(await published(api.place), "loan-1") == [payment.event_id for payment in payments]


class Killed(BaseException):
    """The process ended."""


class DiesAfterPublishing(KafkaPublisher):
    """As a process that is killed between Kafka's commit and the deletion of the rows."""

    async def publish(self, messages: Iterable[Message]) -> None:
        await super().publish(messages)
        raise Killed


async def test_a_relay_killed_after_publishing_publishes_again_and_loses_nothing(api: Api) -> None:
    payments = [pay("loan-1") for _ in range(10)]
    await api.commands.record_many(payments)
    name = f"{api.place.prefix}ledger-api"
    with pytest.raises(Killed):
        await api.relay(lambda: DiesAfterPublishing(api.place.kafka_bootstrap, name)).run()
    assert await api.waiting() == 10 + PARTITIONS
    async with running(api.relay()):
        await until(api.none_waiting)
    expected = [payment.event_id for payment in payments]
    assert ids(await published(api.place), "loan-1") == expected * 2  # readers drop the second run by event id


async def test_a_relay_killed_before_publishing_loses_nothing(api: Api) -> None:
    class DiesBeforePublishing(KafkaPublisher):
        async def publish(self, messages: Iterable[Message]) -> None:
            raise Killed

    payment = pay("loan-1")
    await api.commands.record(payment)
    with pytest.raises(Killed):
        await api.relay(lambda: DiesBeforePublishing(api.place.kafka_bootstrap, f"{api.place.prefix}ledger-api")).run()
    async with running(api.relay()):
        await until(api.none_waiting)
    assert ids(await published(api.place), "loan-1") == [payment.event_id]


async def test_a_zombie_relay_is_fenced_and_steps_back(api: Api) -> None:
    """A leader whose successor's publisher started can't publish any more; it says so, and asks to lead anew."""
    name = f"{api.place.prefix}ledger-api"
    made: list[KafkaPublisher] = []

    def new_publisher() -> KafkaPublisher:
        made.append(KafkaPublisher(api.place.kafka_bootstrap, name))
        return made[-1]

    before = FAILURES.labels("fenced")._value.get()
    async with running(api.relay(new_publisher)):
        await until(api.none_waiting)
        successor = KafkaPublisher(api.place.kafka_bootstrap, name)
        await successor.start()
        zombie = made[0]
        payment = pay("loan-1")
        await api.commands.record(payment)

        async def fenced() -> bool:
            return FAILURES.labels("fenced")._value.get() > before

        await until(fenced)
        with pytest.raises(FencedError):
            await zombie.publish([])
        await successor.close()
        await until(api.none_waiting)
    assert ids(await published(api.place), "loan-1") == [payment.event_id]


async def test_two_relays_do_not_fence_each_other_in_turns(api: Api) -> None:
    started: list[str] = []

    def new_publisher(owner: str) -> Callable[[], KafkaPublisher]:
        def make() -> KafkaPublisher:
            started.append(owner)
            return KafkaPublisher(api.place.kafka_bootstrap, f"{api.place.prefix}ledger-api")

        return make

    first, second = api.relay(new_publisher("first")), api.relay(new_publisher("second"))
    async with running(second):
        async with running(first):
            for _ in range(30):
                await api.commands.record(pay("loan-1"))
                await asyncio.sleep(0.05)
            await until(api.none_waiting)
            assert len(started) == 1
            assert first.ready
            assert second.ready
        if started == ["first"]:  # the leader has left: the other one takes over
            await api.commands.record(pay("loan-1"))
            await until(api.none_waiting)
            assert started == ["first", "second"]
    assert len(ids(await published(api.place), "loan-1")) in (30, 31)


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


async def test_a_relay_whose_database_session_ends_leads_again(api: Api) -> None:
    before = FAILURES.labels("database")._value.get()
    relay = api.relay()
    async with running(relay):
        await until(api.none_waiting)
        killer = await asyncpg.connect(api.place.url("ledger_api"))
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
        )
        await killer.close()

        async def noticed() -> bool:
            return FAILURES.labels("database")._value.get() > before

        await until(noticed)
        payment = pay("loan-1")
        await api.commands.record(payment)
        await until(api.none_waiting)
        assert relay.ready
    assert payment.event_id in ids(await published(api.place), "loan-1")
