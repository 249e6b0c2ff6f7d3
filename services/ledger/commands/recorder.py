"""Commands become rows: guarding state, outbox, and what makes a repetition harmless, in one transaction."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg

from services.ledger.commands import guards as rules
from services.ledger.commands.guards import Guards, Stamp
from services.ledger.commands.model import Command, IdempotencyKeyReused, ReversePayment
from shared.events.envelope import BOOK, Envelope

LOCKED_ONE_BY_ONE = 64
"""A transaction over more loans than this locks the book instead: PostgreSQL's lock table holds some 6,400 in all."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The event that a command became; `repeated`: it had become it before, and nothing was written now."""

    event_id: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Once:
    """A client's idempotency key, and the hash of the request that it stands for."""

    client: str
    key: str
    request_hash: bytes


class LedgerCommands:
    """Records commands; the relay publishes them (shared/streams/command_outbox.py).

    Why the order holds (D8). The relay publishes the rows whose transaction id is below `pg_snapshot_xmin`, ascending
    by `sequence`. Let B follow A on one aggregate. B must never be published before A, so B's row must not pass the
    gate while A's doesn't (a third transaction with an id between theirs would let that happen). The gate compares
    transaction ids, so the ids must ascend in the order of the lock: B may get its id only once A has committed. Hence
    the first statement takes nothing but advisory locks, which assign no transaction id and are held until the commit
    is visible. A row lock won't do: a new aggregate has no row, and `INSERT ... ON CONFLICT` can have an id before it
    waits. The state is read in a second statement, whose snapshot is newer than the lock (READ COMMITTED), and the
    first write assigns the id. Then A's id < B's id, A's sequence < B's sequence, and A is visible wherever B is. A
    late commit is not skipped either: published rows are deleted, there is no mark to pass it by, and whatever has not
    committed has an id at or above the gate.

    Locks: a loan's command holds the book shared and its loan alone; a command on the book, or on more than
    LOCKED_ONE_BY_ONE loans, holds the book alone. So the open date stands still while a command is checked against it.
    Locks are taken in ascending order: book, idempotency key, loans by lock number.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        partitions: int,
        topic: str,
        *,
        on_recorded: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`topic` is the full name of the log of record; `on_recorded` is called after a commit, to wake a relay."""
        self._pool = pool
        self._partitions = partitions
        self._topic = topic
        self._on_recorded = on_recorded
        self._now = now

    async def record(
        self, command: Command, *, correlation_id: str | None = None, once: Once | None = None
    ) -> Recorded:
        """Record one command. With `once`, a key that was used for the same request answers with that one's event.

        Raises the refusals of `guards.decide`, and IdempotencyKeyReused; a refused command wrote nothing.
        """
        return (await self._record([command], correlation_id, once))[0]

    async def record_many(self, commands: Sequence[Command]) -> list[Recorded]:
        """Record all or none, in order, in one transaction; the first refusal is raised."""
        return await self._record(commands, None, None) if commands else []

    async def recorded(self, once: Once) -> Recorded | None:
        """What an idempotency key stood for before, or None; raises IdempotencyKeyReused."""
        async with self._pool.acquire() as connection:
            answered = await _answered(connection, once)
        return Recorded(answered, repeated=True) if answered else None

    async def open_date(self) -> date | None:
        """The open business date as commands see it: the books may be behind."""
        state = await self._pool.fetchval(_STATE, BOOK)
        return date.fromisoformat(json.loads(state)["open_date"]) if state else None

    async def _record(
        self, commands: Sequence[Command], correlation_id: str | None, once: Once | None
    ) -> list[Recorded]:
        try:
            recorded = await self._transaction(commands, correlation_id, once)
        except asyncpg.UniqueViolationError:  # the same event id at once on another aggregate: now it is a repetition
            recorded = await self._transaction(commands, correlation_id, once)
        self._on_recorded()
        return recorded

    async def _transaction(
        self, commands: Sequence[Command], correlation_id: str | None, once: Once | None
    ) -> list[Recorded]:
        stamp = Stamp(self._now().isoformat(timespec="microseconds").replace("+00:00", "Z"), correlation_id)
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            await self._lock(connection, {rules.aggregate_of(command) for command in commands}, once)
            if once is not None and (answered := await _answered(connection, once)):
                return [Recorded(answered, repeated=True)]
            guards, repeated = await _load(connection, commands)
            before = Guards(guards.open_date, dict(guards.loans), dict(guards.payments))
            recorded: list[Recorded] = []
            rows: list[tuple[Envelope, int | None]] = []
            for command in commands:
                recorded.append(Recorded(command.event_id, command.event_id in repeated))
                if command.event_id in repeated:
                    continue
                event, partitions = rules.decide(command, guards, partitions=self._partitions, stamp=stamp)
                rules.evolve(command, guards)
                repeated.add(command.event_id)
                rows.extend((event, partition) for partition in partitions)
            await self._write(connection, rows)
            await _write_guards(connection, before, guards)
            if once is not None:
                await connection.execute(
                    _REMEMBER, once.client, once.key, once.request_hash, json.dumps({"event_id": recorded[0].event_id})
                )
            return recorded

    async def _lock(self, connection: Any, aggregates: set[str], once: Once | None) -> None:
        """The first statement: advisory locks only, so that no transaction id is assigned before they are held."""
        loans = sorted(self._lock_number(name) for name in aggregates - {BOOK})
        if alone := BOOK in aggregates or len(loans) > LOCKED_ONE_BY_ONE:
            loans = []
        keys = [] if once is None else [self._lock_number(f"\x00{once.client}\x00{once.key}")]
        await connection.fetch(_LOCK_ALONE if alone else _LOCK_SHARED, self._lock_number(BOOK), [*keys, *loans])

    def _lock_number(self, name: str) -> int:
        """64 bits that stand for a name among the advisory locks of the database; a collision only costs waiting."""
        return int.from_bytes(hashlib.sha256(f"{self._topic}\x00{name}".encode()).digest()[:8], "big", signed=True)

    async def _write(self, connection: Any, rows: Sequence[tuple[Envelope, int | None]]) -> None:
        if not rows:
            return
        await connection.execute(_REMEMBER_COMMANDS, list({event.id: None for event, _ in rows}))
        encoded = {event.id: event.to_json() for event, _ in rows}
        await connection.execute(
            _ENQUEUE,
            self._topic,
            [event.id for event, _ in rows],
            [event.subject for event, _ in rows],
            [event.type for event, _ in rows],
            [partition for _, partition in rows],
            [encoded[event.id] for event, _ in rows],
        )


