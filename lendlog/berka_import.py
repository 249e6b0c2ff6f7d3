"""Enters the Berka loans by the ledger's own commands, with the signals of each month before its dates are closed, and
compares the books with the file."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from lendlog.berka import plan, read
from lendlog.berka_files import CURRENCY
from lendlog.berka_signals import Signal, read_signals
from services.ledger.commands.model import CloseDate, Command
from services.ledger.engine.accounts import CASH, LOANS_RECEIVABLE
from shared.errors import MissingPrecondition
from shared.events.envelope import BOOK
from shared.events.signals import IndicatorPublished
from shared.money import currency, decimal_text

COMMANDS_A_TRANSACTION = 100
"""About so many are recorded at once where no signals are published between them: a killed import loses no more than
these, and progress is seen."""


class Recorder(Protocol):
    """Where commands go: the ledger's, all of one call in one transaction, a repeated event id writing nothing."""

    async def record_many(self, commands: Sequence[Command]) -> Any:
        """Record all or none, in order."""


class Outside(Protocol):
    """Where signals go."""

    async def publish(self, day: date | None, signals: Sequence[Signal]) -> None:
        """Publish signals once the date is open for those who read them, and return when they have them. `None`: those
        from before the book, at once."""


class BookHoldsOther(MissingPrecondition):
    """The book holds something that the import did not enter."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The file's figures, and the same summed from postings, with what is outstanding; and what was published."""

    file: dict[str, int | str]
    books: dict[str, int | str]
    signals: dict[str, int]

    @property
    def equal(self) -> bool:
        """Whether the books hold exactly what the file says."""
        return self.file.items() <= self.books.items()


async def import_berka(
    folder: Path,
    through: date,
    *,
    commands: Recorder,
    outside: Outside,
    api: Any,
    books: Any,
    caught_up: Callable[[], Awaitable[None]],
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Enter loans, payments, signals and closings through `through`; return once they are in the books.

    `api` and `books` are asyncpg connections whose search paths are the schemas of the ledger's API and of its books;
    `caught_up` returns when the log has nothing that the books lack; `progress` is told commands done and in all.
    A killed import is started again with the same arguments, or a later date: event ids derive from the file's rows.
    Raises BookHoldsOther before anything is written.
    """
    portfolio, signals = read(folder, through), read_signals(folder, through)
    wanted = plan(portfolio, through)
    await refuse_other(folder, through, api=api, books=books)
    reached = await _open_date(api)
    entry = _Entry(commands, len(wanted), progress)
    opening, *others = wanted
    first = next(day for day, _ in _dates(others))
    steps = signal_steps(signals.days, first, reached)
    if None in steps:
        await outside.publish(None, steps[None])
    await entry.add([opening])
    for day, of_day in _dates(others):
        if day in steps:
            await entry.record()
            await outside.publish(day, steps[day])
        await entry.add(of_day)
    await entry.record()
    await caught_up()
    return Comparison(portfolio.figures(), await figures(books, through), signals.figures())


def signal_steps(
    days: Mapping[date, Sequence[Signal]], first: date, reached: date | None
) -> dict[date | None, list[Signal]]:
    """What is published while which date is open; None: before the book opens on `first`.

    An account's movements are judged a month at a time, when the month ends. So those of a month come together while
    its first date is open: to wait for every single date would take minutes and change no figure. A market's figure
    comes on its own day. `reached`: the date that an import before this one came to; it published the days before that.
    """
    steps: dict[date | None, list[Signal]] = {}
    for day, signals in days.items():
        if reached is not None and day < reached:
            continue
        together = None if day < first else max(day.replace(day=1), first, reached or first)
        for signal in signals:
            alone = together is not None and isinstance(signal, IndicatorPublished)
            steps.setdefault(day if alone else together, []).append(signal)
    return steps


def _dates(commands: Iterable[Command]) -> Iterator[tuple[date, list[Command]]]:
    """Each business date with its commands, the last of which closes it."""
    of_day: list[Command] = []
    for command in commands:
        of_day.append(command)
        if isinstance(command, CloseDate):
            yield command.business_date, of_day
            of_day = []


@dataclass(slots=True)
class _Entry:
    """Commands on their way in, some in one transaction."""

    commands: Recorder
    total: int
    progress: Callable[[int, int], None] | None
    done: int = 0
    waiting: list[Command] = field(default_factory=list)

    async def add(self, some: Sequence[Command]) -> None:
        """Record them with the next ones; at once when there are many."""
        self.waiting += some
        if len(self.waiting) >= COMMANDS_A_TRANSACTION:
            await self.record()

    async def record(self) -> None:
        """Record what waits."""
        if not self.waiting:
            return
        await self.commands.record_many(self.waiting)
        told = self.done // COMMANDS_A_TRANSACTION
        self.done += len(self.waiting)
        self.waiting = []
        if self.progress is not None and (self.done // COMMANDS_A_TRANSACTION > told or self.done == self.total):
            self.progress(self.done, self.total)


# The first date that is not closed.
_OPEN_DATE = "SELECT state ->> 'open_date' FROM aggregate WHERE aggregate_id = $1"
# A command that is not of this import.
_OTHER_COMMAND = "SELECT event_id FROM command WHERE event_id <> ALL($1::uuid[]) LIMIT 1"
# An event of the log that is not of this import, accepted or held.
_OTHER_EVENT = """
(SELECT event_id FROM event WHERE event_id <> ALL($1::uuid[]) LIMIT 1)
UNION ALL (SELECT event_id FROM parked_event WHERE event_id <> ALL($1::uuid[]) LIMIT 1)
"""


async def _open_date(api: Any) -> date | None:
    """The date that the book is at; None: it is not open."""
    opened = await api.fetchval(_OPEN_DATE, BOOK)
    return date.fromisoformat(opened) if opened else None


async def refuse_other(folder: Path, through: date, *, api: Any, books: Any) -> None:
    """Raise BookHoldsOther if anything but this import was ever entered, an import through a later date included."""
    opened = await _open_date(api)
    horizon = max(through, opened - timedelta(days=1)) if opened else through
    ours = [command.event_id for command in plan(read(folder, horizon), horizon)]
    other = await api.fetchval(_OTHER_COMMAND, ours) or await books.fetchval(_OTHER_EVENT, ours)
    if other is not None:
        raise BookHoldsOther(
            f"The book holds event {other}, which is not from {folder}: import into a book of its own, "
            "for example with LENDLOG_HOME set to a new folder."
        )


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
