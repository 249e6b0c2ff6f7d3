"""What direct debits read of the books: runs, what loans' own events say of them, and what loans ask for by a day."""

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any

from services.ledger.bank.facts import Claim, Debit
from services.ledger.commands.refusals import LoanIsParked
from services.ledger.debits.planning import Asking
from services.ledger.debits.policy import debit_row
from services.ledger.debits.refusals import UnknownRun
from services.ledger.debits.state import PREFIX, LoanDebits, Run, Runs, fold_loan, fold_runs
from services.ledger.debits.views import mandate_document, run_document
from services.ledger.engine.account import ACTIVE, Loan, decode_loan
from services.ledger.queries.loans import HISTORY, find
from services.ledger.reading import read
from shared.events.debits import DIRECT_DEBITS
from shared.merkle import record_of
from shared.money import currency as currency_of
from shared.money import minor_units

# Events of loans that concern mandates, debits, and payments that are taken back, known by a piece of their records.
_CONCERN = f"""
(position('"ledger.Mandate'::bytea IN record) > 0 OR position('"reference":"{PREFIX}'::bytea IN record) > 0
 OR position('"ledger.PaymentReversed'::bytea IN record) > 0 OR position('"ledger.EventUndone'::bytea IN record) > 0)
"""
_OF_LOANS = f"""
SELECT l.loan_id, e.booking_date, e.record FROM loan l
JOIN event e ON e.partition = l.partition AND e.loan = l.loan
WHERE l.loan_id = ANY($1::text[]) AND l.loan >= 0 AND {_CONCERN} ORDER BY l.loan_id, e.booking_date, e."offset"
"""
# The loans that ever had a mandate. It reads all events.
_WITH_MANDATE = """
SELECT DISTINCT l.loan_id FROM event e JOIN loan l ON l.partition = e.partition AND l.loan = e.loan
WHERE position('"ledger.MandateSigned.v1"'::bytea IN record) > 0
"""
_LOANS = "SELECT state FROM loan WHERE loan >= 0"
_PARKED = "SELECT loan_id FROM parked_loan"


async def runs_in(connection: Any) -> Runs:
    """All runs, as far as the books have come. Raises LoanIsParked."""
    stored = await find(connection, DIRECT_DEBITS)
    if stored is None:
        return Runs()
    if stored.parked is not None:
        raise LoanIsParked(f"{DIRECT_DEBITS} is parked: {stored.parked['reason']}.")
    assert stored.state is not None
    rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
    return fold_runs(read(record_of(row["record"])) for row in rows)


async def debits_of(connection: Any, loan_ids: Collection[str]) -> dict[str, LoanDebits]:
    """What these loans' own events say of direct debits; nothing is there of a loan with no such event."""
    events: dict[str, list[tuple[Any, date]]] = {}
    for row in await connection.fetch(_OF_LOANS, sorted(loan_ids)):
        events.setdefault(row["loan_id"], []).append((read(record_of(row["record"])), row["booking_date"]))
    return {loan_id: fold_loan(some) for loan_id, some in events.items()}


async def loans_asking(
    connection: Any, on: date, currency: str, tried: Collection[str], disputed: Collection[tuple[str, str | None]]
) -> list[Asking]:
    """The running loans with something unpaid by the day that has fallen due about now, or was `tried` before. It reads
    every loan. `disputed`: (borrower id, loan id, or None for all of the borrower's)."""
    since = on - timedelta(days=debit_row(on).late_days)
    parked = {row["loan_id"]: "the loan is parked" for row in await connection.fetch(_PARKED)}
    found: list[Asking] = []
    async for row in connection.cursor(_LOANS, prefetch=10_000):
        loan = decode_loan(row["state"])
        if loan.status != ACTIVE or loan.currency != currency_of(currency).number:
            continue
        claims = claims_by(loan, on)
        if claims and (claims[-1].due >= since or loan.loan_id in tried):
            borrower = loan.borrower_id or ""
            hindrance = "the loan is charged off" if loan.charged_off else parked.get(loan.loan_id)
            if (borrower, None) in disputed or (borrower, loan.loan_id) in disputed:
                hindrance = "the borrower disputes the debt"
            found.append(Asking(loan.loan_id, borrower, claims, hindrance))
    return found


def claims_by(loan: Loan, on: date) -> tuple[Claim, ...]:
    """What a loan asks for by the day, one claim a due date, oldest first."""
    sums: dict[int, int] = {}
    for k in range(loan.first_open, len(loan.due)):
        if loan.due[k] <= on.toordinal() and (unpaid := loan.unpaid(k)):
            sums[loan.due[k]] = sums.get(loan.due[k], 0) + unpaid
    return tuple(Claim(date.fromordinal(due), sums[due]) for due in sorted(sums))


async def debits_named(connection: Any, tokens: Iterable[str]) -> dict[str, Debit]:
    """The direct debits whose references stand among the tokens of a statement."""
    named = {token for token in tokens if token.startswith(PREFIX)}
    if not named:
        return {}
    items = (await runs_in(connection)).by_reference()
    return {
        name: Debit(name, item.loan_id, minor_units(item.amount, run.data.currency))
        for name in named & items.keys()
        for run, item in (items[name],)
    }


async def mandates_view(connection: Any, loan_id: str | None = None) -> list[dict[str, Any]]:
    """The mandates of a loan, or of all (which reads all events), by loan and in order of signing."""
    items = (await runs_in(connection)).by_reference()
    rows = [] if loan_id is not None else await connection.fetch(_WITH_MANDATE)
    known = await debits_of(connection, [loan_id] if loan_id is not None else [row["loan_id"] for row in rows])
    return [
        mandate_document(one, mandate, known[one], items)
        for one in sorted(known)
        for mandate in known[one].mandates.values()
    ]


async def runs_view(connection: Any) -> list[dict[str, Any]]:
    """All runs in order, with what became of their items."""
    runs = await runs_in(connection)
    loans = set[str]().union(*(run.loans() for run in runs.runs.values()))
    known = await debits_of(connection, loans)
    return [run_document(run, runs, known) for run in runs.runs.values()]


async def run_view(connection: Any, run_id: str) -> dict[str, Any]:
    """One run with its items. Raises UnknownRun."""
    runs = await runs_in(connection)
    run = named(runs, run_id)
    return run_document(run, runs, await debits_of(connection, run.loans()), whole=True)


def named(runs: Runs, run_id: str) -> Run:
    """The run of this id. Raises UnknownRun."""
    if (run := runs.runs.get(run_id)) is None:
        raise UnknownRun(f"There is no run {run_id[:40]}.", field="run_id")
    return run
