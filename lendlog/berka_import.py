"""Enters the Berka loans by the ledger's own commands, and compares the books with the file."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from lendlog.berka import CURRENCY, plan, read
from services.ledger.accounts import CASH, LOANS_RECEIVABLE
from services.ledger.commands.model import Command
from shared.errors import MissingPrecondition
from shared.events.envelope import BOOK
from shared.money import currency, decimal_text

COMMANDS_A_TRANSACTION = 100
"""A killed import loses no more than these, and progress is seen."""
STALLED_SECONDS = 120.0
"""Workers that take in nothing for so long are not merely slow: a restart and a claim last some 20 s."""


class Recorder(Protocol):
    """Where commands go: the ledger's, all of one call in one transaction, a repeated event id writing nothing."""

    async def record_many(self, commands: Sequence[Command]) -> Any:
        """Record all or none, in order."""


class BookHoldsOther(MissingPrecondition):
    """The book holds something that the import did not enter."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The file's figures, and the same summed from postings, with what is outstanding."""

    file: dict[str, int | str]
    books: dict[str, int | str]

    @property
    def equal(self) -> bool:
        """Whether the books hold exactly what the file says."""
        return self.file.items() <= self.books.items()


async def import_berka(
    folder: Path,
    through: date,
    *,
    commands: Recorder,
    api: Any,
    books: Any,
    caught_up: Callable[[], Awaitable[None]],
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Enter loans, payments and closings through `through`; return once they are in the books.

    `api` and `books` are asyncpg connections whose search paths are the schemas of the ledger's API and of its books;
    `caught_up` returns when the log has nothing that the books lack; `progress` is told commands done and in all.
    A killed import is started again with the same arguments, or a later date: event ids derive from the file's rows.
    Raises BookHoldsOther before anything is written.
    """
    portfolio = read(folder, through)
    wanted = plan(portfolio, through)
    await refuse_other(folder, through, api=api, books=books)
    for start in range(0, len(wanted), COMMANDS_A_TRANSACTION):
        await commands.record_many(wanted[start : start + COMMANDS_A_TRANSACTION])
        if progress is not None:
            progress(min(start + COMMANDS_A_TRANSACTION, len(wanted)), len(wanted))
    await caught_up()
    return Comparison(portfolio.figures(), await figures(books, through))


# The first date that is not closed.
_OPEN_DATE = "SELECT state ->> 'open_date' FROM aggregate WHERE aggregate_id = $1"
# A command that is not of this import.
_OTHER_COMMAND = "SELECT event_id FROM command WHERE event_id <> ALL($1::uuid[]) LIMIT 1"
# An event of the log that is not of this import, accepted or held.
_OTHER_EVENT = """
(SELECT event_id FROM event WHERE event_id <> ALL($1::uuid[]) LIMIT 1)
UNION ALL (SELECT event_id FROM parked_event WHERE event_id <> ALL($1::uuid[]) LIMIT 1)
"""


async def refuse_other(folder: Path, through: date, *, api: Any, books: Any) -> None:
    """Raise BookHoldsOther if anything but this import was ever entered, an import through a later date included."""
    opened = await api.fetchval(_OPEN_DATE, BOOK)
    horizon = max(through, date.fromisoformat(opened) - timedelta(days=1)) if opened else through
    ours = [command.event_id for command in plan(read(folder, horizon), horizon)]
    other = await api.fetchval(_OTHER_COMMAND, ours) or await books.fetchval(_OTHER_EVENT, ours)
    if other is not None:
        raise BookHoldsOther(
            f"The book holds event {other}, which is not from {folder}: import into a book of its own, "
            "for example with LENDLOG_HOME set to a new folder."
        )


# How many partitions have this event in the books, and have finished it; how far all are; why one stopped.
_PROGRESS = """
SELECT (SELECT count(*) FROM event WHERE event_id = $1) AS arrived, count(*) AS partitions,
       count(resume_loan) AS unfinished, sum(next_offset) AS reached, max(halted) AS halted
FROM position
"""


async def until_closed(books: Any, closing_id: str, *, stalled_seconds: float = STALLED_SECONDS) -> None:
    """Wait until the closing with this event id is in the books of every partition, and so all that was sent before it.

    Raises MissingPrecondition if a partition halted, or if the books have not moved for `stalled_seconds`.
    """
    reached, moved = None, time.monotonic()
    while True:
        row = await books.fetchrow(_PROGRESS, closing_id)
        if row["arrived"] == row["partitions"] > 0 == row["unfinished"]:
            return
        if row["halted"] is not None:
            raise MissingPrecondition(f"A partition of the ledger stopped: {row['halted']}")
        if row["reached"] != reached:
            reached, moved = row["reached"], time.monotonic()
        elif time.monotonic() - moved > stalled_seconds:
            raise MissingPrecondition(
                f"The books have not moved for {stalled_seconds:.0f} s: look at `lendlog status` and the workers' logs."
            )
        await asyncio.sleep(0.1)


# Loans: those whose disbursement was posted. A repayment: a payment's entry that debited cash; repaid is what these
# entries debited, less what they credited. Outstanding: the balance of loans receivable. All as booked by a date.
_FIGURES = """
WITH line AS (
    SELECT * FROM posting WHERE booking_date <= $1 AND currency = $2
), payment AS (
    SELECT sum(amount) FILTER (WHERE debit = $3) AS received,
           coalesce(sum(amount) FILTER (WHERE credit = $3), 0) AS returned
    FROM line JOIN event USING (partition, "offset")
    WHERE position('"ledger.PaymentReceived.v1"'::bytea IN event.record) > 0
    GROUP BY partition, "offset"
)
SELECT (SELECT count(DISTINCT (partition, loan)) FROM line WHERE debit = $4 AND credit = $3) AS loans,
       (SELECT count(received) FROM payment) AS repayments,
       (SELECT coalesce(sum(received - returned), 0)::bigint FROM payment) AS repaid,
       (SELECT coalesce(sum(CASE WHEN debit = $4 THEN amount ELSE -amount END), 0)::bigint
        FROM line WHERE debit = $4 OR credit = $4) AS outstanding
"""


async def figures(books: Any, through: date) -> dict[str, int | str]:
    """The books' side of the comparison, summed from postings that were booked by `through`."""
    row = await books.fetchrow(_FIGURES, through, currency(CURRENCY).number, CASH, LOANS_RECEIVABLE)
    return {
        "loans": row["loans"],
        "repayments": row["repayments"],
        "repaid": decimal_text(row["repaid"], CURRENCY),
        "outstanding": decimal_text(row["outstanding"], CURRENCY),
    }
