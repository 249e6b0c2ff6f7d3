"""What a batch's transaction reads and writes in the small tables: what is set aside (parked, dead, in conflict, in
suspense), and published rates."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.ledger.book import Book
from services.ledger.book_rows import RateRow, Rows
from shared.schedules.resets import Published
from shared.streams.unit import Held, Parked, Unit

# Publications of one partition in the order in which they were accepted.
RATES = """
SELECT rate_index, from_date, annual_rate, "offset" FROM reference_rate WHERE partition = $1 ORDER BY "offset"
"""


def rates_of(rows: Iterable[RateRow]) -> dict[str, Published]:
    """What rows in order of offset say of reference rates, by index."""
    found: dict[str, dict[date, str]] = {}
    for index, since, rate, _ in rows:
        found.setdefault(index, {})[since] = rate
    return dict(found)


class SetAside:
    """The statements about the small tables of one partition."""

    def __init__(self, connection: Any, partition: int) -> None:
        self.connection = connection
        self.partition = partition

    async def rates(self) -> dict[str, Published]:
        """All that was published of reference rates."""
        rows = await self.connection.fetch(RATES, self.partition)
        return rates_of((r["rate_index"], r["from_date"], r["annual_rate"], r["offset"]) for r in rows)

    async def write_rates(self, rows: Rows) -> None:
        """New publications."""
        await self.connection.executemany(
            'INSERT INTO reference_rate (partition, "offset", rate_index, from_date, annual_rate)'
            " VALUES ($1, $2, $3, $4, $5)",
            [(self.partition, offset, index, since, rate) for index, since, rate, offset in rows.rates],
        )

    async def parked(self) -> list[Parked]:
        """Parked loans."""
        rows = await self.connection.fetch(
            "SELECT loan_id, first_offset, reason, since FROM parked_loan WHERE partition = $1", self.partition
        )
        return [
            Parked(r["loan_id"], r["first_offset"], r["reason"], r["since"].toordinal() if r["since"] else None)
            for r in rows
        ]

    async def held(self, loan_id: str) -> list[Held]:
        """What is held behind a parked loan, in order."""
        rows = await self.connection.fetch(
            'SELECT "offset", loan_id, event_id, arrived, record FROM parked_event'
            ' WHERE partition = $1 AND loan_id = $2 ORDER BY "offset"',
            self.partition,
            loan_id,
        )
        return [
            Held(
                r["offset"],
                r["loan_id"],
                str(r["event_id"]),
                r["arrived"].toordinal() if r["arrived"] else None,
                r["record"],
            )
            for r in rows
        ]

    async def dead(self, offset: int) -> tuple[bytes | None, int | None]:
        """(record of an unsettled dead letter, offset of the last retry that left it dead)."""
        row = await self.connection.fetchrow(
            'SELECT record, tried_at FROM dead_letter WHERE partition = $1 AND "offset" = $2 AND settled_by IS NULL',
            self.partition,
            offset,
        )
        return (None, None) if row is None else (row["record"], row["tried_at"])

    async def write_suspense(self, rows: Rows, book: Book) -> None:
        """The waiting payments of the loans whose suspense changed, anew."""
        loans = [book.loans[loan_id] for loan_id in sorted(rows.suspense)]
        await self.connection.execute(
            "DELETE FROM suspense WHERE partition = $1 AND loan = ANY($2::bigint[])",
            self.partition,
            [loan.number for loan in loans],
        )
        await self.connection.executemany(
            'INSERT INTO suspense (partition, "offset", loan, event_id, amount, currency)'
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (self.partition, offset, loan.number, event_id, amount, currency)
                for loan in loans
                for offset, event_id, amount, currency in loan.waiting
            ],
        )

    async def write_parked(self, unit: Unit) -> None:
        """Loans that stopped or go on, and the events held behind them."""
        execute, partition = self.connection.execute, self.partition
        await execute(
            'DELETE FROM parked_event WHERE partition = $1 AND "offset" = ANY($2::bigint[])', partition, unit.released
        )
        await execute(
            "DELETE FROM parked_loan WHERE partition = $1 AND loan_id = ANY($2::text[])",
            partition,
            [*unit.unparked, *unit.parked],
        )
        await self.connection.executemany(
            "INSERT INTO parked_loan (partition, loan_id, first_offset, reason, since) VALUES ($1, $2, $3, $4, $5)",
            [(partition, p.loan_id, p.first_offset, p.reason, date_of(p.since)) for p in unit.parked.values()],
        )
        await self.connection.executemany(
            'INSERT INTO parked_event (partition, "offset", loan_id, event_id, arrived, record)'
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [(partition, h.offset, h.loan_id, h.event_id, date_of(h.arrived), h.leaf) for h in unit.held],
        )

    async def write_dead(self, unit: Unit) -> None:
        """Dead letters, which of them are settled, and conflicts."""
        partition = self.partition
        await self.connection.executemany(
            'INSERT INTO dead_letter (partition, "offset", reason, record) VALUES ($1, $2, $3, $4)',
            [(partition, dead.offset, dead.reason, dead.leaf) for dead in unit.dead],
        )
        await self.connection.executemany(
            'UPDATE dead_letter SET tried_at = $3 WHERE partition = $1 AND "offset" = $2',
            [(partition, offset, retry) for offset, retry in unit.tried.items()],
        )
        await self.connection.executemany(
            'UPDATE dead_letter SET settled_by = $3 WHERE partition = $1 AND "offset" = $2',
            [(partition, offset, event_id) for offset, event_id in unit.settled],
        )
        await self.connection.executemany(
            'INSERT INTO conflict (partition, "offset", event_id, record) VALUES ($1, $2, $3, $4)',
            [(partition, conflict.offset, conflict.event_id, conflict.leaf) for conflict in unit.conflicts],
        )


def date_of(ordinal: int | None) -> date | None:
    """The date of an ordinal, as the tables have it."""
    return None if ordinal is None else date.fromordinal(ordinal)
