"""What commands recorded reaches the log in order, whatever commits late, hangs or dies."""

import asyncio
import json
from collections.abc import Callable, Iterable

import asyncpg
import pytest

from shared.streams.command_outbox import FAILURES, OLDEST
from shared.streams.kafka import KafkaPublisher
from shared.streams.ports import FencedError, Message
from shared.topics import LIFECYCLE
from tests.integration.commands.recording import PARTITIONS, Api, ids, pay, published, running
from tests.waiting import until

pytestmark = pytest.mark.servers


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
