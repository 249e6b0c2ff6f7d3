"""A partition's position, what moves it, and the ports that the batch processor reaches it through.

The position row says up to where the log is in the books, and which log that was (D6).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from shared.merkle import canonical, leaf_hash
from shared.streams.intake import Item
from shared.streams.ports import HaltedPartition, Log, Message, Record
from shared.streams.unit import Unit


@dataclass(slots=True)
class Position:
    """A partition's position row, as it was at the last commit."""

    partition: int
    epoch: int
    next_offset: int
    resume: int | None
    last_offset: int | None
    last_leaf: bytes | None
    tree_size: int
    frontier: bytes
    outbox_next: int
    open_day: int | None
    halted: str | None = None


class DuplicateEvents(Exception):
    """The optimistic write met an event id that is stored already (D7)."""


@dataclass(slots=True)
class Advance:
    """What a transaction adds to the position row."""

    next_offset: int
    resume: int | None
    last_offset: int | None
    last_leaf: bytes | None
    tree_size: int
    frontier: bytes
    outbox_next: int
    open_day: int | None
    accepted: int
    duplicates: int
    holes: int
    messages: Sequence[Message] = ()


class Transaction(Protocol):
    """One database transaction that holds the partition's position row."""

    position: Position

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]: ...

    async def advance(self, step: Advance) -> None: ...


class Store(Protocol):
    """The database, as the processor sees it. Errors that may pass are RetryableError, a lost claim is FencedError."""

    async def claim(self, partitions: Sequence[int]) -> list[Position]: ...

    async def position(self, partition: int) -> Position: ...

    async def halt(self, partition: int, reason: str) -> None: ...

    def transaction(self, partition: int, epoch: int) -> AbstractAsyncContextManager[Any]: ...


class Hosted(Protocol):
    """A service's fold over one partition, with what it needs from the store."""

    async def load(self, transaction: Any) -> None:
        """After a claim or an abandoned transaction: read what is not per loan (parked loans, groups)."""
        ...

    def decode(self, record: Record) -> Item: ...

    async def begin(self, transaction: Any, items: Sequence[Item], known: Mapping[str, bytes | None] | None) -> Unit:
        """Start a unit and fetch what these records will touch."""
        ...

    def take_at_once(self, item: Item) -> bool:
        """Fold one record if nothing has to be fetched for it; False: it was not folded, use `take`."""
        ...

    async def take(self, transaction: Any, item: Item, resume: int | None) -> int | None:
        """Fold one record. A number: the record is not finished, commit and call again with it."""
        ...

    async def write(self, transaction: Any) -> None:
        """Write the unit's rows. Raises DuplicateEvents."""
        ...

    def committed(self, next_offset: int) -> None: ...

    def forget(self) -> None:
        """Drop everything in memory: a transaction was abandoned, or the claim is new."""
        ...

    @property
    def open_day(self) -> int | None: ...


async def check_log(log_port: Log, topic: str, position: Position) -> None:
    """The log must still be the one that the position stands for: not truncated below it, not shorter, and with the
    same record before it. Raises HaltedPartition naming what is wrong and what to do."""
    start, end = await log_port.bounds(topic, position.partition)
    where = f"{topic}/{position.partition}"
    if start > position.next_offset:
        raise HaltedPartition(
            f"log truncated: {where} starts at {start}, the books need {position.next_offset}; "
            "restore the topic's records"
        )
    if end < position.next_offset:
        raise HaltedPartition(
            f"log replaced: {where} ends at {end}, the books stand at {position.next_offset}; "
            "restore the topic or start a new book"
        )
    if position.last_offset is None or position.last_leaf is None or position.last_offset < start:
        return
    record = await log_port.read_one(topic, position.partition, position.last_offset)
    if record is None or leaf_hash(canonical(record)) != position.last_leaf:
        raise HaltedPartition(
            f"log replaced: the record at {where}/{position.last_offset} is not the one in the books; "
            "restore the topic or start a new book"
        )
