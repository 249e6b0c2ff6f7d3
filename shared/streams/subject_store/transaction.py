"""The statements of a batch's transaction: what the fold reads, what it writes, and the advance of the position."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import asyncpg

from shared.database import quoted
from shared.events.envelope import BOOK
from shared.merkle import record_of
from shared.streams.fold import Fold, Row
from shared.streams.outbox_rows import pack
from shared.streams.ports import FencedError
from shared.streams.positions import Advance, DuplicateEvents, Position
from shared.streams.unit import Held, Parked, Unit

# Compare-and-set on epoch and old position: a zombie, or a second writer, changes nothing.
_ADVANCE = """
UPDATE position SET
    next_offset = $4, last_offset = $5, last_leaf = $6, tree_size = $7, tree_frontier = $8, outbox_next = $9,
    open_date = $10, events = events + $11, duplicates = duplicates + $12, holes = holes + $13
WHERE partition = $1 AND epoch = $2 AND next_offset = $3
"""
_INSERT_OUTBOX = "INSERT INTO outbox (partition, sequence, messages) VALUES ($1, $2, $3)"
_UPSERT_SUBJECTS = """
INSERT INTO subject (partition, subject, next_action, as_of, state)
SELECT $1, * FROM unnest($2::text[], $3::date[], $4::bigint[], $5::bytea[])
ON CONFLICT (partition, subject)
DO UPDATE SET next_action = excluded.next_action, as_of = excluded.as_of, state = excluded.state
"""
_EVENT_COLUMNS = ("partition", "offset", "event_id", "subject", "booking_date", "record")
Changed = Sequence[tuple[str, date | None, int, bytes, Any]]
"""(subject, next action, as of, encoded state, state) of changed borrowers."""


class SubjectTransaction:
    """The statements of one transaction."""

    def __init__(self, connection: Any, position: Position) -> None:
        self.connection = connection
        self.position = position
        self.partition = position.partition

    async def subjects(self, subjects: Sequence[str]) -> list[tuple[str, bytes]]:
        """(subject, encoded state) of these borrowers; unknown ones are absent."""
        rows = await self.connection.fetch(
            "SELECT subject, state FROM subject WHERE partition = $1 AND subject = ANY($2::text[])",
            self.partition,
            list(subjects),
        )
        return [tuple(row) for row in rows]

    async def due(self, day: date) -> list[tuple[str, bytes]]:
        """The same of all whose next action is not after `day`."""
        rows = await self.connection.fetch(
            "SELECT subject, state FROM subject WHERE partition = $1 AND next_action <= $2", self.partition, day
        )
        return [tuple(row) for row in rows]

    async def shared(self) -> bytes | None:
        """What the partition's borrowers share, encoded; None before the first transaction."""
        found = await self.subjects([BOOK])
        return found[0][1] if found else None

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Which of these ids are accepted already, with the accepted value."""
        rows = await self.connection.fetch(
            "SELECT event_id, record FROM event WHERE partition = $1 AND event_id = ANY($2::uuid[])",
            self.partition,
            list(event_ids),
        )
        return {str(row["event_id"]): record_of(row["record"]).value for row in rows}

    async def parked(self) -> list[Parked]:
        """Parked borrowers."""
        rows = await self.connection.fetch(
            "SELECT subject, first_offset, reason, since FROM parked_subject WHERE partition = $1", self.partition
        )
        return [Parked(r["subject"], r["first_offset"], r["reason"], _ordinal(r["since"])) for r in rows]

    async def held(self, subject: str) -> list[Held]:
        """What is held behind a parked borrower, in order."""
        rows = await self.connection.fetch(
            'SELECT "offset", subject, event_id, arrived, record FROM parked_event'
            ' WHERE partition = $1 AND subject = $2 ORDER BY "offset"',
            self.partition,
            subject,
        )
        return [Held(r["offset"], r["subject"], str(r["event_id"]), _ordinal(r["arrived"]), r["record"]) for r in rows]

    async def write(
        self,
        fold: Fold,
        unit: Unit,
        accepted: Sequence[tuple[int, str, str, int, bytes]],
        changed: Changed,
        puts: Sequence[tuple[str, Row]],
        shared: bytes,
    ) -> None:
        """Every row of the unit. Raises DuplicateEvents where an event id is stored already."""
        await self._write_events(accepted)
        states = [(subject, action, offset, state) for subject, action, offset, state, _ in changed]
        states.append((BOOK, None, 0, shared))
        await self.connection.execute(_UPSERT_SUBJECTS, self.partition, *map(list, zip(*states, strict=True)))
        await self._write_readings(fold, changed)
        await self._write_history(fold, puts)
        if unit.parked or unit.unparked or unit.held or unit.released:
            await self._write_parked(unit)
        if unit.dead or unit.conflicts:
            await self._write_dead(unit)

    async def _write_events(self, accepted: Sequence[tuple[int, str, str, int, bytes]]) -> None:
        records = [
            (self.partition, offset, event_id, subject, date.fromordinal(day), leaf)
            for offset, event_id, subject, day, leaf in accepted
        ]
        try:
            await self.connection.copy_records_to_table("event", columns=_EVENT_COLUMNS, records=records)
        except asyncpg.UniqueViolationError as violation:
            raise DuplicateEvents(str(violation)) from violation

    async def _write_readings(self, fold: Fold, changed: Changed) -> None:
        """The rows of the changed borrowers in the fold's tables, in place of those of before."""
        rows: dict[str, list[Row]] = {table: [] for table in fold.tables}
        for subject, *_, state in changed:
            for table, found in fold.rows(state).items():
                rows[table].extend((self.partition, subject, *row) for row in found)
        subjects = [subject for subject, *_ in changed]
        for table, columns in fold.tables.items() if subjects else ():
            await self.connection.execute(
                f"DELETE FROM {quoted(table)} WHERE partition = $1 AND subject = ANY($2::text[])",
                self.partition,
                subjects,
            )
            await self.connection.copy_records_to_table(
                table, columns=("partition", "subject", *columns), records=rows[table]
            )

    async def _write_history(self, fold: Fold, puts: Sequence[tuple[str, Row]]) -> None:
        """Rows of the fold's history tables: the last one of a primary key stands."""
        by_table: dict[str, list[Row]] = {}
        for table, row in puts:
            by_table.setdefault(table, []).append((self.partition, *row))
        for table, rows in by_table.items():
            columns = ("partition", *fold.history[table])
            names = ", ".join(f'"{column}"' for column in columns)
            places = ", ".join(f"${n + 1}" for n in range(len(columns)))
            changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns)
            await self.connection.executemany(
                f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})"
                f" ON CONFLICT ON CONSTRAINT {quoted(table + '_pkey')} DO UPDATE SET {changes}",
                rows,
            )

    async def _write_parked(self, unit: Unit) -> None:
        """Borrowers who stopped or go on, and the events held behind them."""
        execute, partition = self.connection.execute, self.partition
        await execute(
            'DELETE FROM parked_event WHERE partition = $1 AND "offset" = ANY($2::bigint[])', partition, unit.released
        )
        await execute(
            "DELETE FROM parked_subject WHERE partition = $1 AND subject = ANY($2::text[])",
            partition,
            [*unit.unparked, *unit.parked],
        )
        await self.connection.executemany(
            "INSERT INTO parked_subject (partition, subject, first_offset, reason, since) VALUES ($1, $2, $3, $4, $5)",
            [(partition, p.loan_id, p.first_offset, p.reason, _date(p.since)) for p in unit.parked.values()],
        )
        await self.connection.executemany(
            'INSERT INTO parked_event (partition, "offset", subject, event_id, arrived, record)'
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [(partition, h.offset, h.loan_id, h.event_id, _date(h.arrived), h.leaf) for h in unit.held],
        )

    async def _write_dead(self, unit: Unit) -> None:
        """Dead letters and conflicts."""
        partition = self.partition
        await self.connection.executemany(
            'INSERT INTO dead_letter (partition, "offset", reason, record) VALUES ($1, $2, $3, $4)',
            [(partition, dead.offset, dead.reason, dead.leaf) for dead in unit.dead],
        )
        await self.connection.executemany(
            'INSERT INTO conflict (partition, "offset", event_id, record) VALUES ($1, $2, $3, $4)',
            [(partition, conflict.offset, conflict.event_id, conflict.leaf) for conflict in unit.conflicts],
        )

    async def advance(self, step: Advance) -> None:
        """Move the position (compare-and-set) and put the derived events into the outbox."""
        position = self.position
        if step.messages:
            await self.connection.execute(_INSERT_OUTBOX, self.partition, position.outbox_next, pack(step.messages))
        done = await self.connection.execute(
            _ADVANCE,
            self.partition,
            position.epoch,
            position.next_offset,
            step.next_offset,
            step.last_offset,
            step.last_leaf,
            step.tree_size,
            step.frontier,
            step.outbox_next,
            _date(step.open_day),
            step.accepted,
            step.duplicates,
            step.holes,
        )
        if done != "UPDATE 1":
            raise FencedError(f"partition {self.partition}: the position moved under epoch {position.epoch}")


def _date(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _ordinal(day: date | None) -> int | None:
    return None if day is None else day.toordinal()
