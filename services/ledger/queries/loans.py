"""Loans as the books have them: figures, instalments, entries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.engine.account import (
    INTEREST,
    PENALTY,
    PRINCIPAL,
    STATUS,
    UNKNOWN,
    Loan,
    Valued,
    decode_loan,
    iso,
)
from services.ledger.engine.folding import fold
from services.ledger.engine.instalment_fees import receivable
from services.ledger.queries.aside import parked_rows
from services.ledger.queries.rates import rates_in
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.tallies import account_of
from services.ledger.queries.two_dates import Dates, dates_within, facts_at, known_rows
from services.ledger.reading import read
from shared.merkle import record_of
from shared.money import code_of, decimal_text
from shared.partitioner import partition_for


@dataclass(frozen=True, slots=True)
class Stored:
    """What a schema holds of one loan. `state` is None for a loan that parked at its very first event."""

    partition: int
    open_day: int | None
    resume: int | None
    state: Loan | None
    parked: dict[str, Any] | None


_PARTITIONS = "SELECT count(*) FROM position"
_POSITION = "SELECT open_date, resume_loan FROM position WHERE partition = $1"
# A loan, or the general ledger (GENERAL_NUMBER).
_STATE = "SELECT state FROM loan WHERE partition = $1 AND loan_id = $2 AND loan >= -1"
# A loan's accepted events in the order in which they were folded: a released or retried one on its booking date.
HISTORY = """
SELECT "offset", event_id, effective_date, booking_date, record FROM event
WHERE partition = $1 AND loan = $2 ORDER BY booking_date, "offset"
"""
_POSTINGS = """
SELECT "offset", booking_date, effective_date, debit, credit, amount, currency FROM posting
WHERE partition = $1 AND loan = $2 ORDER BY booking_date, "offset", n
"""
_CAUSES = 'SELECT "offset", event_id, record FROM event WHERE partition = $1 AND "offset" = ANY($2::bigint[])'


async def find(connection: Any, loan_id: str) -> Stored | None:
    """The loan as it is stored, parked or not; None if the books know nothing of it."""
    partitions = await connection.fetchval(_PARTITIONS)
    if not partitions:
        return None
    partition = partition_for(loan_id.encode(), partitions)
    position = await connection.fetchrow(_POSITION, partition)
    state = await connection.fetchval(_STATE, partition, loan_id)
    parked = next(iter(await parked_rows(connection, loan_id)), None)
    if state is None and parked is None:
        return None
    if state is None and parked is not None:
        partition = parked["partition"]  # it may have parked for coming to a partition that is not its own
    opened = position["open_date"]
    return Stored(
        partition,
        opened.toordinal() if opened else None,
        position["resume_loan"],
        decode_loan(state) if state is not None else None,
        parked,
    )


async def has_contract(connection: Any, loan_id: str) -> bool:
    """Whether the books hold the loan, and not only money that waits for it."""
    stored = await find(connection, loan_id)
    return stored is not None and stored.state is not None and stored.state.status != UNKNOWN


@dataclass(frozen=True, slots=True)
class Seen:
    """A loan as it is stored, or as it was seen on two dates."""

    stored: Stored
    loan: Loan
    dates: Dates | None

    @property
    def day(self) -> int:
        """The ordinal that its figures are told on; 0 where the book is not open."""
        return self.dates.day.toordinal() if self.dates else self.stored.open_day or 0

    def as_of(self) -> dict[str, Any]:
        """What a document says of its dates and of the last event in it."""
        return as_of_document(self.stored, self.dates, self.loan.as_of)


def as_of_document(stored: Stored, dates: Dates | None, offset: int) -> dict[str, Any]:
    """`date` is the value date, `known` the booking date, `offset` that of the last event that counts."""
    opened = iso(stored.open_day)
    told = dates.document() if dates else {"known": opened, "effective": opened}
    return {"date": told["effective"], "known": told["known"], "offset": offset, "partition": stored.partition}


async def see(
    connection: Any, loan_id: str, *, known: date | None, effective: date | None, field: str = "effective"
) -> Seen | None:
    """The loan as stored where no date is named, else folded from what counts on the two dates; None if the books know
    nothing of it. Raises AsOfAhead."""
    stored = await find(connection, loan_id)
    if stored is None:
        return None
    if known is None and effective is None:
        return Seen(stored, stored.state or Loan(-1, loan_id), None)
    dates = dates_within(date.fromordinal(stored.open_day) if stored.open_day else None, known, effective, field=field)
    if stored.state is None:
        return Seen(stored, Loan(-1, loan_id), dates)
    rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
    rates = await rates_in(connection, stored.partition)
    loan, _ = fold(stored.state.number, loan_id, facts_at(rows, dates, rates), before=told_before(stored, dates))
    loan.as_of = last_known(stored, rows, dates)
    return Seen(stored, loan, dates)


def last_known(stored: Stored, rows: Sequence[Any], dates: Dates) -> int:
    """The offset of the last event that the books had of the loan on `known`, -1 if none."""
    if stored.state is not None and stored.open_day == dates.known.toordinal():
        return stored.state.as_of
    return max((row["offset"] for row in known_rows(rows, dates)), default=-1)


def told_before(stored: Stored, dates: Dates | None) -> int:
    """The ordinal before which instalments have fallen due: the end of the day told, as far as the books have come. A
    loan that was parked and released since is told as if it had not been parked."""
    return horizon(stored) if dates is None else min(dates.day.toordinal() + 1, horizon(stored))


async def loan_view(
    connection: Any,
    loan_id: str,
    *,
    known: date | None = None,
    effective: date | None = None,
    field: str = "effective",
) -> dict[str, Any] | None:
    """State and figures of a loan: as stored where no date is named, else as known on one date and effective on
    another, either the open date where it is not named.

    None if the books know nothing of the loan. Raises AsOfAhead for a date after the open one, of the value date at
    `field`.
    """
    async with snapshot(connection):
        seen = await see(connection, loan_id, known=known, effective=effective, field=field)
    if seen is None:
        return None
    return figures(seen.loan, seen.day) | {
        "instalments": len(seen.loan.due),
        "parked": seen.stored.parked,
        "as_of": seen.as_of(),
    }


def horizon(stored: Stored) -> int:
    """The day before which this loan's instalments have fallen due: the open date; one later where a closing that is
    under way has passed the loan; and for a parked loan the date on which it parked."""
    if stored.parked is not None and stored.parked["since"] is not None:
        return date.fromisoformat(stored.parked["since"]).toordinal()
    passed = stored.resume is not None and stored.state is not None and stored.state.number <= stored.resume
    return (stored.open_day or 0) + passed


def figures(loan: Loan, day: int) -> dict[str, Any]:
    """A loan's state as of the ordinal `day`."""
    code = code_of(loan.currency) if loan.currency else None

    def text(minor: int) -> str:
        return decimal_text(minor, code) if code else str(minor)

    return {
        "loan_id": loan.loan_id,
        "borrower_id": loan.borrower_id,
        "status": STATUS[loan.status],
        "currency": code,
        "principal": text(loan.principal),
        "principal_outstanding": text(loan.principal_outstanding),
        "interest_due": text(loan.interest_fallen_unpaid()),
        "fees_due": text(receivable(loan)),
        "penalties_due": text(loan.unpaid_of(PENALTY)),
        "past_due": text(loan.past_due(day)),
        "past_due_since": iso(loan.past_due_since(day)),
        "days_past_due": loan.days_past_due(day),
        "next_due_date": iso(loan.next_due()),
        "charged_off_on": iso(loan.charged_off or None),
        "overpaid": text(loan.overpaid),
        **rate_of(loan),
        "in_suspense": text(loan.in_suspense()),
        **_valuation(loan.valued, text),
        "suspense": [
            {"event_id": event_id, "amount": decimal_text(amount, code_of(number)), "currency": code_of(number)}
            for _, event_id, amount, number in loan.waiting
        ],
    }


