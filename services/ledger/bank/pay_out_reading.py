"""What paying out reads of the books: the events of files, disbursements that left cash, and what took them back."""

from collections.abc import Collection
from datetime import date
from typing import Any

from services.ledger.bank.pay_out import Disbursed
from services.ledger.bank.payment_files import FilesState, fold_files
from services.ledger.commands.refusals import LoanIsParked
from services.ledger.engine.account import decode_loan
from services.ledger.engine.accounts import CASH
from services.ledger.fact_reading import taken_back
from services.ledger.queries.loans import HISTORY, find
from services.ledger.reading import read
from shared.events.origination import LoanDisbursed
from shared.events.payment_files import PAYMENT_FILES
from shared.merkle import record_of
from shared.money import currency, minor_units

# Disbursements of a currency: events of these value dates that state one, with what they moved on cash (which may be
# nothing). The text of the type in the record sorts out payments before anything is decoded.
_DISBURSED = """
SELECT e.event_id, e.effective_date, e.record, l.loan_id, l.state, coalesce((
    SELECT sum(CASE WHEN credit = $1 THEN amount ELSE -amount END) FROM posting p
    WHERE p.partition = e.partition AND p.loan = e.loan AND p."offset" = e."offset" AND $1 IN (debit, credit)
), 0) AS amount
FROM event e JOIN loan l ON l.partition = e.partition AND l.loan = e.loan
WHERE e.effective_date BETWEEN $2 AND $3 AND position($4::bytea in e.record) > 0
"""
_THESE = f"{_DISBURSED} AND e.event_id = ANY($5::uuid[])"
# Undoings in the loans of these disbursements.
_UNDOINGS = """
SELECT u.record FROM event u WHERE (u.partition, u.loan) IN (
    SELECT e.partition, e.loan FROM event e WHERE e.event_id = ANY($1::uuid[])
) AND position($2::bytea in u.record) > 0
"""
_PARKED = "SELECT loan_id FROM parked_loan WHERE loan_id = ANY($1::text[])"
_IN_BOOKS = "SELECT event_id FROM event WHERE event_id = ANY($1::uuid[])"
_TYPE, _UNDONE = b"origination.LoanDisbursed.v1", b"ledger.EventUndone.v1"


async def files_state(connection: Any) -> FilesState:
    """All files as far as the books have come. Raises LoanIsParked."""
    stored = await find(connection, PAYMENT_FILES)
    if stored is None:
        return FilesState()
    if stored.parked is not None:
        raise LoanIsParked(f"{PAYMENT_FILES} is parked: {stored.parked['reason']}.")
    assert stored.state is not None
    rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
    return fold_files(read(record_of(row["record"])) for row in rows)


async def disbursed(connection: Any, code: str, since: date, until: date) -> list[Disbursed]:
    """The disbursements in a currency of value dates from `since` to `until`, whether they still stand or not."""
    return _found(await connection.fetch(_DISBURSED, CASH, since, until, _TYPE), code)


async def disbursed_named(connection: Any, code: str, event_ids: Collection[str]) -> list[Disbursed]:
    """Those of these ids."""
    return _found(await connection.fetch(_THESE, CASH, date.min, date.max, _TYPE, list(event_ids)), code)


async def undone(connection: Any, event_ids: Collection[str]) -> frozenset[str]:
    """Those of these disbursements that were taken back."""
    rows = await connection.fetch(_UNDOINGS, list(event_ids), _UNDONE)
    gone = {taken_back(read(record_of(row["record"]))) for row in rows}
    return frozenset(event_id for event_id in event_ids if event_id in gone)


async def parked(connection: Any, loan_ids: Collection[str]) -> frozenset[str]:
    """Those of these loans that are parked."""
    return frozenset(row["loan_id"] for row in await connection.fetch(_PARKED, list(loan_ids)))


async def in_books(connection: Any, event_ids: Collection[str]) -> frozenset[str]:
    """Those of these events that the books have."""
    return frozenset(str(row["event_id"]) for row in await connection.fetch(_IN_BOOKS, list(event_ids)))


def _found(rows: Any, code: str) -> list[Disbursed]:
    found = []
    for row in rows:
        event: Any = read(record_of(row["record"]))
        if not isinstance(event, LoanDisbursed) or currency(event.data.currency).code != code:
            continue
        loan, settles = decode_loan(row["state"]), event.data.settles
        found.append(
            Disbursed(
                event_id=str(row["event_id"]),
                loan_id=row["loan_id"],
                borrower_id=loan.borrower_id or "",
                on=row["effective_date"],
                currency=code,
                amount=int(row["amount"]),
                settles=minor_units(settles.amount, code) if settles is not None else 0,
            )
        )
    return found
