"""The statements of a batch's transaction: what the fold reads, what it writes, and the advance of the position."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg

from services.ledger.book import Book
from services.ledger.book_rows import Rows
from services.ledger.engine.account import (
    GENERAL_NUMBER,
    AccrualGroup,
    Loan,
    decode_group,
    decode_loan,
    encode_loan,
    group_id,
)
from services.ledger.store.set_aside import SetAside, date_of
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.outbox_rows import pack
from shared.streams.ports import FencedError
from shared.streams.positions import Advance, DuplicateEvents, Position
from shared.streams.unit import Unit

# Compare-and-set on epoch and old position: a zombie, or a second writer, changes nothing.
ADVANCE = """
UPDATE position SET
    next_offset = $4, resume_loan = $5, last_offset = $6, last_leaf = $7, tree_size = $8, tree_frontier = $9,
    outbox_next = $10, open_date = $11, events = events + $12, duplicates = duplicates + $13, holes = holes + $14
WHERE partition = $1 AND epoch = $2 AND next_offset = $3
"""
INSERT_OUTBOX = "INSERT INTO outbox (partition, sequence, messages) VALUES ($1, $2, $3)"
# Arrays need no temporary table; {p} is the partition.
UPSERT_LOANS = """
INSERT INTO loan_p{p} (partition, loan, loan_id, next_action, as_of, state)
SELECT {p}, * FROM unnest($1::bigint[], $2::text[], $3::date[], $4::bigint[], $5::bytea[])
ON CONFLICT (loan) DO UPDATE SET next_action = excluded.next_action, as_of = excluded.as_of, state = excluded.state
"""
EVENT_COLUMNS = ("offset", "event_id", "loan", "effective_date", "booking_date", "record", "partition")
POSTING_COLUMNS = (
    "loan", "offset", "amount", "effective_date", "booking_date", "n", "debit", "credit", "currency", "partition",
    "open_from",
)  # fmt: skip
INSERT_ROWS_MAX = 20
"""Up to about here single rows are quicker than COPY."""


class LedgerTransaction(SetAside):
    """The statements of one transaction."""

    def __init__(self, connection: Any, position: Position) -> None:
        super().__init__(connection, position.partition)
        self.position = position

    async def loans(self, loan_ids: Sequence[str]) -> list[Loan]:
        """Stored states of these loans; unknown ones are absent."""
        if not loan_ids:
            return []
        rows = await self.connection.fetch(
            f"SELECT state FROM loan_p{self.partition:d} WHERE loan_id = ANY($1::text[])", list(loan_ids)
        )
        return [decode_loan(row["state"]) for row in rows]

    async def groups(self) -> list[AccrualGroup]:
        """The accrual groups."""
        rows = await self.connection.fetch(
            f"SELECT state FROM loan_p{self.partition:d} WHERE loan < {GENERAL_NUMBER} ORDER BY loan"
        )
        return [decode_group(row["state"]) for row in rows]

    async def open_from(self) -> date:
        """The first date of the periods that are open."""
        last = await self.connection.fetchval(
            "SELECT max(period_end) FROM closed_period WHERE partition = $1", self.partition
        )
        return last + timedelta(days=1) if last else date.min

    async def due(self, through: int, day: int, after: int, limit: int) -> list[Loan]:
        """Loans whose next action comes after the ordinal `through` up to `day`, numbers above `after`, in order."""
        rows = await self.connection.fetch(
            f"SELECT state FROM loan_p{self.partition:d} WHERE next_action > $1 AND next_action <= $2 AND loan > $3"
            " ORDER BY loan LIMIT $4",
            date.fromordinal(max(1, through)),
            date.fromordinal(day),
            after,
            limit,
        )
        return [decode_loan(row["state"]) for row in rows]

    async def history(self, numbers: Sequence[int]) -> list[tuple[int, int, date, bytes]]:
        """(loan, offset, effective date, record) of accepted events, in order of offset."""
        rows = await self.connection.fetch(
            f'SELECT loan, "offset", effective_date, record FROM event_p{self.partition:d}'
            ' WHERE loan = ANY($1::bigint[]) ORDER BY loan, "offset"',
            list(numbers),
        )
        return [tuple(row) for row in rows]

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Which of these ids are accepted already, with the accepted value."""
        rows = await self.connection.fetch(
            f"SELECT event_id, record FROM event_p{self.partition:d} WHERE event_id = ANY($1::uuid[])", list(event_ids)
        )
        return {str(row["event_id"]): record_of(row["record"]).value for row in rows}

    async def write(self, rows: Rows, unit: Unit, book: Book) -> None:
        """Every row of the unit. Raises DuplicateEvents where an event id is stored already."""
        await self._write_events(rows)
        if rows.postings:
            await self._add("posting", POSTING_COLUMNS, rows.postings)
        await self._write_states(rows, book)
        if rows.periods:
            await self.connection.executemany(
                'INSERT INTO closed_period (partition, period_end, "offset") VALUES ($1, $2, $3)',
                [(self.partition, end, offset) for end, offset in rows.periods],
            )
        if rows.rates:
            await self.write_rates(rows)
        if rows.suspense:
            await self.write_suspense(rows, book)
        if unit.parked or unit.unparked or unit.held or unit.released:
            await self.write_parked(unit)
        if unit.dead or unit.tried or unit.settled or unit.conflicts:
            await self.write_dead(unit)

    async def _write_events(self, rows: Rows) -> None:
        try:
            if rows.events:
                await self._add("event", EVENT_COLUMNS, rows.events)
        except asyncpg.UniqueViolationError as violation:
            raise DuplicateEvents(str(violation)) from violation

    async def _add(self, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
        """New rows of the partition: by COPY, which asks for the table's types each time, or a few by INSERT."""
        name = f"{table}_p{self.partition:d}"
        if len(records) > INSERT_ROWS_MAX:
            await self.connection.copy_records_to_table(name, columns=columns, records=records)
            return
        places = ", ".join(f"${n + 1}" for n in range(len(columns)))
        names = ", ".join(f'"{column}"' for column in columns)
        await self.connection.executemany(f"INSERT INTO {name} ({names}) VALUES ({places})", records)

    async def _write_states(self, rows: Rows, book: Book) -> None:
        """Upsert of the changed loans and groups, sorted by number."""
        partition = self.partition
        states: list[tuple[int, str, date | None, int, bytes]] = [
            (loan.number, loan.loan_id, date_of(loan.next_action()), loan.as_of, encode_loan(loan))
            for loan in rows.loans.values()
        ]
        for number in rows.groups:
            group = book.groups[number]
            name = group_id(partition, group, code_of(group.currency))
            states.append((number, name, None, book.at, encode_loan(group)))
        if not states:
            return
        states.sort(key=lambda state: state[0])
        await self.connection.execute(UPSERT_LOANS.format(p=partition), *map(list, zip(*states, strict=True)))

    async def advance(self, step: Advance) -> None:
        """Move the position (compare-and-set) and put the derived events into the outbox."""
        position = self.position
        if step.messages:
            await self.connection.execute(INSERT_OUTBOX, self.partition, position.outbox_next, pack(step.messages))
        done = await self.connection.execute(
            ADVANCE,
            self.partition,
            position.epoch,
            position.next_offset,
            step.next_offset,
            step.resume,
            step.last_offset,
            step.last_leaf,
            step.tree_size,
            step.frontier,
            step.outbox_next,
            date_of(step.open_day),
            step.accepted,
            step.duplicates,
            step.holes,
        )
        if done != "UPDATE 1":
            raise FencedError(f"partition {self.partition}: the position moved under epoch {position.epoch}")
