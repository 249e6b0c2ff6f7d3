"""The peer: stock Faust writing the same postings with the same fold, encoders and tables, in its documented idioms.

`python -m lendlog.bench.faust_peer event|take`: one event a transaction, or `take(1000)` a transaction. It sends no
derived events and no snapshots, which favours it. It also loses what its handlers did not finish: not measured here.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust

from services.ledger.processor import LedgerPartition
from services.ledger.store import POSITION, LedgerTransaction
from services.ledger.worker import topics_of
from shared.database import open_pool
from shared.merkle import Tree
from shared.settings import ServiceSettings
from shared.streams.intake import SuspectedDuplicate
from shared.streams.ports import Record
from shared.streams.position_store import position_of
from shared.streams.positions import Advance

TAKE = 1000
WITHIN_SECONDS = 1.0


class Peer:
    """Folds and writes batches that may hold several partitions, in one transaction."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.topics = topics_of(settings)
        self.hosted: dict[int, LedgerPartition] = {}
        self.trees: dict[int, Tree] = {}
        self.pool: Any = None

    async def write(self, records: Sequence[Record]) -> None:
        """One transaction."""
        if self.pool is None:
            self.pool = await open_pool(self.settings.database_url.get_secret_value(), self.settings.ledger_schema)
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        async with self.pool.acquire() as connection, connection.transaction():
            for partition, some in by_partition.items():
                await self._write(
                    LedgerTransaction(connection, position_of(await connection.fetchrow(POSITION, partition))), some
                )
        for partition, some in by_partition.items():
            self.hosted[partition].committed(some[-1].offset + 1)

    async def _write(self, transaction: LedgerTransaction, records: Sequence[Record]) -> None:
        partition, position = transaction.partition, transaction.position
        hosted = self.hosted.get(partition)
        if hosted is None:
            hosted = self.hosted[partition] = LedgerPartition(
                partition, topics=self.topics, closing_chunk=1 << 40, cached_loans=self.settings.cached_loans
            )
            await hosted.load(transaction)
        tree = self.trees.setdefault(partition, Tree(position.tree_size, position.frontier))
        items = [hosted.decode(record) for record in records]
        unit = await hosted.begin(transaction, items, None)
        for item in items:
            try:
                await hosted.take(transaction, item, None)
            except SuspectedDuplicate as error:
                raise AssertionError("the benchmark's log holds no repeated event") from error
        await hosted.write(transaction)
        tree.append(unit.leaves)
        last = records[-1].offset
        await transaction.advance(
            Advance(
                last + 1, None, last, unit.leaves[-1], tree.size, tree.frontier(), 0, hosted.open_day,
                unit.accepted, unit.duplicates, 0,
            )
        )  # fmt: skip


def _record(event: Any) -> Record:
    message = event.message
    return Record(
        message.topic, message.partition, message.offset, int(message.timestamp * 1000), message.key, message.value
    )


def build(settings: ServiceSettings, idiom: str) -> faust.App:
    """The peer's app: stock transport, at least once."""
    app = faust.App(
        f"{settings.topic_prefix}{settings.ledger_schema}", broker=f"kafka://{settings.kafka_bootstrap}", store="memory://",
        datadir=Path(tempfile.gettempdir()) / "lendlog-faust", web_enabled=False,
        topic_disable_leader=True, topic_allow_declare=False, stream_wait_empty=False,
        broker_max_poll_records=5000, consumer_auto_offset_reset="earliest",
    )  # fmt: skip
    peer = Peer(settings)
    lifecycle = app.topic(peer.topics.lifecycle, key_serializer="raw", value_serializer="raw")

    if idiom == "event":

        @app.agent(lifecycle)
        async def one_by_one(stream: Any) -> None:
            async for event in stream.events():
                await peer.write([_record(event)])
    else:

        @app.agent(lifecycle)
        async def thousands(stream: Any) -> None:
            async for events in stream.take_events(TAKE, WITHIN_SECONDS):
                await peer.write([_record(event) for event in events])

    return app


if __name__ == "__main__":
    faust.Worker(build(ServiceSettings(), sys.argv[1]), loglevel="warning", quiet=True).execute_from_commandline()
