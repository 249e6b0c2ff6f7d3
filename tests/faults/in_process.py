"""A ledger worker inside the test's own process, without Faust: the test hands it the batches and breaks its store."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.ledger.store import LedgerStore
from services.ledger.worker import LedgerWorker
from shared.database import open_pool
from shared.streams.kafka import KafkaLog
from shared.streams.transport import Batch
from tests.places import Place
from tests.waiting import until


class Driven:
    """The worker and what its host would keep: the current run and the next sequence of each partition."""

    def __init__(self, worker: LedgerWorker) -> None:
        self.worker = worker
        self.runs: dict[int, int] = {}
        self.sequences: dict[int, int] = {}
        self.sought: list[dict[int, int]] = []
        worker.current_run = lambda partition: self.runs.get(partition, -1)  # type: ignore[method-assign]
        worker.seek = self._seek

    async def _seek(self, offsets: dict[int, int]) -> None:
        self.sought.append(dict(offsets))
        for partition in offsets:
            self.runs[partition] = self.runs.get(partition, 0) + 1
            self.sequences[partition] = 0

    async def claim(self, partitions: Sequence[int], generation: int = 1) -> None:
        """As Faust does after an assignment."""
        await self._seek(dict(await self.worker.claim(set(partitions), generation)))

    async def take(self, partition: int, records: Sequence[Any], *, run: int | None = None) -> None:
        """Hand one batch over."""
        sequence = self.sequences.get(partition, 0)
        self.sequences[partition] = sequence + 1
        await self.worker.take(Batch(partition, self.runs[partition] if run is None else run, sequence, list(records)))

    async def take_all(self, partition: int, records: Sequence[Any], size: int = 100) -> None:
        """Hand a whole partition over, from the position on, in batches of `size` records."""
        start = self.worker.processor.owned[partition].position.next_offset
        rest = [record for record in records if record.offset >= start]
        for n in range(0, len(rest), size):
            await self.take(partition, rest[n : n + size])

    async def relayed(self) -> None:
        """Until every derived event is published and no task of the worker has failed."""

        async def idle() -> bool:
            self.worker.require_sound()
            return all(not relay.backlog for relay in self.worker.relays.values())

        await until(idle, 30)


@asynccontextmanager
async def driven(place: Place, store: type[LedgerStore] = LedgerStore, **variables: str) -> AsyncIterator[Driven]:
    """A worker that has claimed nothing yet, on a store of this kind."""
    settings = place.settings(**variables)
    pool = await open_pool(settings.database_url.get_secret_value(), settings.ledger_schema, size=6)
    log_port = KafkaLog(place.kafka_bootstrap)
    await log_port.start()
    worker = LedgerWorker(settings, pool, log_port)
    worker.store = worker.processor.store = store(pool)
    try:
        yield Driven(worker)
    finally:
        await worker.close()
        await log_port.stop()
        await pool.close()
