"""The figures that `run` and `status` show: from the books, by the reader's role, and from the broker's end offsets."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from lendlog.platform import Platform
from services.ledger.accounts import LOANS_RECEIVABLE, SUSPENSE
from shared.database import connect
from shared.money import code_of, decimal_text
from shared.settings import ServiceSettings
from shared.topics import LIFECYCLE

UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError)
MARKERS_MAX = 16
"""Ends of transactions alone may stand between the position and the end: gaps up to this are looked into."""
MARKERS_SECONDS_MAX = 3.0
TOTALS_SECONDS_MIN = 5.0
"""Sums over all postings are dear: no more often than this, and than ten times what the last took."""

_POSITIONS = "SELECT partition, next_offset, events, duplicates, open_date, halted FROM position ORDER BY partition"
_EXCEPTIONS = """
SELECT (SELECT count(*) FROM parked_loan) AS parked_loans,
       (SELECT count(*) FROM parked_event) AS parked_events,
       (SELECT count(*) FROM dead_letter WHERE settled_by IS NULL) AS dead_letters,
       (SELECT count(*) FROM conflict) AS conflicts
"""
# Pseudo-loans (accrual groups) have negative numbers.
_LOANS = "SELECT count(*) FROM loan WHERE loan >= 0"
# What is lent out ($1, debit balance) and what fits no loan ($2, credit balance), per currency.
_TOTALS = """
SELECT currency,
       coalesce(sum(amount) FILTER (WHERE debit = $1), 0)
       - coalesce(sum(amount) FILTER (WHERE credit = $1), 0) AS lent,
       coalesce(sum(amount) FILTER (WHERE credit = $2), 0)
       - coalesce(sum(amount) FILTER (WHERE debit = $2), 0) AS waiting
FROM posting WHERE debit IN ($1, $2) OR credit IN ($1, $2) GROUP BY currency ORDER BY currency
"""


@dataclass(slots=True)
class Figures:
    """Amounts are decimal strings by currency code.

    `lag` is in offsets: the broker's end less the books' position, where a record stands between them.
    """

    lag: int = 0
    events: int = 0
    events_per_second: float = 0.0
    duplicates: int = 0
    loans: int = 0
    outstanding: dict[str, str] = field(default_factory=dict)
    suspense: dict[str, str] = field(default_factory=dict)
    parked_loans: int = 0
    parked_events: int = 0
    dead_letters: int = 0
    conflicts: int = 0
    open_date: str | None = None
    halted: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it stands in `status --json`."""
        return asdict(self)


class Collector:
    """Reads figures again and again over one connection to each server. Any failure leaves it usable: read again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._names = ServiceSettings()
        self._connection: asyncpg.Connection | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._empty: dict[int, tuple[int, int]] = {}
        self._events: tuple[float, int] | None = None
        self._totals_due = 0.0
        self._totals: dict[str, Any] = {}

    async def read(self) -> Figures:
        """The figures now. Events per second are those since the call before. Raises what the drivers raise."""
        try:
            return await self._read()
        except BaseException:
            await self.close()
            raise

    async def read_if_reachable(self) -> Figures | None:
        """The same; None while a server does not answer, as when it is being started again."""
        try:
            return await self.read()
        except UNREACHABLE:
            return None

    async def close(self) -> None:
        """Close both connections."""
        connection, consumer = self._connection, self._consumer
        self._connection = self._consumer = None
        if connection:
            connection.terminate()
        if consumer:
            await consumer.stop()

    async def _read(self) -> Figures:
        if self._connection is None:
            self._connection = await connect(
                self._platform.url("reader"), self._names.ledger_schema, command_timeout=60
            )
        positions = await self._connection.fetch(_POSITIONS)
        figures = Figures(**dict(await self._connection.fetchrow(_EXCEPTIONS)))
        figures.lag = await self._lag({row["partition"]: row["next_offset"] for row in positions})
        figures.events = sum(row["events"] for row in positions)
        figures.duplicates = sum(row["duplicates"] for row in positions)
        figures.halted = {str(row["partition"]): row["halted"] for row in positions if row["halted"]}
        figures.open_date = min((str(row["open_date"]) for row in positions if row["open_date"]), default=None)
        figures.events_per_second = self._rate(figures.events)
        if time.monotonic() >= self._totals_due:
            await self._read_totals(self._connection)
        for name, value in self._totals.items():
            setattr(figures, name, value)
        return figures

    async def _read_totals(self, connection: asyncpg.Connection) -> None:
        before = time.monotonic()
        loans = await connection.fetchval(_LOANS)
        rows = await connection.fetch(_TOTALS, LOANS_RECEIVABLE, SUSPENSE)
        codes = [code_of(row["currency"]) for row in rows]
        lent = {code: decimal_text(int(row["lent"]), code) for code, row in zip(codes, rows, strict=True)}
        waiting = {
            c: decimal_text(int(row["waiting"]), c) for c, row in zip(codes, rows, strict=True) if row["waiting"]
        }
        self._totals = {"loans": loans, "outstanding": lent, "suspense": waiting}
        took = time.monotonic() - before
        self._totals_due = time.monotonic() + max(TOTALS_SECONDS_MIN, 10 * took)

    async def _lag(self, positions: dict[int, int]) -> int:
        """Offsets between the positions and the broker's ends, where more than ends of transactions stand there."""
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._platform.kafka_bootstrap,
                isolation_level="read_committed",
                auto_offset_reset="none",
                request_timeout_ms=10_000,
            )
            await self._consumer.start()
        topic = self._names.topic_prefix + LIFECYCLE.name
        places = {partition: TopicPartition(topic, partition) for partition in positions}
        found = await self._consumer.end_offsets(list(places.values()))
        gaps = {p: (positions[p], found[place]) for p, place in places.items() if found[place] > positions[p]}
        small = {p: gap for p, gap in gaps.items() if gap[1] - gap[0] <= MARKERS_MAX and self._empty.get(p) != gap}
        if small:
            self._empty |= await self._without_record(self._consumer, topic, small)
        return sum(end - position for p, (position, end) in gaps.items() if self._empty.get(p) != (position, end))

    async def _without_record(
        self, consumer: AIOKafkaConsumer, topic: str, gaps: dict[int, tuple[int, int]]
    ) -> dict[int, tuple[int, int]]:
        """Those of the gaps that hold no record: the consumer's position moves past them and gives nothing."""
        places = {TopicPartition(topic, partition): gap for partition, gap in gaps.items()}
        consumer.assign(list(places))
        for place, (position, _) in places.items():
            consumer.seek(place, position)
        empty: dict[int, tuple[int, int]] = {}
        deadline = time.monotonic() + MARKERS_SECONDS_MAX
        while places and time.monotonic() < deadline:
            for place in await consumer.getmany(timeout_ms=100):
                places.pop(place, None)
            for place, gap in list(places.items()):
                if await consumer.position(place) >= gap[1]:
                    empty[place.partition] = places.pop(place)
        consumer.unsubscribe()
        return empty

    def _rate(self, events: int) -> float:
        now = time.monotonic()
        before, self._events = self._events, (now, events)
        if before is None or now <= before[0]:
            return 0.0
        return round((events - before[1]) / (now - before[0]), 1)
