"""A service that keeps a state per borrower, as its worker, its replay and its digest see it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from shared.events.envelope import BOOK
from shared.events.inbox import ParkedSubjectReleased
from shared.merkle import record_of
from shared.settings import ServiceSettings
from shared.streams import worker_app
from shared.streams.fold import Fold
from shared.streams.intake import Hold, hold_of
from shared.streams.kafka import KafkaLog
from shared.streams.merger import Merger
from shared.streams.ports import Record
from shared.streams.replay import Holds, replay_partition
from shared.streams.subject_store import MIGRATIONS, SubjectStore
from shared.streams.subjects import SubjectPartition
from shared.streams.worker import StreamWorker
from shared.topics import TOPICS, Topic, dead_letters_of, topics_of


@dataclass(frozen=True, slots=True)
class SubjectService:
    """What a service is: everything else follows."""

    name: str
    inbox: Topic
    fold: Callable[[], Fold]
    migrations: Path
    everywhere: Sequence[Topic] = ()
    """Those of the inbox's sources that concern no single borrower: copied to every partition."""

    def schema(self, settings: ServiceSettings) -> str:
        """The schema that a replay recomputes."""
        return settings.schema_prefix + self.name

    def api_schema(self, settings: ServiceSettings) -> str:
        """The schema that it does not."""
        return f"{settings.schema_prefix}{self.name}_api"

    def partition(
        self,
        number: int,
        settings: ServiceSettings,
        *,
        holds: Mapping[Hold, str] | None = None,
        retried: Mapping[int, int] | None = None,
    ) -> SubjectPartition:
        """The fold of one partition, hosted."""
        prefix = settings.topic_prefix
        return SubjectPartition(
            number,
            fold=self.fold(),
            inbox=prefix + self.inbox.name,
            dead_letters=prefix + dead_letters_of(self.inbox).name,
            topics={topic.name: prefix + topic.name for topic in TOPICS},
            partitions=settings.partitions,
            cached=settings.cached_loans // max(1, settings.partitions),
            holds=holds,
            retried=retried,
        )

    def hosting(self, settings: ServiceSettings) -> worker_app.Hosting:
        """For the worker process."""
        prefix = settings.topic_prefix
        merger = Merger(
            bootstrap=settings.kafka_bootstrap,
            group=f"{prefix}{self.name}-merger",
            inbox=prefix + self.inbox.name,
            inputs=[prefix + topic.name for topic in self.inbox.copies],
            everywhere=[prefix + topic.name for topic in self.everywhere],
            partitions=settings.partitions,
        )

        def worker(pool: asyncpg.Pool, log_port: KafkaLog) -> StreamWorker:
            return StreamWorker(
                settings,
                log_port,
                name=self.name,
                topic=prefix + self.inbox.name,
                dead_letters=prefix + dead_letters_of(self.inbox).name,
                store=SubjectStore(pool),
                host=lambda number: self.partition(number, settings),
            )

        return worker_app.Hosting(
            name=self.name,
            topic=self.inbox,
            topics=topics_of(self.name),
            schema=self.schema(settings),
            migrations=(MIGRATIONS, self.migrations),
            worker=worker,
            side_tasks=(merger,),
        )

    async def replay(
        self,
        number: int,
        settings: ServiceSettings,
        pool: asyncpg.Pool,
        *,
        batch: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Replay one partition of the inbox into the pool's (scratch) schema; returns the number of records."""
        return await replay_partition(
            bootstrap=settings.kafka_bootstrap,
            topic=settings.topic_prefix + self.inbox.name,
            partition=number,
            store=SubjectStore(pool),
            note=_note,
            host=lambda p, holds, retried: self.partition(p, settings, holds=holds, retried=retried),
            batch=batch,
            progress=progress,
        )

    async def digest(self, connection: Any) -> dict[str, Any]:
        """SHA-256 over states, readings and what is set aside, each sorted; with counts. No offset, row id or wall time
        is in it, and a replay has the same. `connection`: asyncpg's, its search path set to the schema."""
        fold, counts = self.fold(), dict[str, int]()
        total = hashlib.sha256()
        tables: list[tuple[str, Sequence[str]]] = [("subject", ("subject", "next_action", "state"))]
        tables += [(table, ("subject", *columns)) for table, columns in sorted(fold.tables.items())]
        tables += sorted(fold.history.items())
        tables += [("parked_subject", ("subject", "reason", "since")), ("parked_event", ("subject", "event_id"))]
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table, columns in tables:
                rows = await _sorted_rows(connection, table, ("partition", *columns))
                counts[table] = len(rows)
                total.update(f"{table}\x00{len(rows)}\x00".encode())
                for row in rows:
                    total.update(row.encode() + b"\x00")
            dead = [row["record"] for row in await connection.fetch("SELECT record FROM dead_letter")]
            hashes = sorted(hashlib.sha256(_content(record_of(leaf))).digest() for leaf in dead)
            total.update(b"".join(hashes))
            events = await connection.fetchval("SELECT coalesce(sum(events), 0) FROM position")
        counts["subject"] -= await _books(connection)
        return {"digest": total.hexdigest(), "events": int(events), "dead_letters": len(dead)} | counts


async def _sorted_rows(connection: Any, table: str, columns: Sequence[str]) -> list[str]:
    names = ", ".join(f'"{column}"' for column in columns)
    rows = await connection.fetch(
        f'SELECT ROW({names})::text AS line FROM "{table}" ORDER BY ROW({names})::text COLLATE "C"'
    )
    return [row["line"] for row in rows]


async def _books(connection: Any) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM subject WHERE subject = $1", BOOK))


def _content(record: Record) -> bytes:
    key, value = record.key or b"", record.value or b""
    return len(key).to_bytes(4, "big") + key + value


def _note(record: Record, holds: Holds) -> None:
    """Remember what a release says about an earlier record."""
    if record.value is None or b"ParkedSubjectReleased" not in record.value:
        return
    try:
        event = ParkedSubjectReleased.model_validate_json(record.value)
    except ValueError:
        return
    data = event.data
    holds.released.setdefault(hold_of(data.first_held_offset, event.subject, data.held_reason), data.held_reason)


def run(service: SubjectService) -> None:
    """The worker process of a service: `python -m services.<name>.app` is this call."""
    worker_app.main(service.hosting)
