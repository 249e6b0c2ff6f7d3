"""The unit of work of a command: aggregates' states, events on their way out, and what makes a repetition harmless, in
one transaction. `shared.streams.command_outbox.CommandRelay` publishes what units leave in the outbox.

    commands = Commands(pool, scope=f"{prefix}origination", on_recorded=relay.wake)

    async with commands.unit(application_id, once=once, correlation_id=correlation_id) as unit:
        if unit.answered is None:
            state = unit.state(application_id)
            event = decide(command, state, time=unit.time)      # may raise a Refusal: then nothing is written
            unit.publish(topic, event)
            unit.keep(application_id, evolve(state, event))
            unit.answer({"application_id": application_id, "event_id": event.id})
    unit.document                                               # what to answer with, the first time and every other

The tables are those of MIGRATIONS; `pool` has their schema as its search path.

Why the order holds (D8). The relay publishes the rows whose transaction id is below `pg_snapshot_xmin`, ascending by
`sequence`. Let B follow A on one aggregate. B must never be published before A, so B's row must not pass the gate
while A's doesn't (a third transaction with an id between theirs would let that happen). The gate compares transaction
ids, so the ids must ascend in the order of the lock: B may get its id only once A has committed. Hence the first
statement takes nothing but advisory locks, which assign no transaction id and are held until the commit is visible. A
row lock won't do: a new aggregate has no row, and `INSERT ... ON CONFLICT` can have an id before it waits. States are
read in a second statement, whose snapshot is newer than the locks (READ COMMITTED), and the first write assigns the
id. Then A's id < B's id, A's sequence < B's sequence, and A is visible wherever B is. A late commit is not skipped
either: published rows are deleted, there is no mark to pass it by, and whatever has not committed has an id at or
above the gate.
"""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from shared.errors import Refusal
from shared.events.envelope import Envelope

MIGRATIONS = Path(__file__).with_name("api_migrations")
"""The tables of an API's schema that every service has; a service's own files come after these, in the same schema."""
AGGREGATES_MAX = 64
"""Names that one unit may lock: PostgreSQL's lock table holds some 6,400 in all."""


class IdempotencyKeyReused(Refusal):
    """The idempotency key was used for another request."""


class EventAlreadyRecorded(Refusal):
    """The event was recorded before; an event id stands for one event."""

    status = 409


@dataclass(frozen=True, slots=True)
class Once:
    """A client's idempotency key, and the hash of the request that it stands for."""

    client: str
    key: str
    request_hash: bytes


