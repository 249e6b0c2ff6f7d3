"""What one transaction writes besides the domain's own rows: leaves, ids, and the records that it sets aside."""

from dataclasses import dataclass, field
from typing import NamedTuple

from shared.streams.ports import Message


class Held(NamedTuple):
    """A record behind a parked loan."""

    offset: int
    loan_id: str
    event_id: str
    arrived: int | None
    leaf: bytes


class Dead(NamedTuple):
    """A record that could not be read."""

    offset: int
    reason: str
    leaf: bytes


class Conflict(NamedTuple):
    """The same event id with another body."""

    offset: int
    event_id: str
    leaf: bytes


class Parked(NamedTuple):
    """A loan that stopped."""

    loan_id: str
    first_offset: int
    reason: str
    since: int | None


@dataclass(slots=True)
class Unit:
    """What one transaction will write, besides the domain's own rows."""

    leaves: list[bytes] = field(default_factory=list)
    seen: dict[str, bytes | None] = field(default_factory=dict)
    accepted: int = 0
    duplicates: int = 0
    held: list[Held] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    parked: dict[str, Parked] = field(default_factory=dict)
    unparked: list[str] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    tried: dict[int, int] = field(default_factory=dict)
    """Dead letters that a retry left dead: offset → offset of the retry."""
    settled: list[tuple[int, str]] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
