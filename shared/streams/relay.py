"""The relay of one claimed partition: derived events in order, snapshots of what changed (D8).

Publishes from memory right after the commit; after a crash the next owner publishes again from the mark, and readers
drop by id what they had. The publisher's transactional id is the partition's: the broker refuses a zombie.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import structlog

from shared.streams.crash_points import reach
from shared.streams.ports import FencedError, Message, Publisher, RetryableError

log = structlog.get_logger(__name__)
MESSAGES_PER_TRANSACTION = 20_000
"""One broker transaction carries outbox rows up to about this many messages."""
RETRY_SECONDS = 0.5


class RelayStore(Protocol):
    """What the relay reads and marks."""

    async def unpublished(self, partition: int) -> list[tuple[int, list[Message]]]: ...

    async def mark_published(self, partition: int, sequence: int) -> None: ...

    async def mark_snapshots(self, partition: int, next_offset: int) -> None: ...


class PartitionRelay:
    """One task; `close` ends it, `idle` waits until everything handed over is published and marked."""

    def __init__(
        self,
        partition: int,
        *,
        store: RelayStore,
        new_publisher: Callable[[], Awaitable[Publisher]],
        on_fenced: Callable[[int], None],
    ) -> None:
        self.partition = partition
        self._store = store
        self._new_publisher = new_publisher
        self._on_fenced = on_fenced
        self._rows: list[tuple[int, Sequence[Message]]] = []
        self._snapshots: tuple[int, list[Message]] | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.failure: Exception | None = None
        """What ended the relay though nobody expected it; the worker ends with it."""
        self.published = 0
        self.snapshots_published = 0

    async def start(self) -> None:
        """Fence the partition's older publisher and take up what it left."""
        self._publisher = await self._new_publisher()
        self._rows = list(await self._store.unpublished(self.partition))
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name=f"relay {self.partition}")

    def hand_over(self, sequence: int, messages: Sequence[Message]) -> None:
        """Messages of a committed transaction, in order of sequence."""
        if messages:
            self._rows.append((sequence, messages))
            self._stir()

    def hand_over_snapshots(self, next_offset: int, messages: Iterable[Message]) -> None:
        """Snapshots of every loan changed below `next_offset`; one set at a time (see `wants_snapshots`)."""
        assert self._snapshots is None
        self._snapshots = (next_offset, list(messages))
        self._stir()

    def _stir(self) -> None:
        if not self._ended:
            self._idle.clear()
            self._wake.set()

    @property
    def wants_snapshots(self) -> bool:
        """Whether the last set is through."""
        return self._snapshots is None

    @property
    def backlog(self) -> int:
        """Messages handed over and not yet published."""
        return sum(len(messages) for _, messages in self._rows) + (len(self._snapshots[1]) if self._snapshots else 0)

    async def idle(self) -> None:
        """Return when everything handed over is published and marked, or when this relay will publish nothing more."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop at once; what is not published stays in the outbox."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._publisher is not None:
            await self._publisher.close()

    async def _run(self) -> None:
        try:
            await self._relay()
        except FencedError as error:
            log.warning("relay fenced", partition=self.partition, error=str(error))
            self._on_fenced(self.partition)
        except Exception as error:  # the worker's keep_house raises it
            log.exception("relay failed", partition=self.partition)
            self.failure = error
        finally:
            self._ended = True
            self._idle.set()

    async def _relay(self) -> None:
        while True:
            if not self._rows and self._snapshots is None:
                self._idle.set()
                await self._wake.wait()
            self._wake.clear()
            try:
                await self._publish_rows()
                await self._publish_snapshots()
            except RetryableError as error:
                log.warning("relay will try again", partition=self.partition, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _publish_rows(self) -> None:
        assert self._publisher is not None
        while self._rows:
            taken, messages = 0, list[Message]()
            for _, more in self._rows:
                taken += 1
                messages.extend(more)
                if len(messages) >= MESSAGES_PER_TRANSACTION:
                    break
            reach("relay.before-publish")
            await self._publisher.publish(messages)
            reach("relay.after-publish")
            await self._store.mark_published(self.partition, self._rows[taken - 1][0] + 1)
            reach("relay.after-mark")
            del self._rows[:taken]
            self.published += len(messages)

    async def _publish_snapshots(self) -> None:
        if self._snapshots is None:
            return
        assert self._publisher is not None
        next_offset, messages = self._snapshots
        reach("snapshots.before-flush")
        await self._publisher.publish(messages)
        reach("snapshots.after-flush")
        await self._store.mark_snapshots(self.partition, next_offset)
        reach("snapshots.after-mark")
        self.snapshots_published += len(messages)
        self._snapshots = None
