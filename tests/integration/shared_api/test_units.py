"""A unit of work is whole, in the order of its locks, and done once."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from shared.commands import AGGREGATES_MAX, Commands, EventAlreadyRecorded, IdempotencyKeyReused, Once
from shared.errors import Refusal
from shared.events.envelope import new_event_id
from tests.integration.shared_api.events import payment
from tests.waiting import until

pytestmark = pytest.mark.servers

ROWS = """
SELECT aggregatetype, aggregateid, partition, payload, transaction_id::text::bigint AS xid
FROM outbox ORDER BY sequence
"""


@pytest.fixture
def commands(pool: asyncpg.Pool) -> Commands:
    return Commands(pool, scope="test")


async def count(commands: Commands, aggregate: str, event_id: str | None = None) -> None:
    """Publish the next number of the aggregate."""
    async with commands.unit(aggregate) as unit:
        number = (unit.state(aggregate) or {"next": 0})["next"]
        await asyncio.sleep(0.002)
        unit.publish("numbers", payment(aggregate, str(number), event_id))
        unit.keep(aggregate, {"next": number + 1})


async def references(pool: asyncpg.Pool, aggregate: str) -> list[str]:
    rows = [row for row in await pool.fetch(ROWS) if row["aggregateid"] == aggregate]
    xids = [row["xid"] for row in rows]
    assert xids == sorted(set(xids)), "transaction ids ascend with the rows of an aggregate"
    return [json.loads(row["payload"])["data"]["reference"] for row in rows]


async def test_units_at_once_on_one_aggregate_write_in_the_order_of_its_lock(
    pool: asyncpg.Pool, commands: Commands
) -> None:
    await asyncio.gather(*(count(commands, f"a{n % 2}") for n in range(30)))
    for aggregate in ("a0", "a1"):
        assert await references(pool, aggregate) == [str(n) for n in range(15)]
        assert await commands.state(aggregate) == {"next": 15}


async def waiting(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    return await pool.fetch(
        "SELECT backend_xid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    )


async def test_a_unit_that_waits_has_no_transaction_id_and_then_sees_what_it_waited_for(
    pool: asyncpg.Pool, commands: Commands
) -> None:
    async with commands.unit("a") as first:
        first.publish("numbers", payment("a", "0"))
        first.keep("a", {"next": 1})
        second = asyncio.create_task(count(commands, "a"))
        await until(lambda: waiting(pool))
        assert [row["backend_xid"] for row in await waiting(pool)] == [None]
    await second
    assert await references(pool, "a") == ["0", "1"]


async def test_what_is_only_read_stands_still_for_its_writer_and_is_open_to_other_readers(
    pool: asyncpg.Pool, commands: Commands
) -> None:
    async with commands.unit("rates") as unit:
        unit.keep("rates", {"next": 7})
    async with commands.unit("a", reading=["rates"]) as one, commands.unit("b", reading=["rates"]) as other:
        assert one.state("rates") == other.state("rates") == {"next": 7}
        writer = asyncio.create_task(count(commands, "rates"))
        await until(lambda: waiting(pool))
        with pytest.raises(AssertionError, match="rates"):
            one.keep("rates", {})
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def test_a_unit_on_many_aggregates_holds_what_they_are_within(pool: asyncpg.Pool, commands: Commands) -> None:
    names = [f"a{n}" for n in range(AGGREGATES_MAX + 1)]

    async def many() -> None:
        async with commands.unit(*names, within="book") as unit:
            for name in names:
                unit.keep(name, {"next": (unit.state(name) or {"next": 0})["next"] + 1})

    async with commands.unit("a0", within="book") as one, commands.unit("a1", within="book") as other:
        assert one.state("book") is None
        batch = asyncio.create_task(many())
        await until(lambda: waiting(pool))
        for unit, name in ((one, "a0"), (other, "a1")):
            unit.keep(name, {"next": 7})
    await batch
    assert [await commands.state(name) for name in names[:3]] == [{"next": 8}, {"next": 8}, {"next": 1}]


class Broken(Refusal):
    """A rule was broken."""


async def contents(pool: asyncpg.Pool) -> dict[str, int]:
    tables = ("aggregate", "idempotency", "outbox", "command")
    return {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


async def test_a_refused_unit_writes_nothing(pool: asyncpg.Pool) -> None:
    woken: list[bool] = []
    commands = Commands(pool, scope="test", on_recorded=lambda: woken.append(True))
    once = Once("client", "key", b"1")

    async def attempt(event_id: str, refusal: Exception | None) -> None:
        async with commands.unit("a", once=once) as unit:
            unit.publish("numbers", payment("a", event_id=event_id))
            unit.keep("a", {"next": 1})
            unit.answer({"event_id": event_id})
            if refusal:
                raise refusal

    with pytest.raises(Broken):
        await attempt(new_event_id(), Broken("no"))
    assert (set((await contents(pool)).values()), woken) == ({0}, [])
    event_id = new_event_id()
    await attempt(event_id, None)
    written = await contents(pool)
    assert (set(written.values()), woken) == ({1}, [True])
    with pytest.raises(EventAlreadyRecorded, match=event_id):
        await count(commands, "b", event_id)
    async with commands.unit("b") as unit:
        assert await unit.repeated(event_id)
        assert not await unit.repeated(new_event_id())
    assert await contents(pool) == written


async def test_one_event_may_go_to_several_places(pool: asyncpg.Pool, commands: Commands) -> None:
    event = payment("a")
    async with commands.unit("a") as unit:
        for partition in range(3):
            unit.publish("numbers", event, key="book", partition=partition)
        unit.publish("others", event)
    rows = [tuple(row.values())[:3] for row in await pool.fetch(ROWS)]
    assert rows == [("numbers", "book", 0), ("numbers", "book", 1), ("numbers", "book", 2), ("others", "a", None)]


async def test_an_idempotency_key_stands_for_one_request_and_its_answer(pool: asyncpg.Pool, commands: Commands) -> None:
    async def send(client: str, body: bytes) -> tuple[dict[str, Any] | None, int]:
        async with commands.unit("a", once=Once(client, "key", body)) as unit:
            if unit.answered is None:
                event = payment("a")
                unit.publish("numbers", event)
                unit.answer({"event_id": event.id}, 201)
        return unit.document, unit.status

    answers = await asyncio.gather(*(send("one", b"body") for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1] == 201
    assert await commands.answered(Once("one", "key", b"body")) == answers[0][0]
    with pytest.raises(IdempotencyKeyReused):
        await send("one", b"another body")
    assert await commands.answered(Once("other", "key", b"body")) is None
    assert await send("other", b"another body") != answers[0]
    assert (await contents(pool))["outbox"] == 2