# Takes the book's lock (alone, or shared), then the others in the order given. Assigns no transaction id.
_LOCK_ALONE = """
SELECT pg_advisory_xact_lock($1::bigint)
UNION ALL SELECT pg_advisory_xact_lock(number) FROM unnest($2::bigint[]) AS number
"""
_LOCK_SHARED = """
SELECT pg_advisory_xact_lock_shared($1::bigint)
UNION ALL SELECT pg_advisory_xact_lock(number) FROM unnest($2::bigint[]) AS number
"""
# What an idempotency key stood for before.
_ANSWERED = "SELECT request_hash, response FROM idempotency WHERE client = $1 AND key = $2"
_REMEMBER = "INSERT INTO idempotency (client, key, request_hash, status, response) VALUES ($1, $2, $3, 202, $4)"
# Which of these events were recorded before.
_REPEATED = "SELECT event_id FROM command WHERE event_id = ANY($1::uuid[])"
_REMEMBER_COMMANDS = "INSERT INTO command (event_id) SELECT unnest($1::uuid[])"
# The guarding state of these aggregates.
_STATES = "SELECT aggregate_id, state FROM aggregate WHERE aggregate_id = ANY($1::text[])"
_STATE = "SELECT state FROM aggregate WHERE aggregate_id = $1"
_KEEP_STATES = """
INSERT INTO aggregate (aggregate_id, state) SELECT * FROM unnest($1::text[], $2::jsonb[])
ON CONFLICT (aggregate_id) DO UPDATE SET state = excluded.state
"""
# Payments that reversals name.
_PAYMENTS = "SELECT payment_id, loan_id, reversed FROM payment WHERE payment_id = ANY($1::uuid[])"
_KEEP_PAYMENTS = """
INSERT INTO payment (payment_id, loan_id, reversed) SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[])
ON CONFLICT (payment_id) DO UPDATE SET reversed = excluded.reversed
"""
# The events, numbered in the order of the commands.
_ENQUEUE = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, partition, payload)
SELECT id, $1, key, type, partition, payload
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::bytea[])
     WITH ORDINALITY AS row (id, key, type, partition, payload, n)
ORDER BY n
"""


async def _answered(connection: Any, once: Once) -> str | None:
    """The event id that the key stands for, or None; raises IdempotencyKeyReused."""
    row = await connection.fetchrow(_ANSWERED, once.client, once.key)
    if row is None:
        return None
    if row["request_hash"] != once.request_hash:
        raise IdempotencyKeyReused("The Idempotency-Key stands for another request; take a new one.")
    return str(json.loads(row["response"])["event_id"])


async def _load(connection: Any, commands: Sequence[Command]) -> tuple[Guards, set[str]]:
    """The guarding state that these commands need, and which of their events were recorded before."""
    names = {rules.aggregate_of(command) for command in commands} | {BOOK}
    states = {row["aggregate_id"]: json.loads(row["state"]) for row in await connection.fetch(_STATES, list(names))}
    opened = states.pop(BOOK, {}).get("open_date")
    guards = Guards(date.fromisoformat(opened) if opened else None)
    guards.loans = {loan_id: rules.loan_from_json(state) for loan_id, state in states.items()}
    if reversals := [command.payment_id for command in commands if isinstance(command, ReversePayment)]:
        for row in await connection.fetch(_PAYMENTS, reversals):
            guards.payments[str(row["payment_id"])] = (row["loan_id"], row["reversed"])
    events = [command.event_id for command in commands]
    return guards, {str(row["event_id"]) for row in await connection.fetch(_REPEATED, events)}


async def _write_guards(connection: Any, before: Guards, after: Guards) -> None:
    """Keep what the commands changed."""
    states = [(loan_id, json.dumps(rules.loan_to_json(loan))) for loan_id, loan in _changed(before.loans, after.loans)]
    if after.open_date is not None and after.open_date != before.open_date:
        states.append((BOOK, json.dumps({"open_date": after.open_date.isoformat()})))
    if states:
        await connection.execute(_KEEP_STATES, *map(list, zip(*states, strict=True)))
    if payments := [(pid, loan_id, taken) for pid, (loan_id, taken) in _changed(before.payments, after.payments)]:
        await connection.execute(_KEEP_PAYMENTS, *map(list, zip(*payments, strict=True)))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key) != value]
