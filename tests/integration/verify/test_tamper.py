"""On real tables and a real log: 500 things are changed in a scratch copy, 500 are named; and what came since the last
audit is audited by itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import asyncpg
import pytest

from lendlog.histories import History
from lendlog.verify_command import log_reader
from services.ledger.replay import replay_ledger
from services.ledger.verify import Mark, verify
from services.ledger.verify.columns import TABLES
from services.ledger.verify.tampering import tamper
from services.ledger.worker import topics_of
from shared.database import connect, open_pool
from shared.errors import MissingPrecondition
from shared.streams.ports import Record
from tests.faults.ledger_run import produce
from tests.integration.verify.conftest import DAYS, FIRST, PARTITIONS, Audited, closing, event, take_in
from tests.places import Place

pytestmark = pytest.mark.servers


@pytest.fixture
async def copy(books: Audited) -> AsyncIterator[asyncpg.Connection]:
    """A replay of the troubled log in the scratch schema."""
    place = books.place
    await place.create_scratch()
    pool = await open_pool(place.url("replay"), place.scratch_schema)
    try:
        for partition in range(PARTITIONS):
            await replay_ledger(
                partition,
                bootstrap=place.kafka_bootstrap,
                topics=topics_of(place.settings()),
                pool=pool,
                batch=100,
            )
    finally:
        await pool.close()
    connection = await connect(place.url("replay"), place.scratch_schema)
    yield connection
    await connection.close()


@pytest.mark.ops
async def test_five_hundred_mutants_are_named(books: Audited, copy: asyncpg.Connection) -> None:
    told: list[int] = []
    report = await tamper(copy, books.read, count=500, seed=7, prefix=books.place.prefix, progress=told.append)
    document = report.document()
    assert (document["mutants"], document["found"], document["missed"]) == (500, 500, [])
    assert set(document["by_kind"]) == {
        "column", "delete", "insert", "log-added", "log-changed", "log-missing", "position", "swap", "truncate",
    }  # fmt: skip
    assert sum(one["mutants"] for one in document["by_kind"].values()) == 500
    assert told == list(range(1, 501))
    assert (await verify(copy, books.read, prefix=books.place.prefix)).findings == {}


async def test_the_same_seed_makes_the_same_mutants(books: Audited, copy: asyncpg.Connection) -> None:
    first, second = [await tamper(copy, books.read, count=20, seed=3) for _ in range(2)]
    assert first.document() | {"seconds": 0} == second.document() | {"seconds": 0}


async def test_only_a_scratch_schema_is_tampered_with(books: Audited, copy: asyncpg.Connection) -> None:
    live = await connect(books.place.admin_url, books.place.ledger_schema)
    stranger = await connect(books.place.admin_url, books.place.scratch_schema)
    try:
        for connection in (live, stranger):
            with pytest.raises(MissingPrecondition, match="no scratch schema of this role"):
                await tamper(connection, books.read, count=1, seed=1)
    finally:
        await live.close()
        await stranger.close()


async def test_a_copy_that_is_unsound_already_is_refused(books: Audited, copy: asyncpg.Connection) -> None:
    await copy.execute("UPDATE posting SET amount = amount + 1 WHERE debit = 1010")
    with pytest.raises(MissingPrecondition, match="not sound"):
        await tamper(copy, books.read, count=1, seed=1)


async def test_the_described_columns_are_the_tables(copy: asyncpg.Connection) -> None:
    rows = await copy.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )
    there = {(row["table_name"], row["column_name"]) for row in rows if row["table_name"][-2:-1] != "p"}
    described = {(name, column.name) for name, table in TABLES.items() for column in table.columns}
    assert described == {(table, column) for table, column in there if table != "migration"}


class Reader:
    """Reads the log, and remembers from where."""

    def __init__(self, place: Place) -> None:
        self.starts: list[int] = []
        self._read = log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle)

    async def __call__(self, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Record]]:
        self.starts.append(start)
        async for records in self._read(partition, end, start):
            yield records


async def test_what_came_since_is_audited_by_itself(places: Callable[..., Awaitable[Place]]) -> None:
    place = await places(partitions=PARTITIONS)
    history = History(seed=5, loans=40, days=DAYS, partitions=PARTITIONS, first_day=FIRST, trouble=1.0)
    await produce(place, history.records())
    await take_in(place)
    read = Reader(place)
    connection = await connect(place.admin_url, place.ledger_schema)
    try:
        whole = await verify(connection, read)
        assert whole.findings == {}
        nothing = await verify(connection, read, since=whole.marks)
        assert nothing.findings == {}
        assert nothing.loans == 0
        paid = [
            event("ledger.PaymentReceived.v1", row["loan_id"], {"amount": "10.00", "currency": "CZK"}, row["partition"])
            for row in await connection.fetch("SELECT loan_id, partition FROM loan WHERE loan >= 0 ORDER BY 2, 1")
        ][::5]
        await produce(place, [*paid, *paid[:1], *closing(FIRST + timedelta(days=DAYS))])
        await take_in(place)
        read.starts.clear()
        since = await verify(connection, read, since=whole.marks)
        assert since.findings == {}
        assert read.starts == [mark.next_offset for mark in whole.marks.values()]
        assert 0 < since.loans < whole.loans
        assert since.document()["since"] == {str(p): mark.next_offset for p, mark in whole.marks.items()}
        assert since.marks != whole.marks
        await _is_noticed(connection, read, whole.marks)
    finally:
        await connection.close()


async def _is_noticed(connection: asyncpg.Connection, read: Reader, marks: dict[int, Mark]) -> None:
    """What is changed in the rows that were touched, and a history that is another."""
    at = marks[0].next_offset
    lies = {
        "folds": f'UPDATE posting SET amount = amount + 1 WHERE partition = 0 AND loan >= 0 AND "offset" >= {at}',
        "records": f'UPDATE event SET record = set_byte(record, 20, 7) WHERE partition = 0 AND "offset" >= {at}',
        "log": f'DELETE FROM event WHERE partition = 0 AND "offset" >= {at} AND loan IS NOT NULL',
        "tree": "UPDATE position SET tree_frontier = set_byte(tree_frontier, 0, 255 - get_byte(tree_frontier, 0))",
        "position": "UPDATE position SET last_leaf = sha256('')",
        "loan-columns": f"UPDATE loan SET as_of = as_of + 1 WHERE partition = 0 AND as_of >= {at} AND loan >= 0",
    }
    for check, lie in lies.items():
        transaction = connection.transaction()
        await transaction.start()
        assert await connection.execute(lie) not in ("UPDATE 0", "DELETE 0")
        assert check in (await verify(connection, read, since=marks)).findings, check
        await transaction.rollback()
    other = {partition: mark._replace(tree_frontier=mark.tree_frontier[::-1]) for partition, mark in marks.items()}
    assert "tree" in (await verify(connection, read, since=other)).findings
    assert (await verify(connection, read, since={0: marks[0]})).since == {}
