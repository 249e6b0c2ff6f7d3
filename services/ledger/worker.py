"""The ledger's worker: what it does beside any service's worker is to send the snapshots of loans that changed."""

from typing import cast

import asyncpg

from services.ledger import messages
from services.ledger.processor import LedgerPartition
from services.ledger.snapshot_pacing import SNAPSHOT_SECONDS, SNAPSHOT_SECONDS_BUSY, SnapshotPacing
from services.ledger.store import LedgerStore
from shared import topics
from shared.settings import ServiceSettings
from shared.streams.kafka import KafkaLog
from shared.streams.positions import Position
from shared.streams.processor import Owned
from shared.streams.worker import StreamWorker

PROCESSOR = "ledger"


def topics_of(settings: ServiceSettings) -> messages.Topics:
    """Topic names with this platform's prefix."""
    prefix = settings.topic_prefix
    return messages.Topics(
        lifecycle=prefix + topics.LIFECYCLE.name,
        events=prefix + topics.LEDGER_EVENTS.name,
        accounts=prefix + topics.LEDGER_ACCOUNTS.name,
        dead_letters=prefix + topics.LIFECYCLE_DEAD_LETTERS.name,
        partitions=settings.partitions,
    )


class LedgerWorker(StreamWorker):
    """Folds the log of record into the books."""

    def __init__(self, settings: ServiceSettings, pool: asyncpg.Pool, log_port: KafkaLog) -> None:
        self.topics = topics_of(settings)
        self._snapshots = SnapshotPacing(self.topics)
        super().__init__(
            settings,
            log_port,
            name=PROCESSOR,
            topic=self.topics.lifecycle,
            dead_letters=self.topics.dead_letters,
            store=LedgerStore(pool),
            host=self._host,
        )

    def _host(self, partition: int) -> LedgerPartition:
        return LedgerPartition(
            partition,
            topics=self.topics,
            closing_chunk=self.settings.closing_chunk,
            cached_loans=self.settings.cached_loans // max(1, self.settings.partitions // 2),
        )

    async def taken_over(self, owned: Owned) -> None:
        """The loans whose snapshots are still to be sent, as the tables have them."""
        await self.found_more(owned, owned.position)

    async def found_more(self, owned: Owned, position: Position) -> None:
        """The same after a commit whose answer was lost."""
        loans = await self.store.unsnapshotted(position.partition)
        day, hosted = position.open_day or 0, cast(LedgerPartition, owned.hosted)
        hosted.changed = {loan.loan_id: (loan, messages.account(loan, day), day) for loan in loans}

    def between_batches(self, owned: Owned, *, idle: bool) -> None:
        """Hand over what changed; seldom under load, at once when nothing comes."""
        every = SNAPSHOT_SECONDS if idle else SNAPSHOT_SECONDS_BUSY
        self._snapshots.hand_over(owned, self.relays.get(owned.position.partition), every)