def _valuation(valued: Valued | None, text: Callable[[int], str]) -> dict[str, str | None]:
    """The last valuation that stands: period end, class or stage, balances; None without one."""
    if valued is None:
        return dict.fromkeys(("valued_on", "valued_as", "allowance", "suspended_interest", "deferred_fees"))
    return {
        "valued_on": iso(valued.period_end),
        "valued_as": valued.group,
        "allowance": text(valued.allowance),
        "suspended_interest": text(valued.suspended_interest),
        "deferred_fees": text(valued.deferred_fees),
    }


def rate_of(loan: Loan) -> dict[str, str | None]:
    """The rate in force of a loan that follows a reference rate, and when it is reset next."""
    if (floating := loan.floating) is None:
        return {"annual_rate": None, "next_reset_on": None}
    return {"annual_rate": floating.annual_rate, "next_reset_on": iso(floating.next_reset or None)}


async def schedule_view(
    connection: Any, loan_id: str, *, known: date | None = None, effective: date | None = None, field: str = "effective"
) -> dict[str, Any] | None:
    """The loan's instalments with what is paid of each; none before the disbursement. Dates as in `loan_view`."""
    async with snapshot(connection):
        seen = await see(connection, loan_id, known=known, effective=effective, field=field)
    if seen is None:
        return None
    loan = seen.loan
    code = code_of(loan.currency) if loan.currency else None
    rows = []
    for k, due in enumerate(loan.due):
        penalties, fees, interest, principal = (column[k] for column in loan.asked)
        left = [column[k] for column in loan.left]
        amounts = {
            "principal": principal,
            "interest": interest,
            "fees": fees,
            "penalties": penalties,
            "total": principal + interest + fees + penalties,
            "principal_paid": principal - left[PRINCIPAL],
            "interest_paid": interest - left[INTEREST],
            "outstanding": sum(left),
        }
        texts = {name: decimal_text(minor, code or "") for name, minor in amounts.items()}
        rows.append({"number": k + 1, "due_date": iso(due), **texts, "fallen_due": k < loan.fallen})
    return {"loan_id": loan_id, "currency": code, **rate_of(loan), "instalments": rows, "as_of": seen.as_of()}


