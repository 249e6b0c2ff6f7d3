"""A batch of one partition becomes one transaction (D6): lock, drop what was taken, fold, write, advance, commit.

The hosts (Faust worker, replay, tests) hand over batches; the service's fold is a `Hosted`, its tables are a `Store`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import structlog

from shared.merkle import Tree
from shared.streams.crash_points import reach
from shared.streams.intake import Item, SuspectedDuplicate
from shared.streams.ports import Clock, FencedError, HaltedPartition, Log, Record, RetryableError
from shared.streams.positions import Advance, DuplicateEvents, Hosted, Position, Store, check_log
from shared.streams.unit import Unit

log = structlog.get_logger(__name__)

RETRIES_MAX = 120
RETRY_SECONDS = 0.5
"""An outage of the database is waited out for about a minute, in place; then the process ends and is started again."""
STAGES = ("decode", "fetch", "fold", "write", "commit")


@dataclass(slots=True)
class Counts:
    """What the processor counts; the worker exports it."""

    events: int = 0
    transactions: int = 0
    redelivered: int = 0
    duplicates: int = 0
    holes: int = 0
    conflicts: int = 0
    dead: int = 0
    found: int = 0
    fenced: int = 0
    retried: int = 0
    stale: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """Wall seconds by stage."""


@dataclass(slots=True)
class Owned:
    """A claimed partition in memory."""

    position: Position
    hosted: Hosted
    tree: Tree
    loaded: bool = False
    torn: bool = False
    """A transaction began and has not been seen to commit: what is in memory counts for nothing until `_recover`."""


class Processor:
    """Runs the transactions of the partitions it has claimed."""

    def __init__(
        self,
        *,
        topic: str,
        store: Store,
        log_port: Log,
        clock: Clock,
        host: Any,
        on_commit: Any,
        on_found: Callable[[Owned, Position], Awaitable[None]] | None = None,
    ) -> None:
        """`host(partition)` makes a partition's fold; `on_commit(owned, sequence, messages)` hears of each commit,
        `on_found(owned, position)` of one whose answer was lost: outbox rows that `owned` doesn't know of are news."""
        self.topic = topic
        self.store = store
        self.log_port = log_port
        self.clock = clock
        self._host = host
        self._on_commit = on_commit
        self._on_found = on_found
        self.owned: dict[int, Owned] = {}
        self.halted: dict[int, str] = {}
        self.counts = Counts()

    async def claim(self, partitions: Sequence[int]) -> dict[int, Position]:
        """Take the partitions over (epoch + 1), forget the others; one whose log is not the one it was is halted."""
        positions = await self.store.claim(sorted(partitions))
        reach("claim.after-epoch")
        self.owned, self.halted = {}, {}
        try:
            for position in positions:
                await self._own(position)
        except BaseException:
            self.owned = {}  # half a claim is none: the host claims again, or ends
            raise
        return {p.partition: p for p in positions}

    async def _own(self, position: Position) -> None:
        try:
            await check_log(self.log_port, self.topic, position)
        except HaltedPartition as halt:
            await self.halt(position.partition, str(halt))
            return
        tree = Tree(position.tree_size, position.frontier)
        self.owned[position.partition] = Owned(position, self._host(position.partition), tree)

    async def halt(self, partition: int, reason: str) -> None:
        """Stop one partition with a named error; the others go on."""
        log.error("partition halted", partition=partition, reason=reason)
        self.owned.pop(partition, None)
        self.halted[partition] = reason
        await self.store.halt(partition, reason)

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> bool:
        """Take a batch in, in as many transactions as it needs. False: the batch does not start at the position, and
        the host must seek to it and fetch again (nothing was taken). Raises FencedError when the claim is lost."""
        owned = self.owned.get(partition)
        if owned is None or owned.position.epoch != epoch:
            self.counts.stale += 1
            return True
        if not self._contiguous(owned, records):
            return False
        started = perf_counter()
        items: Sequence[Item] = [owned.hosted.decode(r) for r in records if r.offset >= owned.position.next_offset]
        self.counts.seconds["decode"] += perf_counter() - started
        self.counts.redelivered += len(records) - len(items)
        failures = 0
        while items := _from(items, owned.position.next_offset):
            try:
                if owned.torn:
                    await self._recover(owned)
                    continue
                await self._step(owned, items)
                failures = 0
            except RetryableError as error:
                failures += 1
                self.counts.retried += 1
                log.warning(
                    "transaction failed, will be retried", partition=partition, error=str(error), failures=failures
                )
                if failures > RETRIES_MAX:
                    raise
                await self.clock.sleep(RETRY_SECONDS if failures > 1 else 0)
            except FencedError:
                self.counts.fenced += 1
                self.owned.pop(partition, None)
                raise
        return True

    def _contiguous(self, owned: Owned, records: Sequence[Record]) -> bool:
        return bool(records) and records[0].offset <= owned.position.next_offset <= records[-1].offset + 1

    async def accept_gap(self, partition: int, first: int, *, certain: bool) -> bool:
        """A batch starts at `first`, not at the position. True: what lies between are transaction markers, go on.
        False: fetch again from the position. A log that is no longer what it was halts the partition.

        `certain`: the batch is known to follow the last one taken, with nothing dropped between; otherwise the log
        itself is asked what comes after the position.
        """
        owned = self.owned[partition]
        position = owned.position
        try:
            if first < position.next_offset or not certain:
                await check_log(self.log_port, self.topic, position)
            else:
                start, _ = await self.log_port.bounds(self.topic, partition)
                if start > position.next_offset:
                    await check_log(self.log_port, self.topic, position)
        except HaltedPartition as halt:
            await self.halt(partition, str(halt))
            return False
        if first <= position.next_offset:
            return True
        if not certain and await self.log_port.first_from(self.topic, partition, position.next_offset) != first:
            return False
        position.next_offset = first
        return True

    async def _recover(self, owned: Owned) -> None:
        """After an abandoned transaction: the position row tells what was committed, an ambiguous commit included."""
        before = owned.position
        position = await self.store.position(before.partition)
        if position.epoch != before.epoch:
            raise FencedError(f"partition {before.partition} has epoch {position.epoch}, not {before.epoch}")
        owned.hosted.forget()
        owned.loaded = False
        if position.outbox_next != before.outbox_next:
            self.counts.found += 1
            log.warning("a commit without an answer went through", partition=before.partition)
            if self._on_found is not None:
                await self._on_found(owned, position)
        owned.position = position
        owned.tree = Tree(position.tree_size, position.frontier)
        owned.torn = False

    async def _step(self, owned: Owned, items: Sequence[Item]) -> None:
        """One transaction; run again with the known duplicates where the optimistic one met any (D7)."""
        try:
            await self._transact(owned, items, None)
        except (DuplicateEvents, SuspectedDuplicate):
            await self._recover(owned)
            ids = [item.event.id for item in items if item.event is not None]
            await self._transact(owned, items, ids)

    async def _transact(self, owned: Owned, items: Sequence[Item], look_up: Sequence[str] | None) -> None:
        position, hosted = owned.position, owned.hosted
        owned.torn = True
        reach("batch.before-begin")
        seconds, at = self.counts.seconds, [perf_counter()]

        def spent(stage: str) -> None:
            at.append(perf_counter())
            seconds[stage] += at[-1] - at[-2]

        async with self.store.transaction(position.partition, position.epoch) as transaction:
            stored = transaction.position
            if stored.next_offset > position.next_offset or stored.resume != position.resume:
                raise RetryableError("the position moved: an earlier commit went through")
            reach("batch.after-lock")
            if not owned.loaded:
                await hosted.load(transaction)
                owned.loaded = True
            known = None if look_up is None else await transaction.known(look_up)
            unit = await hosted.begin(transaction, items, known)
            spent("fetch")
            taken, resume = await self._fold(hosted, transaction, items, position.resume)
            spent("fold")
            reach("batch.after-fold")
            await hosted.write(transaction)
            reach("batch.after-write")
            step = self._advance(owned, transaction.position, items, taken, unit, resume)
            await transaction.advance(step)
            spent("write")
            reach("batch.before-commit")
        spent("commit")
        reach("batch.after-commit")
        self._done(owned, step, unit)
        if resume is not None:
            reach("closing.between-transactions")

    async def _fold(
        self, hosted: Hosted, transaction: Any, items: Sequence[Item], resume: int | None
    ) -> tuple[int, int | None]:
        """Fold records until the batch or the transaction's share of a long closing ends: (records taken, resume)."""
        take_at_once = hosted.take_at_once
        for n, item in enumerate(items):
            if take_at_once(item):
                continue
            resume = await hosted.take(transaction, item, resume)
            if resume is not None:
                return n, resume
        return len(items), None

    def _advance(
        self, owned: Owned, stored: Position, items: Sequence[Item], count: int, unit: Unit, resume: int | None
    ) -> Advance:
        """The new position after `count` of `items`; `stored` is the position row as the transaction found it."""
        taken = items[:count]
        position, tree = owned.position, owned.tree
        tree.append(unit.leaves)
        last = taken[-1].record.offset if taken else position.last_offset
        following = items[len(taken)].record.offset if resume is not None else (last or 0) + 1
        holes = (following - stored.next_offset) - len(taken)
        return Advance(
            next_offset=following,
            resume=resume,
            last_offset=last,
            last_leaf=unit.leaves[-1] if unit.leaves else position.last_leaf,
            tree_size=tree.size,
            frontier=tree.frontier(),
            outbox_next=position.outbox_next + bool(unit.messages),
            open_day=owned.hosted.open_day,
            accepted=unit.accepted,
            duplicates=unit.duplicates,
            holes=holes,
            messages=unit.messages,
        )

    def _done(self, owned: Owned, step: Advance, unit: Unit) -> None:
        position = owned.position
        sequence = position.outbox_next
        position.next_offset, position.resume = step.next_offset, step.resume
        position.last_offset, position.last_leaf = step.last_offset, step.last_leaf
        position.tree_size, position.frontier = step.tree_size, step.frontier
        position.outbox_next, position.open_day = step.outbox_next, step.open_day
        owned.torn = False
        self.counts.events += unit.accepted
        self.counts.transactions += 1
        self.counts.duplicates += unit.duplicates
        self.counts.conflicts += len(unit.conflicts)
        self.counts.holes += step.holes
        self.counts.dead += len(unit.dead)
        owned.hosted.committed(step.next_offset)
        self._on_commit(owned, sequence, unit.messages)


def _from(items: Sequence[Item], offset: int) -> Sequence[Item]:
    """Those at or above the offset; the same list where that is all of them."""
    if items and items[0].record.offset < offset:
        return [item for item in items if item.record.offset >= offset]
    return items
