"""Commands become rows: guarding state, outbox, and what makes a repetition harmless, in one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg

from services.ledger.commands import guards as rules
from services.ledger.commands.guards import Guards, Stamp
from services.ledger.commands.model import (
    ChangedMeanwhile,
    Command,
    LoanCommand,
    ReversePayment,
    ServiceLoan,
    UndoEvent,
)
from services.ledger.commands.trial import Standing
from shared.commands import Commands, EventAlreadyRecorded, Once, Unit
from shared.events.envelope import BOOK, Envelope
from shared.events.servicing import Chargeback


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
        self._pool = pool
        self._now = now
        self._units = Commands(pool, scope=topic, on_recorded=on_recorded, now=now)
        self._partitions = partitions
        self._topic = topic

    async def record(
        self,
        command: Command,
        *,
        correlation_id: str | None = None,
        once: Once | None = None,
        standing: Standing | None = None,
    ) -> Recorded:
        """Record one command. With `once`, a key that was used for the same request answers with that one's event.

        `standing`: the loan as it was in the books when the command was tried out; what was recorded since, payments
        apart, makes it ChangedMeanwhile. Raises the refusals of `guards.decide`, and IdempotencyKeyReused; a refused
        command wrote nothing.
        """
        return (await self._record([command], correlation_id, once, standing))[0]

    async def record_many(self, commands: Sequence[Command]) -> list[Recorded]:
        """Record all or none, in order, in one transaction; the first refusal is raised."""
        return await self._record(commands, None, None) if commands else []

    async def propose(self, command: LoanCommand, standing: Standing) -> tuple[Envelope, date]:
        """The event that the command would become now, and its value date; nothing is locked or recorded. Raises the
        refusals of `guards.decide`."""
        guards = Guards(await self.open_date())
        if (state := await self._units.state(command.loan_id)) is not None:
            guards.loans[command.loan_id] = rules.loan_from_json(state)
        if named := _payments_named([command]):
            _add_payments(guards, await self._pool.fetch(_PAYMENTS, named))
        standing.add_to(guards, command.loan_id)
        stamp = Stamp(self._now().isoformat(timespec="microseconds").replace("+00:00", "Z"))
        event, _ = rules.decide(command, guards, partitions=self._partitions, stamp=stamp)
        assert guards.open_date is not None
        return event, event.effectivedate or guards.open_date

    async def last_event(self, aggregate: str) -> str | None:
        """The id of the last event that was recorded here: of a loan, payments apart, or of RESTRUCTURINGS."""
        state = await self._units.state(aggregate)
        return state.get("last") if state is not None else None

    async def is_recorded(self, event_id: str) -> bool:
        """Whether an event of this id was recorded here."""
        return bool(await self._pool.fetchval(_IS_RECORDED, event_id))

    async def is_disbursed(self, loan_id: str) -> bool:
        """Whether money was paid out here for the loan."""
        state = await self._units.state(loan_id)
        return state is not None and isinstance(rules.loan_from_json(state), rules.Disbursed)

    async def recorded(self, once: Once) -> Recorded | None:
        """What an idempotency key stood for before, or None; raises IdempotencyKeyReused."""
        answered = await self._units.answered(once)
        return Recorded(answered["event_id"], repeated=True) if answered else None

    async def open_date(self) -> date | None:
        """The open business date as commands see it: the books may be behind."""
        return _open_date(await self._units.state(BOOK))

    async def _record(
        self,
        commands: Sequence[Command],
        correlation_id: str | None,
        once: Once | None,
        standing: Standing | None = None,
    ) -> list[Recorded]:
        try:
            return await self._transaction(commands, correlation_id, once, standing)
        except EventAlreadyRecorded:  # the same event id at once on another aggregate: now it is a repetition
            return await self._transaction(commands, correlation_id, once, standing)

    async def _transaction(
        self, commands: Sequence[Command], correlation_id: str | None, once: Once | None, standing: Standing | None
    ) -> list[Recorded]:
        names = {name for command in commands for name in rules.aggregates_of(command)}
        async with self._units.unit(*names, within=BOOK, once=once, correlation_id=correlation_id) as unit:
            if unit.answered is not None:
                return [Recorded(unit.answered["event_id"], repeated=True)]
            stamp = Stamp(unit.time, correlation_id)
            guards = await _load(unit, commands)
            repeated = await unit.recorded([command.event_id for command in commands])
            if standing is not None and commands[0].event_id not in repeated:
                _require_standing(standing, commands[0], guards)
            before = Guards(guards.open_date, dict(guards.loans), dict(guards.payments), dict(guards.last))
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


_IS_RECORDED = "SELECT EXISTS (SELECT FROM command WHERE event_id = $1)"
# Payments that commands name.
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
    for name in {name for command in commands for name in rules.aggregates_of(command)} - {BOOK}:
        if (state := unit.state(name)) is not None:
            if name != rules.RESTRUCTURINGS:
                guards.loans[name] = rules.loan_from_json(state)
            if "last" in state:
                guards.last[name] = state["last"]
    if named := _payments_named(commands):
        _add_payments(guards, await unit.connection.fetch(_PAYMENTS, named))
    return guards


def _payments_named(commands: Sequence[Command]) -> list[str]:
    """The ids of payments that commands are about."""
    named = []
    for command in commands:
        match command:
            case ReversePayment():
                named.append(command.payment_id)
            case UndoEvent():
                named.append(command.undone_id)
            case ServiceLoan(data=Chargeback() as chargeback):
                named.append(chargeback.payment_id)
            case _:
                pass
    return named


def _add_payments(guards: Guards, rows: Iterable[Any]) -> None:
    for row in rows:
        guards.payments[str(row["payment_id"])] = (row["loan_id"], row["reversed"])


def _require_standing(standing: Standing, command: Command, guards: Guards) -> None:
    """Refuse a command that was tried out on another state of the loan, or a restructuring on another share."""
    loan_id = rules.aggregate_of(command)
    for name in rules.aggregates_of(command):
        last = standing.last_restructuring if name == rules.RESTRUCTURINGS else standing.last
        if guards.last.get(name) != last:
            raise ChangedMeanwhile(f"Event {guards.last.get(name)} came before; try again.", field="loan_id")
    standing.add_to(guards, loan_id)


async def _keep(unit: Unit, before: Guards, after: Guards) -> None:
    """Keep what the commands changed."""
    changed = {loan_id for loan_id, _ in (*_changed(before.loans, after.loans), *_changed(before.last, after.last))}
    for loan_id in sorted(changed):
        last = {"last": after.last[loan_id]} if loan_id in after.last else {}
        unit.keep(loan_id, rules.loan_to_json(after.loan(loan_id)) | last)
    if after.open_date is not None and after.open_date != before.open_date:
        unit.keep(BOOK, {"open_date": after.open_date.isoformat()})
    if payments := [(pid, loan_id, taken) for pid, (loan_id, taken) in _changed(before.payments, after.payments)]:
        await unit.connection.execute(_KEEP_PAYMENTS, *map(list, zip(*payments, strict=True)))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key) != value]
