"""The ledger's part of a replay: its fold, and how it recognises releases and retries."""

from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from services.ledger.messages import Topics
from services.ledger.processor import LedgerPartition
from services.ledger.reading import read
from services.ledger.store import LedgerStore
from shared.events.ledger import DeadLetterRetried, ParkedLoanReleased
from shared.streams.intake import Hold, NotUnderstood, Unreadable, hold_of
from shared.streams.ports import Record
from shared.streams.replay import Holds, replay_partition

MARKS = (b"ParkedLoanReleased", b"DeadLetterRetried")


def note(record: Record, holds: Holds) -> None:
    """Remember what a release or a retry says about an earlier record."""
    if record.value is None or not any(mark in record.value for mark in MARKS):
        return
    try:
        event: Any = read(record)
    except (Unreadable, NotUnderstood):
        return
    if isinstance(event, ParkedLoanReleased):
        data = event.data
        holds.released.setdefault(hold_of(data.first_held_offset, event.subject, data.held_reason), data.held_reason)
    elif isinstance(event, DeadLetterRetried):
        dead_offset, failed = event.data.dead_offset, event.data.tried_at is not None
        holds.retried[dead_offset] = record.offset if failed else holds.retried.get(dead_offset, 0)


async def replay_ledger(
    partition: int,
    *,
    bootstrap: str,
    topics: Topics,
    pool: asyncpg.Pool,
    batch: int,
    closing_chunk: int = 20_000,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Replay one partition of the log into the pool's schema; returns the number of records."""

    def host(number: int, holds: Mapping[Hold, str], retried: Mapping[int, int]) -> LedgerPartition:
        return LedgerPartition(
            number, topics=topics, closing_chunk=closing_chunk, cached_loans=200_000, holds=holds, retried=retried
        )

    return await replay_partition(
        bootstrap=bootstrap,
        topic=topics.lifecycle,
        partition=partition,
        store=LedgerStore(pool),
        note=note,
        host=host,
        batch=batch,
        progress=progress,
    )