class Unit:
    """One command's transaction, while its locks are held. `Commands.unit` makes it and writes what it was given.

    `connection` is asyncpg's, inside of the transaction, for the service's own tables. `time` (RFC 3339, UTC) is the
    moment after the locks were taken: the `time` of the events. `correlation_id` is the caller's, for the events too.
    """

    def __init__(
        self, connection: Any, *, time: str, correlation_id: str | None, alone: frozenset[str], names: frozenset[str]
    ) -> None:
        self.connection = connection
        self.time = time
        self.correlation_id = correlation_id
        self.answered: dict[str, Any] | None = None
        """What the idempotency key stood for before. Then there is nothing to do, and nothing may be written."""
        self.status = 202
        """The HTTP status that belongs to `document`."""
        self.document: dict[str, Any] | None = None
        """What the command is answered with: `answered`, or what was given to `answer`."""
        self._alone = alone
        self._names = names
        self._states: dict[str, dict[str, Any]] = {}
        self._kept: dict[str, dict[str, Any]] = {}
        self._rows: list[tuple[str, str, int | None, Envelope]] = []

    def state(self, aggregate: str) -> dict[str, Any] | None:
        """The aggregate's state as the last unit, or this one, kept it; None if none did. It was named to `unit`."""
        assert aggregate in self._names, f"{aggregate} was not named to this unit"
        return self._kept.get(aggregate, self._states.get(aggregate))

    def keep(self, aggregate: str, state: dict[str, Any]) -> None:
        """Make `state` (anything that is JSON) the aggregate's. It was named to `unit`, and not in `reading`."""
        assert self.answered is None, "the key was answered before: there is nothing to do"
        assert aggregate in self._alone, f"this unit does not hold {aggregate} alone"
        self._kept[aggregate] = state

    async def repeated(self, event_id: str) -> bool:
        """Whether an event of this id was recorded before, by this unit included."""
        return bool(await self.recorded([event_id]))

    async def recorded(self, event_ids: Collection[str]) -> set[str]:
        """Those of these ids under which an event was recorded before, by this unit included."""
        mine = {event.id for _, _, _, event in self._rows}.intersection(event_ids)
        return mine | {str(row["event_id"]) for row in await self.connection.fetch(_RECORDED, list(event_ids))}

    def publish(self, topic: str, event: Envelope, *, key: str | None = None, partition: int | None = None) -> None:
        """Send the event, after those published before it, to the topic of this full name (prefix included).

        The message's key is `key`, or else the event's subject; without `partition` the key decides on it. One event
        may go to several places. An id that another unit recorded is refused on exit (EventAlreadyRecorded).
        """
        assert self.answered is None, "the key was answered before: there is nothing to do"
        self._rows.append((topic, event.subject if key is None else key, partition, event))

    def answer(self, document: dict[str, Any], status: int = 202) -> None:
        """What the command is answered with, now and whenever its idempotency key comes again."""
        assert self.answered is None, "the key was answered before: there is nothing to do"
        self.document, self.status = document, status

    async def _load(self, once: Once | None) -> None:
        client, key = (once.client, once.key) if once else (None, None)
        for row in await self.connection.fetch(_LOAD, list(self._names), client, key):
            if row["aggregate_id"] is not None:
                self._states[row["aggregate_id"]] = json.loads(row["document"])
            elif once is not None:
                _require_same(row["request_hash"], once)
                self.answered = self.document = json.loads(row["document"])
                self.status = row["status"]

    async def _write(self, once: Once | None) -> bool:
        """Write what was given; whether the relay has something to do."""
        if self.answered is not None:
            return False
        if self._kept:
            states = [json.dumps(state) for state in self._kept.values()]
            await self.connection.execute(_KEEP, list(self._kept), states)
        if self._rows:
            await self._enqueue()
        if once is not None:
            assert self.document is not None, "a unit with an idempotency key says what it is answered with"
            remembered = (once.client, once.key, once.request_hash, self.status, json.dumps(self.document))
            await self.connection.execute(_REMEMBER, *remembered)
        return bool(self._rows)

    async def _enqueue(self) -> None:
        encoded = {event.id: event.to_json() for _, _, _, event in self._rows}
        try:
            await self.connection.execute(_REMEMBER_EVENTS, list(encoded))
        except asyncpg.UniqueViolationError as error:
            raise EventAlreadyRecorded(f"{error.detail}") from error
        await self.connection.execute(
            _ENQUEUE,
            [topic for topic, _, _, _ in self._rows],
            [event.id for _, _, _, event in self._rows],
            [key for _, key, _, _ in self._rows],
            [event.type for _, _, _, event in self._rows],
            [partition for _, _, partition, _ in self._rows],
            [encoded[event.id] for _, _, _, event in self._rows],
        )


