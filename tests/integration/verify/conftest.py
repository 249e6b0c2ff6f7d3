"""Troubled books, filled once, and a transaction on them that is rolled back."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest

from lendlog.histories import History, Produced
from lendlog.platform import Platform
from services.ledger.replay import replay_ledger
from services.ledger.worker import topics_of
from shared.database import connect, open_pool
from shared.partitioner import partition_for
from shared.streams.ports import Record
from shared.streams.replay import read_partition
from tests.faults.ledger_run import produce
from tests.places import Place, new_place

PARTITIONS = 2
FIRST, DAYS = date(2025, 1, 1), 70


class Audited(NamedTuple):
    """Books that a replay filled, and the log in memory."""

    place: Place
    log: list[list[Record]]

    async def read(self, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Record]]:
        """The log reader that `verify` asks for."""
        yield [record for record in self.log[partition] if start <= record.offset < end]


@pytest.fixture(scope="module")
def books(servers: Platform) -> Iterator[Audited]:
    """A troubled history with every kind of row: parked, released, dead, settled, repeated, conflicting, waiting."""
    place = new_place(servers, PARTITIONS)
    asyncio.run(place.create())
    yield asyncio.run(fill(place))
    asyncio.run(place.drop())


async def fill(place: Place) -> Audited:
    history = History(seed=11, loans=40, days=DAYS, partitions=PARTITIONS, first_day=FIRST, trouble=2.0, valued_days=9)
    await produce(place, history.records())
    await take_in(place)
    await produce(place, accountants())
    await produce(place, await releases_and_retries(place))
    await produce(place, closing(FIRST + timedelta(days=DAYS)))
    await take_in(place)
    topic, log = topics_of(place.settings()).lifecycle, []
    for partition in range(PARTITIONS):
        end = (await position(place, partition))["next_offset"]
        stretch = read_partition(place.kafka_bootstrap, topic, partition, start=0, end=end, batch=5000)
        log.append([record async for records in stretch for record in records])
    return Audited(place, log)


async def take_in(place: Place, *, closing_chunk: int = 20_000) -> None:
    """The log into the live schema by the replay's host: quicker than a worker, and the same fold."""
    pool = await open_pool(place.url("ledger"), place.ledger_schema)
    try:
        for partition in range(PARTITIONS):
            await replay_ledger(
                partition,
                bootstrap=place.kafka_bootstrap,
                topics=topics_of(place.settings()),
                pool=pool,
                batch=700,
                closing_chunk=closing_chunk,
            )
    finally:
        await pool.close()


async def position(place: Place, partition: int) -> Any:
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        return await connection.fetchrow("SELECT * FROM position WHERE partition = $1", partition)
    finally:
        await connection.close()


def event(kind: str, subject: str, data: dict[str, Any], partition: int, **attributes: Any) -> Produced:
    value = {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/test", "type": kind, "subject": subject,
        "time": "2025-01-01T00:00:00Z", "datacontenttype": "application/json", "data": data,
    } | attributes  # fmt: skip
    return Produced(partition, subject.encode(), msgspec.json.encode(value))


def accountants() -> list[Produced]:
    """A period closed, payments that come too late for it, an entry that two people made, one that was declined."""
    home = partition_for(b"general-ledger", PARTITIONS)
    closed = event("ledger.PeriodClosed.v1", "book", {"period_end": "2025-01-31", "closed_by": "ann"}, 0)
    out = [Produced(partition, closed.key, closed.value) for partition in range(PARTITIONS)]
    for n in range(4):
        late, money = f"late-{n}", {"amount": "7.00", "currency": "CZK"}
        at = partition_for(late.encode(), PARTITIONS)
        out.append(event("ledger.PaymentReceived.v1", late, money, at, effectivedate="2025-01-20"))
    line = {"debit": "bank-charges", "credit": "cash", "amount": "12.50", "currency": "EUR"}
    for decision, about in (("Approved", {"lines": [line]}), ("Declined", {})):
        entry_id, said = str(uuid.uuid4()), {"reason": "bank statement", "maker": "ann"}
        proposed = said | {"lines": [line], "value_date": "2025-02-01"}
        out.append(event("ledger.JournalEntryProposed.v1", "general-ledger", proposed, home, id=entry_id))
        dated = {"effectivedate": "2025-02-01"} if about else {}
        decided = said | about | {"entry_id": entry_id, "checker": "bob"}
        out.append(event(f"ledger.JournalEntry{decision}.v1", "general-ledger", decided, home, **dated))
    return out


def closing(day: date) -> list[Produced]:
    one = event("ledger.BusinessDateClosed.v1", "book", {"business_date": day.isoformat()}, 0)
    return [Produced(partition, one.key, one.value) for partition in range(PARTITIONS)]


async def releases_and_retries(place: Place) -> list[Produced]:
    """Release half of what is parked (what is still broken parks again), settle one dead letter, retry another."""
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        parked = await connection.fetch("SELECT * FROM parked_loan ORDER BY first_offset")
        dead = await connection.fetch('SELECT * FROM dead_letter ORDER BY "offset"')
    finally:
        await connection.close()
    assert len(parked) > 2
    assert len(dead) > 2
    out = []
    for row in parked[::2]:
        data = {"first_held_offset": row["first_offset"], "held_reason": row["reason"], "reason": "looked at"}
        out.append(event("ledger.ParkedLoanReleased.v1", row["loan_id"], data, row["partition"]))
    for row, mended in ((dead[0], {"replaced_by": str(uuid.uuid4())}), (dead[1], {})):
        data = {"dead_offset": row["offset"], "reason": "mended", **mended}
        out.append(event("ledger.DeadLetterRetried.v1", "book", data, row["partition"]))
    return out


@pytest.fixture
async def connection(books: Audited) -> AsyncIterator[asyncpg.Connection]:
    """The administrator inside a transaction that is rolled back."""
    opened = await connect(books.place.admin_url, books.place.ledger_schema)
    transaction = opened.transaction()
    await transaction.start()
    yield opened
    await transaction.rollback()
    await opened.close()
