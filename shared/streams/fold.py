"""What a service that keeps a state per borrower brings to the batch processor: a pure fold over one partition of its
inbox. No clock, no I/O, no randomness: whatever a fold knows stands in the state, in the event, or in the context.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from shared.events.envelope import SCHEMA_BASE, Data, Envelope, derived_event_id
from shared.partitioner import partition_for
from shared.streams.ports import Message

Row = tuple[Any, ...]


class Fold(Protocol):
    """The pure core of one service. States are `msgspec.Struct`s, changed in place; a state that raises InvariantBroken
    while an event is folded is put back as it was before, and what it emitted is taken back."""

    service: str
    """Its name: the source of what it derives."""
    events: Mapping[str, type[Envelope]]
    """The events that it takes in, by `type`. Others on the inbox are passed over and counted."""
    state_type: type[Any]
    group_type: type[Any]
    tables: Mapping[str, tuple[str, ...]]
    """Tables of the current reading, each with the columns that `rows` gives, after partition and subject."""
    history: Mapping[str, tuple[str, ...]]
    """Tables that `Context.put` writes, each with its columns after partition."""

    def new_state(self, subject: str) -> Any:
        """The state of a borrower of whom nothing is known."""
        ...

    def new_group(self) -> Any:
        """The state that the partition's borrowers share (peers, markets), before anything happened."""
        ...

    def concerns_group(self, event: Any) -> bool:
        """Whether an event concerns no single borrower (a market's value); its copy is on every partition."""
        ...

    def apply(self, state: Any, event: Any, context: "Context") -> None:
        """Fold an event of one borrower. Raises InvariantBroken: the borrower parks."""
        ...

    def apply_to_group(self, event: Any, context: "Context") -> None:
        """Fold an event that concerns no single borrower into `context.group`."""
        ...

    def close_group(self, day: date, context: "Context") -> None:
        """Every partition of the ledger has closed `day`; called before the borrowers."""
        ...

    def close(self, state: Any, day: date, context: "Context") -> None:
        """Every partition of the ledger has closed `day`, and the borrower's `next_action` is not after it."""
        ...

    def next_action(self, state: Any) -> date | None:
        """The next date whose closing concerns this borrower; None: none does until something happens."""
        ...

    def rows(self, state: Any) -> Mapping[str, Sequence[Row]]:
        """The borrower's rows in each of `tables`, whole: they replace those of before."""
        ...


@dataclass(slots=True)
class Context:
    """What a fold knows besides its state, and where it leaves what follows. The same in a replay."""

    service: str
    partition: int
    partitions: int
    topics: Mapping[str, str]
    """Full names of the topics that the service writes, by the names of the map without prefix."""
    today: date | None = None
    """The open business date: the day after the last that every partition of the ledger closed. None: no book yet."""
    group: Any = None
    subject: str = ""
    cause: Envelope | None = None
    messages: list[Message] = field(default_factory=list)
    puts: list[tuple[str, Row]] = field(default_factory=list)
    emitted: int = 0
    """Events that this cause has given for this subject so far."""

    def next_id(self) -> str:
        """The id that the next event emitted gets: what it opens may be called by it."""
        assert self.cause is not None
        return derived_event_id(self.cause.id, self.partition, f"{self.service}/{self.subject}", self.emitted)

    def emit(self, topic: str, key: str, kind: type[Envelope], data: Data, *, effective: date | None = None) -> str:
        """Derive an event from the cause and send it to `topic` (its name in the map), keyed and named by `key`.

        Its id is a hash of cause, partition, service, subject and number, its time is the cause's: a replay, and a
        relay that publishes twice, give the same event. Returns the id.
        """
        cause, event_id = self.cause, self.next_id()
        assert cause is not None
        self.emitted += 1
        name: str = kind.model_fields["type"].default
        event = kind(
            id=event_id,
            source=f"/{self.service}",
            subject=key,
            time=cause.time,
            dataschema=f"{SCHEMA_BASE}{name}.json",
            causationid=cause.id,
            correlationid=cause.correlationid,
            traceparent=cause.traceparent,
            effectivedate=effective,
            data=data,  # type: ignore[call-arg] # every event's model has it, Envelope itself has not
        )
        raw = key.encode()
        self.messages.append(Message(self.topics[topic], partition_for(raw, self.partitions), raw, event.to_json()))
        return event_id

    def snapshot(self, topic: str, key: str, data: Data) -> None:
        """Send the latest state of something to a compacted topic."""
        raw = key.encode()
        value = data.model_dump_json(exclude_none=True).encode()
        self.messages.append(Message(self.topics[topic], partition_for(raw, self.partitions), raw, value))

    def put(self, table: str, *row: Any) -> None:
        """Write a row of one of the fold's `history` tables: in place of the one with the same primary key, if any."""
        self.puts.append((table, row))

    def about(self, subject: str, cause: Envelope) -> None:
        """What follows from here on concerns this subject and has this cause."""
        self.subject, self.cause, self.emitted = subject, cause, 0