async def entries_view(connection: Any, loan_id: str) -> dict[str, Any] | None:
    """Everything that happened to a loan in the order in which it was booked, entries without postings included."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        entries = []
        if stored.state is not None:
            entries = await _entries(connection, stored.partition, stored.state.number)
        offset = stored.state.as_of if stored.state is not None else -1
    as_of = as_of_document(stored, None, offset)
    return {"loan_id": loan_id, "entries": entries, "parked": stored.parked, "as_of": as_of}


async def _entries(connection: Any, partition: int, number: int) -> list[dict[str, Any]]:
    lines: dict[tuple[date, int], list[dict[str, Any]]] = {}
    events = {}
    for row in await connection.fetch(HISTORY, partition, number):
        lines[row["booking_date"], row["offset"]] = []
        events[row["offset"]] = row
    for row in await connection.fetch(_POSTINGS, partition, number):
        lines.setdefault((row["booking_date"], row["offset"]), []).append(posting(row))
    for row in await connection.fetch(_CAUSES, partition, [o for _, o in lines if o not in events]):
        events[row["offset"]] = row
    return [
        {
            "partition": partition,
            "offset": offset,
            "event_id": str(events[offset]["event_id"]) if offset in events else None,
            "type": read(record_of(events[offset]["record"])).type if offset in events else None,
            "booking_date": booked.isoformat(),
            "postings": postings,
        }
        for (booked, offset), postings in sorted(lines.items(), key=lambda entry: entry[0])
    ]


def posting(row: Any) -> dict[str, Any]:
    """One row of `posting`."""
    code = code_of(row["currency"])
    return {
        "debit": account_of(row["debit"]).name,
        "credit": account_of(row["credit"]).name,
        "amount": decimal_text(row["amount"], code),
        "currency": code,
        "effective_date": row["effective_date"].isoformat(),
    }