class Commands:
    """Opens units of work on one API's schema. `scope` keeps its locks apart from other schemas' of the database."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        scope: str,
        on_recorded: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_recorded` is called after the commit of a unit that published something, to wake a relay."""
        self._pool = pool
        self._scope = scope
        self._on_recorded = on_recorded
        self._now = now

    @contextlib.asynccontextmanager
    async def unit(
        self,
        *aggregates: str,
        reading: Collection[str] = (),
        within: str | None = None,
        once: Once | None = None,
        correlation_id: str | None = None,
    ) -> AsyncIterator[Unit]:
        """A unit on `aggregates`, which it holds alone, and on those that it is only `reading`, which stand still but
        are open to others who read them. All names are given here: locks are taken once, in one order.

        `within` is for aggregates that belong to a greater one (loans to their book): it is read as well, so that its
        state stands still, and a unit on more than AGGREGATES_MAX holds it alone in their stead. That is sound where
        every unit on them says the same.

        On a clean exit it writes states, events in order, and the answer under the key, and commits; on an exception
        nothing is written. Raises IdempotencyKeyReused and EventAlreadyRecorded.
        """
        alone = frozenset(aggregates)
        names = alone.union(reading, () if within is None else (within,))
        if within is not None and len(alone) > AGGREGATES_MAX:
            locks = self._locks({within}, {within, *reading}, once)
        else:
            locks = self._locks(alone, names, once)
        assert len(locks[0]) <= AGGREGATES_MAX + 2, f"{len(names)} aggregates in one unit"
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            await connection.fetch(_LOCK, *locks)
            time = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
            unit = Unit(connection, time=time, correlation_id=correlation_id, alone=alone, names=names)
            await unit._load(once)  # noqa: SLF001 - a unit is this class's own
            yield unit
            published = await unit._write(once)  # noqa: SLF001
        if published:
            self._on_recorded()

    async def answered(self, once: Once) -> dict[str, Any] | None:
        """What an idempotency key stood for before, or None; raises IdempotencyKeyReused. It takes no lock: a unit
        with the same key still asks for itself."""
        row = await self._pool.fetchrow(_ANSWERED, once.client, once.key)
        if row is None:
            return None
        _require_same(row["request_hash"], once)
        document: dict[str, Any] = json.loads(row["response"])
        return document

    async def state(self, aggregate: str) -> dict[str, Any] | None:
        """The aggregate's state as the last committed unit kept it, for a reading: nothing is locked."""
        state = await self._pool.fetchval(_STATE, aggregate)
        return json.loads(state) if state is not None else None

    def _locks(self, alone: Collection[str], names: Collection[str], once: Once | None) -> tuple[list[int], list[bool]]:
        """Lock numbers in ascending order, and for each one whether it is shared."""
        shared = {self._lock_number(name): name not in alone for name in sorted(names, key=lambda name: name in alone)}
        if once is not None:
            shared[self._lock_number(f"\x00{once.client}\x00{once.key}")] = False
        numbers = sorted(shared)
        return numbers, [shared[number] for number in numbers]

    def _lock_number(self, name: str) -> int:
        """64 bits that stand for a name among the advisory locks of the database; a collision only costs waiting."""
        return int.from_bytes(hashlib.sha256(f"{self._scope}\x00{name}".encode()).digest()[:8], "big", signed=True)


def _require_same(request_hash: bytes, once: Once) -> None:
    if request_hash != once.request_hash:
        raise IdempotencyKeyReused("The Idempotency-Key stands for another request; take a new one.")


# Takes the locks in the order given. Assigns no transaction id.
_LOCK = """
SELECT CASE WHEN shared THEN pg_advisory_xact_lock_shared(number) ELSE pg_advisory_xact_lock(number) END
FROM unnest($1::bigint[], $2::boolean[]) AS lock (number, shared)
"""
# The states of these aggregates, and what the idempotency key stood for (a row without an aggregate).
_LOAD = """
SELECT aggregate_id, state AS document, NULL::integer AS status, NULL::bytea AS request_hash
FROM aggregate WHERE aggregate_id = ANY($1::text[])
UNION ALL
SELECT NULL, response, status, request_hash FROM idempotency WHERE client = $2 AND key = $3
"""
_ANSWERED = "SELECT request_hash, response FROM idempotency WHERE client = $1 AND key = $2"
_REMEMBER = "INSERT INTO idempotency (client, key, request_hash, status, response) VALUES ($1, $2, $3, $4, $5)"
_STATE = "SELECT state FROM aggregate WHERE aggregate_id = $1"
_KEEP = """
INSERT INTO aggregate (aggregate_id, state) SELECT * FROM unnest($1::text[], $2::jsonb[])
ON CONFLICT (aggregate_id) DO UPDATE SET state = excluded.state
"""
# Those of these ids under which an event was recorded before.
_RECORDED = "SELECT event_id FROM command WHERE event_id = ANY($1::uuid[])"
_REMEMBER_EVENTS = "INSERT INTO command (event_id) SELECT unnest($1::uuid[])"
# The events, numbered in the order in which they were published.
_ENQUEUE = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, partition, payload)
SELECT id, topic, key, type, partition, payload
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::bytea[])
     WITH ORDINALITY AS row (topic, id, key, type, partition, payload, n)
ORDER BY n
"""
