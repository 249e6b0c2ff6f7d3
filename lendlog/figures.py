"""The figures that `run` and `status` show: from the books, by the reader's role, and from the broker's end offsets."""

import importlib
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from lendlog.platform import Platform
from lendlog.services import OF_BORROWERS, of_borrowers, schemas_of
from services.ledger.engine.accounts import LOANS_RECEIVABLE, SUSPENSE
from shared.database import connect
from shared.money import code_of, decimal_text
from shared.settings import ServiceSettings
from shared.topics import LIFECYCLE, Topic

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


# Of a service of borrowers: how far it is, and what it has set aside.
_OF_BORROWERS = """
SELECT (SELECT coalesce(sum(events), 0) FROM position)::bigint AS events,
       (SELECT count(*) FROM parked_subject) AS parked,
       (SELECT count(*) FROM dead_letter) AS dead_letters,
       (SELECT count(*) FROM conflict) AS conflicts,
       (SELECT min(open_date)::text FROM position WHERE open_date > '0001-01-01') AS open_date
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
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the services of borrowers that run: lag, events, what is set aside, and what each counts of its own."""

    def document(self) -> dict[str, Any]:
        """As it stands in `status --json`, the other services apart."""
        document = asdict(self)
        del document["services"]
        return document


class Collector:
    """Reads figures again and again over one connection to each server. Any failure leaves it usable: read again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._names = ServiceSettings()
        self._connection: asyncpg.Connection | None = None
        self._others: dict[str, asyncpg.Connection] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._empty: dict[TopicPartition, tuple[int, int]] = {}
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
        """Close every connection."""
        connections, consumer = [self._connection, *self._others.values()], self._consumer
        self._connection = self._consumer = None
        self._others = {}
        for connection in filter(None, connections):
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
        figures.lag = await self._lag(LIFECYCLE, {row["partition"]: row["next_offset"] for row in positions})
        figures.events = sum(row["events"] for row in positions)
        figures.duplicates = sum(row["duplicates"] for row in positions)
        figures.halted = {str(row["partition"]): row["halted"] for row in positions if row["halted"]}
        figures.open_date = min((str(row["open_date"]) for row in positions if row["open_date"]), default=None)
        figures.events_per_second = self._rate(figures.events)
        if time.monotonic() >= self._totals_due:
            await self._read_totals(self._connection)
        for name, value in self._totals.items():
            setattr(figures, name, value)
        for service in self._platform.services:
            if service in OF_BORROWERS:
                figures.services[service] = await self._read_service(service)
        return figures

    async def _read_service(self, service: str) -> dict[str, Any]:
        """The figures of a service of borrowers."""
        if service not in self._others:
            schema = schemas_of(service, self._names).schema
            self._others[service] = await connect(self._platform.url("reader"), schema, command_timeout=60)
        connection = self._others[service]
        rows = await connection.fetch(_POSITIONS)
        lag = await self._lag(of_borrowers(service).inbox, {row["partition"]: row["next_offset"] for row in rows})
        halted = {str(row["partition"]): row["halted"] for row in rows if row["halted"]}
        common = dict(await connection.fetchrow(_OF_BORROWERS))
        own = await importlib.import_module(f"services.{service}.queries").figures(connection)
        return {"lag": lag, **common, "halted": halted, **own}

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

    async def _lag(self, topic: Topic, positions: dict[int, int]) -> int:
        """Offsets between the positions and the broker's ends, where more than ends of transactions stand there."""
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._platform.kafka_bootstrap,
                isolation_level="read_committed",
                auto_offset_reset="none",
                request_timeout_ms=10_000,
            )
            await self._consumer.start()
        name = self._names.topic_prefix + topic.name
        wanted = {TopicPartition(name, partition): position for partition, position in positions.items()}
        found = await self._consumer.end_offsets(list(wanted))
        gaps = {place: (position, found[place]) for place, position in wanted.items() if found[place] > position}
        small = {
            place: gap
            for place, gap in gaps.items()
            if gap[1] - gap[0] <= MARKERS_MAX and self._empty.get(place) != gap
        }
        if small:
            self._empty |= await self._without_record(self._consumer, small)
        return sum(end - start for place, (start, end) in gaps.items() if self._empty.get(place) != (start, end))

    async def _without_record(
        self, consumer: AIOKafkaConsumer, gaps: dict[TopicPartition, tuple[int, int]]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Those of the gaps that hold no record: the consumer's position moves past them and gives nothing."""
        places = dict(gaps)
        consumer.assign(list(places))
        for place, (position, _) in places.items():
            consumer.seek(place, position)
        empty: dict[TopicPartition, tuple[int, int]] = {}
        deadline = time.monotonic() + MARKERS_SECONDS_MAX
        while places and time.monotonic() < deadline:
            for place in await consumer.getmany(timeout_ms=100):
                places.pop(place, None)
            for place, gap in list(places.items()):
                if await consumer.position(place) >= gap[1]:
                    empty[place] = places.pop(place)
        consumer.pause(*gaps)  # not unsubscribed: aiokafka's fetcher ends for good where it finds no subscription
        return empty

    def _rate(self, events: int) -> float:
        now = time.monotonic()
        before, self._events = self._events, (now, events)
        if before is None or now <= before[0]:
            return 0.0
        return round((events - before[1]) / (now - before[0]), 1)
