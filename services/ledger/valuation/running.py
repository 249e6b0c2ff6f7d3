"""The run over all loans at a period end: figures from the books as known now, events where they differ from what
stands.

Exactly once, and resumable: an event's id follows from the period end, the loan, and how many valuations of that period
its log has already. What was recorded but is not in the books yet is recorded again as a repetition, which does
nothing; what is in the books and still right is left alone; what late facts or another policy made wrong is stated
anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.commands.model import ValueLoan
from services.ledger.commands.recorder import Recorded
from services.ledger.commands.refusals import BookNotOpen, PeriodIsClosed, PeriodNotOver
from services.ledger.engine.account import CONTRACTED, SETTLED, WRITTEN_OFF, Loan, Valued, decode_loan
from services.ledger.fact_reading import stored_facts
from services.ledger.queries.rates import rates_in
from services.ledger.queries.snapshots import snapshot
from services.ledger.valuation.measuring import measure
from services.ledger.valuation.policy import PolicyRow
from services.ledger.valuation.totals import Outcome, Totals
from shared.errors import InvariantBroken, Refusal
from shared.events.envelope import derived_event_id
from shared.events.valuation import Valuation
from shared.merkle import record_of
from shared.money import minor_units
from shared.schedules.resets import Rates

LOANS_AT_ONCE = 200
"""Loans of which the histories are read, and the events recorded, in one transaction each: a book locked for it waits
for some tens of milliseconds."""
NOT_VALUED_MAX = 100
"""Loans that could not be valued are all counted; so many are named."""
VALUED = b"ledger.LoanValued.v1"

Books = Callable[[], AbstractAsyncContextManager[Any]]
"""A connection to the ledger's tables for a while."""
Record = Callable[[Sequence[ValueLoan]], Awaitable[Sequence[Recorded]]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A loan as it is stored, with its events in order of arrival, and the reference rates that were published."""

    loan: Loan
    events: Sequence[Any]
    rates: Rates


_OPEN = "SELECT CASE WHEN count(*) = count(open_date) THEN min(open_date) END FROM position"
_CLOSED = "SELECT max(period_end) FROM closed_period"
_PARTITIONS = "SELECT partition FROM position ORDER BY partition"
_LOANS = """
SELECT loan, state FROM loan WHERE partition = $1 AND loan > $2 AND loan >= 0 ORDER BY loan LIMIT $3
"""
_EVENTS = """
SELECT loan, "offset", effective_date, record FROM event
WHERE partition = $1 AND loan = ANY($2::bigint[]) ORDER BY loan, booking_date, "offset"
"""
_PARKED = "SELECT loan_id FROM parked_loan ORDER BY loan_id"


async def value_period(books: Books, end: date, policy: PolicyRow, record: Record | None) -> dict[str, Any]:
    """Value every loan that runs at the end of `end`, and record what differs; with `record` None nothing is recorded.

    Returns the totals by group and currency, how many events were recorded, and which loans could not be valued: parked
    ones, whose books are not complete, and those that the rules have no figure for. Raises BookNotOpen, PeriodNotOver,
    PeriodIsClosed, and what `record` raises: what was recorded before stands, and the next run goes on from there.
    """
    async with books() as connection:
        opened = await connection.fetchval(_OPEN)
        if opened is None:
            raise BookNotOpen("Open the book on its first business date.")
        if opened <= end:
            raise PeriodNotOver(f"{end} is not closed: the open date is {opened}.", field="period")
        closed = await connection.fetchval(_CLOSED)
        if closed is not None and end <= closed:
            raise PeriodIsClosed(f"Periods up to {closed} are closed: value a later one.", field="period")
        partitions = [row["partition"] for row in await connection.fetch(_PARTITIONS)]
        parked = frozenset(row["loan_id"] for row in await connection.fetch(_PARKED))
    totals = Totals()
    for partition in partitions:
        after = -1
        while (read := await _read(books, partition, after, end)) is not None:
            after, stored = read
            found = await asyncio.to_thread(valuations, stored, end, policy, parked)
            for one in found:
                totals.add(one)
            commands = [one.command for one in found if one.command is not None]
            if record is not None and commands:
                totals.recorded(await record(commands))
    return totals.document(end, policy.version, preview=record is None, named_max=NOT_VALUED_MAX)


async def _read(books: Books, partition: int, after: int, end: date) -> tuple[int, list[Stored]] | None:
    """The next loans of a partition, those that may run at the period end with their events."""
    async with books() as connection, snapshot(connection):
        rows = await connection.fetch(_LOANS, partition, after, LOANS_AT_ONCE)
        if not rows:
            return None
        loans = [loan for row in rows if may_run(loan := decode_loan(row["state"]), end.toordinal())]
        events: dict[int, list[Any]] = {loan.number: [] for loan in loans}
        for row in await connection.fetch(_EVENTS, partition, list(events)):
            events[row["loan"]].append(row)
        rates = await rates_in(connection, partition)
    return rows[-1]["loan"], [Stored(loan, events[loan.number], rates) for loan in loans]


def may_run(loan: Loan, end: int) -> bool:
    """Whether the loan may have been an asset at the end of the ordinal `end`: without its history, no certain no."""
    if loan.status <= CONTRACTED or loan.start > end:
        return False
    ended = loan.status in (SETTLED, WRITTEN_OFF) and loan.last_key <= 2 * end + 1
    return not ended and not 0 < loan.charged_off <= end


def valuations(loans: Iterable[Stored], end: date, policy: PolicyRow, parked: frozenset[str]) -> list[Outcome]:
    """What the run finds for each loan that runs at the period end."""
    return [one for stored in loans if (one := _valued(stored, end, policy, parked)) is not None]


def _valued(stored: Stored, end: date, policy: PolicyRow, parked: frozenset[str]) -> Outcome | None:
    loan_id = stored.loan.loan_id
    if loan_id in parked:
        return Outcome(loan_id, reason="the loan is parked: its books are not complete")
    rows = stored.events
    found = ((row["offset"], row["effective_date"], record_of(row["record"])) for row in rows)
    facts = stored_facts(found, stored.rates)
    try:
        loan, now = measure(loan_id, facts, end.toordinal(), policy)
    except (InvariantBroken, Refusal) as broken:
        return Outcome(loan_id, reason=str(broken))
    if now is None:
        return None
    before = loan.valued
    if before is not None and before.period_end == end.toordinal() and _is(before, now):
        return Outcome(loan_id, now, before)
    earlier = sum(1 for row in rows if row["effective_date"] == end and VALUED in row["record"])
    event_id = derived_event_id(f"valuation/{end}", 0, loan_id, earlier)
    return Outcome(loan_id, now, before, ValueLoan(loan_id, now, event_id))


def _is(before: Valued, now: Valuation) -> bool:
    """Whether what stands is what the valuation says."""
    texts: Iterator[str] = iter((now.allowance, now.suspended_interest, now.deferred_fees))
    amounts = tuple(minor_units(text, now.currency) for text in texts)
    stands = before.allowance, before.suspended_interest, before.deferred_fees
    return before.group == now.group and amounts == stands
