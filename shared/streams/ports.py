"""The three ports that claims, processor and relays see: `Log`, `Store`, `Clock`. Faust is one host, others are tests,
the replay and the simulation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a log, as the broker holds it. `timestamp` is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Message(NamedTuple):
    """Something to publish. `partition` is chosen by the caller (murmur2 of the key, or explicit)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Log(Protocol):
    """The broker, without consumer groups."""

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """(first offset still held, end offset)."""
        ...

    async def read_one(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at exactly this offset, or None."""
        ...

    async def first_from(self, topic: str, partition: int, offset: int) -> int | None:
        """The offset of the first committed record at or after `offset`, or None if there is none yet."""
        ...


class Publisher(Protocol):
    """Publishes all or nothing, in order; refused for good once a newer publisher has the same name."""

    async def publish(self, messages: Iterable[Message]) -> None: ...

    async def close(self) -> None: ...


class Clock(Protocol):
    """Wall time, for pacing and metrics only: no decision about money looks at it."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class FencedError(Exception):
    """Another owner has the partition, or the publisher's name: write nothing more, claim again if still assigned."""


class HaltedPartition(Exception):
    """A partition must stop until an operator acts: the log no longer is what the position stands for."""


class RetryableError(Exception):
    """The store or the broker failed in a way that may pass: nothing was written, or the position tells what was."""


Rows = Sequence[tuple[Any, ...]]
