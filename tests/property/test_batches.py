"""However the log is cut into batches and closings into transactions, whatever the database refuses: the same books."""

import asyncio
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.messages import Topics
from services.ledger.processor import LedgerPartition
from shared.streams.ports import Record, RetryableError
from shared.streams.processor import Processor
from tests.memory_store import MemoryStore

TOPICS = Topics("loans.lifecycle.v1", "ledger.events.v1", "ledger.accounts.v1", "loans.lifecycle.v1.dlq", 1)


def log_of(history: History) -> list[Record]:
    """A history as the records of one partition, with a transaction marker after every seventh."""
    offsets = (n + n // 7 for n in itertools.count())
    return [
        Record(TOPICS.lifecycle, 0, next(offsets), 1_700_000_000_000, one.key, one.value) for one in history.records()
    ]


@cache
def troubled(seed: int) -> list[Record]:
    """Forty days with everything in them that a log of record must survive."""
    return log_of(History(seed=seed, loans=12, days=40, partitions=1, trouble=1.5, valued_days=7))


@cache
def reference(seed: int) -> tuple[Mapping[str, Any], list[bytes]]:
    """The books and the derived events of a fold in memory, one record at a time."""
    books = MemoryBooks(0, TOPICS)
    for record in troubled(seed):
        books.take(record)
    return digest_in_memory([books]), [message.value or b"" for message in books.messages]


class NoLog:
    """The log is what it was, as far as anybody asks."""

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, 1 << 40

    async def read_one(self, topic: str, partition: int, offset: int) -> None:
        raise AssertionError("not asked")

    async def first_from(self, topic: str, partition: int, offset: int) -> None:
        raise AssertionError("not asked")


class NoWaiting:
    """A clock that waits for nothing."""

    def now(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def processor(store: MemoryStore, **hosted: Any) -> Processor:
    """On these tables."""
    options = {"closing_chunk": 1000, "cached_loans": 1000} | hosted
    return Processor(
        topic=TOPICS.lifecycle,
        store=store,
        log_port=NoLog(),  # type: ignore[arg-type]
        clock=NoWaiting(),
        host=lambda partition: LedgerPartition(partition, topics=TOPICS, **options),
        on_commit=lambda *_: None,
    )


def batches(records: Sequence[Record], sizes: Iterable[int]) -> Iterable[Sequence[Record]]:
    """The records in batches of these sizes, over and over."""
    n = 0
    for size in itertools.cycle(list(sizes)):
        if n >= len(records):
            return
        yield records[n : n + size]
        n += size


async def run(
    store: MemoryStore,
    records: Sequence[Record],
    sizes: Iterable[int],
    *,
    restarts: random.Random | None,
    **hosted: Any,
) -> None:
    """Process the log; where `restarts` says so, another worker goes on from the tables."""
    running, epoch = processor(store, **hosted), 0
    for batch in batches(records, sizes):
        if not epoch or (restarts is not None and restarts.random() < 0.2):
            running = processor(store, **hosted)
            running.log_port.read_one = lambda *_: _the(records, store.row.last_offset)  # type: ignore[method-assign]
            epoch = (await running.claim([0]))[0].epoch
        if batch[0].offset > store.row.next_offset:
            assert await running.accept_gap(0, batch[0].offset, certain=True)
        assert await running.process(0, epoch, batch)


async def _the(records: Sequence[Record], offset: int | None) -> Record | None:
    return next((record for record in records if record.offset == offset), None)


@pytest.mark.parametrize("seed", [1, 2, 3])
@settings(max_examples=12)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    chunk=st.sampled_from([1, 2, 5, 1000]),
    cached=st.sampled_from([0, 3, 1000]),
    restarts=st.integers(0, 1 << 30).map(random.Random),
)
def test_any_cut_gives_the_same_books_and_the_same_derived_events(
    seed: int, sizes: list[int], chunk: int, cached: int, restarts: random.Random
) -> None:
    store = MemoryStore(0)
    asyncio.run(run(store, troubled(seed), sizes, restarts=restarts, closing_chunk=chunk, cached_loans=cached))
    wanted, derived = reference(seed)
    assert store.digest().result() == wanted
    assert store.derived() == derived


@pytest.mark.parametrize("seed", [1, 2, 3])
@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), faults=st.integers(0, 1 << 30))
def test_a_database_that_fails_at_any_moment_costs_nothing(seed: int, sizes: list[int], faults: int) -> None:
    dice = random.Random(faults)

    def fault(moment: str) -> None:
        if dice.random() < 0.15:
            raise RetryableError(f"lost at {moment}")

    store = MemoryStore(0, fault)
    asyncio.run(run(store, troubled(seed), sizes, restarts=None, closing_chunk=2))
    wanted, derived = reference(seed)
    assert store.digest().result() == wanted
    assert store.derived() == derived
