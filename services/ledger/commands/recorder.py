"""Commands become rows: guarding state, outbox, and what makes a repetition harmless, in one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg

from services.ledger.commands import guards as rules
from services.ledger.commands.guards import Guards, Stamp
from services.ledger.commands.model import Command, ReversePayment
from shared.commands import Commands, EventAlreadyRecorded, Once, Unit
from shared.events.envelope import BOOK


@dataclass(frozen=True, slots=True)
class Recorded:
    """The event that a command became; `repeated`: it had become it before, and nothing was written now."""

    event_id: str
    repeated: bool


class LedgerCommands:
    """Records commands, each in a unit of work; shared/commands.py says why their order holds (D8).

    A loan's command holds the book shared and its loan alone; a command on the book, or on more loans than a unit locks
    one by one, holds the book alone. So the open date stands still while a command is checked against it.
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
        self._units = Commands(pool, scope=topic, on_recorded=on_recorded, now=now)
        self._partitions = partitions
        self._topic = topic

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
        answered = await self._units.answered(once)
        return Recorded(answered["event_id"], repeated=True) if answered else None

    async def open_date(self) -> date | None:
        """The open business date as commands see it: the books may be behind."""
        return _open_date(await self._units.state(BOOK))

    async def _record(
        self, commands: Sequence[Command], correlation_id: str | None, once: Once | None
    ) -> list[Recorded]:
        try:
            return await self._transaction(commands, correlation_id, once)
        except EventAlreadyRecorded:  # the same event id at once on another aggregate: now it is a repetition
            return await self._transaction(commands, correlation_id, once)

    async def _transaction(
        self, commands: Sequence[Command], correlation_id: str | None, once: Once | None
    ) -> list[Recorded]:
        names = {rules.aggregate_of(command) for command in commands}
        async with self._units.unit(*names, within=BOOK, once=once, correlation_id=correlation_id) as unit:
            if unit.answered is not None:
                return [Recorded(unit.answered["event_id"], repeated=True)]
            stamp = Stamp(unit.time, correlation_id)
            guards = await _load(unit, commands)
            before = Guards(guards.open_date, dict(guards.loans), dict(guards.payments))
            repeated = await unit.recorded([command.event_id for command in commands])
            recorded: list[Recorded] = []
            for command in commands:
                recorded.append(Recorded(command.event_id, command.event_id in repeated))
                if command.event_id in repeated:
                    continue
                event, partitions = rules.decide(command, guards, partitions=self._partitions, stamp=stamp)
                rules.evolve(command, guards)
                repeated.add(command.event_id)
                for partition in partitions:
                    unit.publish(self._topic, event, partition=partition)
            await _keep(unit, before, guards)
            unit.answer({"event_id": recorded[0].event_id})
            return recorded


# Payments that reversals name.
_PAYMENTS = "SELECT payment_id, loan_id, reversed FROM payment WHERE payment_id = ANY($1::uuid[])"
_KEEP_PAYMENTS = """
INSERT INTO payment (payment_id, loan_id, reversed) SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[])
ON CONFLICT (payment_id) DO UPDATE SET reversed = excluded.reversed
"""


def _open_date(state: dict[str, Any] | None) -> date | None:
    return date.fromisoformat(state["open_date"]) if state else None


async def _load(unit: Unit, commands: Sequence[Command]) -> Guards:
    """The guarding state that these commands need."""
    guards = Guards(_open_date(unit.state(BOOK)))
    for loan_id in {rules.aggregate_of(command) for command in commands} - {BOOK}:
        if (state := unit.state(loan_id)) is not None:
            guards.loans[loan_id] = rules.loan_from_json(state)
    if reversals := [command.payment_id for command in commands if isinstance(command, ReversePayment)]:
        for row in await unit.connection.fetch(_PAYMENTS, reversals):
            guards.payments[str(row["payment_id"])] = (row["loan_id"], row["reversed"])
    return guards


async def _keep(unit: Unit, before: Guards, after: Guards) -> None:
    """Keep what the commands changed."""
    for loan_id, loan in _changed(before.loans, after.loans):
        unit.keep(loan_id, rules.loan_to_json(loan))
    if after.open_date is not None and after.open_date != before.open_date:
        unit.keep(BOOK, {"open_date": after.open_date.isoformat()})
    if payments := [(pid, loan_id, taken) for pid, (loan_id, taken) in _changed(before.payments, after.payments)]:
        await unit.connection.execute(_KEEP_PAYMENTS, *map(list, zip(*payments, strict=True)))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key) != value]
