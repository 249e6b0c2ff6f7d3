"""Commands become rows: guarding state, outbox, and what makes a repetition harmless, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import asyncpg

from services.ledger.commands import guards as rules
from services.ledger.commands.guard_rows import (
    PAYMENTS,
    add_payments,
    book_date,
    copied,
    entries_view,
    keep,
    load,
    load_receipts,
    payments_named,
    read_entries,
)
from services.ledger.commands.guards import BankGuard, Guards, Stamp
from services.ledger.commands.model import (
    ApproveEntry,
    BankCommand,
    Command,
    DeclineEntry,
    FileCommand,
    LoanCommand,
    ReceivePayment,
)
from services.ledger.commands.receipts import require_same_receipt
from services.ledger.commands.refusals import ChangedMeanwhile
from services.ledger.commands.state import ManualEntry
from services.ledger.commands.trial import Standing
from shared.commands import Commands, EventAlreadyRecorded, Once
from shared.events.envelope import BOOK, Envelope


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
        self, command: Command, *, correlation_id: str | None = None, once: Once | None = None
    ) -> Recorded:
        """Record one command. With `once`, a key that was used for the same request answers with that one's event.

        Raises the refusals of `guards.decide`, and IdempotencyKeyReused; a refused command wrote nothing.
        """
        return (await self._record([command], correlation_id, once))[0]

    async def record_together(
        self,
        commands: Sequence[LoanCommand],
        *,
        correlation_id: str | None = None,
        once: Once | None = None,
        standings: Mapping[str, Standing] = MappingProxyType({}),
    ) -> Recorded:
        """Record all or none, in one unit of work; the first one's event answers for them.

        `standings`: by id, the loans as they were in the books when the commands were tried out; what was recorded
        since of any of them, payments apart, makes it ChangedMeanwhile. Raises as `record` does.
        """
        return (await self._record(commands, correlation_id, once, standings))[0]

    async def record_many(
        self,
        commands: Sequence[Command],
        *,
        correlation_id: str | None = None,
        in_books: Mapping[str, str] | None = None,
        standings: Mapping[str, Standing] = MappingProxyType({}),
    ) -> list[Recorded]:
        """Record all or none, in order, in one transaction; the first refusal is raised.

        `in_books`: payments that the books have, whoever recorded them, by event id, with their loans. `standings`: as
        `record_together` has them.
        """
        return await self._record(commands, correlation_id, None, standings, in_books or {}) if commands else []

    async def bank_account(self, subject: str) -> BankGuard | None:
        """How far the statements of a bank account have come; None: none was taken."""
        state = await self._units.state(subject)
        return rules.account_from_json(state) if state is not None else None

    async def propose(self, command: LoanCommand, standings: Mapping[str, Standing]) -> tuple[Envelope, date]:
        """The event that the command would become now, and its value date; nothing is locked or recorded. `standings`:
        the loans that it is about as the books have them. Raises the refusals of `guards.decide`."""
        guards = Guards(await self.open_date())
        if named := payments_named([command]):
            add_payments(guards, await self._pool.fetch(PAYMENTS, named))
        for loan_id, standing in standings.items():
            if (state := await self._units.state(loan_id)) is not None:
                guards.loans[loan_id] = rules.loan_from_json(state)
            standing.add_to(guards, loan_id)
        stamp = Stamp(self._now().isoformat(timespec="microseconds").replace("+00:00", "Z"))
        event, _ = rules.decide(command, guards, partitions=self._partitions, stamp=stamp)
        assert guards.open_date is not None
        return event, event.effectivedate or guards.open_date

    async def last_event(self, aggregate: str) -> str | None:
        """The id of the last event that was recorded here: of a loan, payments apart, or of RESTRUCTURINGS."""
        state = await self._units.state(aggregate)
        return state.get("last") if state is not None else None

    async def last_events(self, loan_ids: Sequence[str]) -> dict[str, str | None]:
        """The same of loans and subjects by id; those of which nothing was recorded here have None."""
        rows = await self._pool.fetch(_LAST, list(loan_ids))
        return dict.fromkeys(loan_ids) | {row["aggregate_id"]: row["last"] for row in rows}

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
        return book_date(await self._units.state(BOOK), "open_date")

    async def closed_through(self) -> date | None:
        """The last date of the last period that was closed, as commands see it."""
        return book_date(await self._units.state(BOOK), "closed_through")

    async def year_closed(self) -> date | None:
        """The last date of the last year that was closed, as commands see it."""
        return book_date(await self._units.state(BOOK), "year_closed")

    async def entries(
        self, *, waiting: bool = False, through: date | None = None, beyond: str | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Manual entries that were proposed here, oldest first: all, or those that wait for a second person; of value
        dates up to `through`. `beyond`: those after this entry, `limit` of them at most."""
        return await entries_view(self._pool, waiting=waiting, through=through, beyond=beyond, limit=limit)

    async def entry(self, entry_id: str) -> ManualEntry | None:
        """One manual entry that was proposed here."""
        return (await read_entries(self._pool, [entry_id])).get(entry_id)

    async def _record(
        self,
        commands: Sequence[Command],
        correlation_id: str | None,
        once: Once | None,
        standings: Mapping[str, Standing] = MappingProxyType({}),
        in_books: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Recorded]:
        try:
            return await self._transaction(commands, correlation_id, once, standings, in_books)
        except EventAlreadyRecorded:  # the same event id at once on another aggregate: now it is a repetition
            return await self._transaction(commands, correlation_id, once, standings, in_books)

    async def _transaction(
        self,
        commands: Sequence[Command],
        correlation_id: str | None,
        once: Once | None,
        standings: Mapping[str, Standing],
        in_books: Mapping[str, str],
    ) -> list[Recorded]:
        names = {name for command in commands for name in rules.aggregates_of(command)}
        async with self._units.unit(*names, within=BOOK, once=once, correlation_id=correlation_id) as unit:
            if unit.answered is not None:
                return [Recorded(unit.answered["event_id"], repeated=True)]
            stamp = Stamp(unit.time, correlation_id)
            guards = await load(unit, commands)
            repeated = await unit.recorded([command.event_id for command in commands])
            await load_receipts(unit, commands, guards)
            if commands[0].event_id not in repeated:
                for command in commands:
                    if (standing := standings.get(rules.aggregate_of(command))) is not None:
                        _require_standing(standing, command, guards)
            for payment_id, loan_id in in_books.items():
                guards.payments.setdefault(payment_id, (loan_id, False))
            before = copied(guards)
            recorded: list[Recorded] = []
            for command in commands:
                recorded.append(Recorded(command.event_id, command.event_id in repeated))
                if command.event_id in repeated and not isinstance(command, ApproveEntry | DeclineEntry):
                    _require_alone(command)
                    if isinstance(command, ReceivePayment):
                        require_same_receipt(command, guards.receipts)
                    continue  # a second decision on an entry has the first one's id, and is refused as such
                event, partitions = rules.decide(command, guards, partitions=self._partitions, stamp=stamp)
                rules.evolve(command, guards)
                repeated.add(command.event_id)
                for partition in partitions:
                    unit.publish(self._topic, event, partition=partition)
            await keep(unit, before, guards)
            unit.answer({"event_id": recorded[0].event_id})
            return recorded


_LAST = "SELECT aggregate_id, state ->> 'last' AS last FROM aggregate WHERE aggregate_id = ANY($1::text[])"
_IS_RECORDED = "SELECT EXISTS (SELECT FROM command WHERE event_id = $1)"


def _require_alone(command: Command) -> None:
    """Refuse a repeated command on a bank account or a file: those beside it were planned as if it were new, and the
    books may have changed since it was recorded. Asked again, it is known as repeated before anything is planned."""
    if isinstance(command, BankCommand | FileCommand):
        raise ChangedMeanwhile(f"Event {command.event_id} was recorded at the same time; try again.")


def _require_standing(standing: Standing, command: Command, guards: Guards) -> None:
    """Refuse a command that was tried out on another state of the loan, or a restructuring on another share."""
    loan_id = rules.aggregate_of(command)
    for name in rules.aggregates_of(command):
        last = standing.last_restructuring if name == rules.RESTRUCTURINGS else standing.last
        if guards.last.get(name) != last:
            raise ChangedMeanwhile(f"Event {guards.last.get(name)} came before; try again.", field="loan_id")
    standing.add_to(guards, loan_id)
