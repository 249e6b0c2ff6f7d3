"""Why an entry stands in the books: the event that caused it, its rule and terms, the state before and after."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.ledger import queries
from services.ledger.reading import read
from services.ledger.servicing import ContractFact, fold
from shared.events.envelope import Envelope
from shared.events.ledger import (
    BusinessDateClosed,
    ParkedLoanReleased,
    PaymentReceived,
    PaymentReversed,
)
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.merkle import record_of

LOANS_MAX = 100
"""An entry of a closing touches thousands of loans: so many are listed, one is explained when it is named."""

RULES: dict[type[Envelope], str] = {
    LoanContracted: "A contract is kept with its terms; nothing is booked until the money is paid out.",
    LoanDisbursed: "The principal paid out becomes a receivable, the terms become instalments, and what waited in "
    "suspense is used as a repayment.",
    PaymentReceived: "A repayment is used in the allocation order of the terms; without a disbursed loan in its "
    "currency it waits in suspense.",
    PaymentReversed: "The loan is folded anew without the payment, and the difference is booked today.",
    BusinessDateClosed: "At the end of its due date an instalment falls due: its unpaid interest becomes receivable, "
    "interest paid ahead is used up.",
    ParkedLoanReleased: "What fell due while the loan was parked is booked on the day of its release.",
}
"""The rule that an event of a type follows; see services/ledger/accounts.py for its postings."""
BACKDATED = " Its value date is before something already booked: the loan is folded anew, and the difference is booked."
ACCRUAL = (
    "A date that ends earns interest for all instalments of a group at once, whose periods have equally many days."
)

_EVENT = 'SELECT event_id, loan, effective_date, booking_date, record FROM event WHERE partition = $1 AND "offset" = $2'
# A record that is not in an entry, and why.
_ASIDE = """
SELECT 'held' AS outcome, record, reason FROM parked_event JOIN parked_loan USING (partition, loan_id)
WHERE partition = $1 AND "offset" = $2
UNION ALL SELECT 'dead', record, reason FROM dead_letter WHERE partition = $1 AND "offset" = $2
UNION ALL SELECT 'conflict', record, 'another body under an event id that was accepted' FROM conflict
WHERE partition = $1 AND "offset" = $2
"""
_TOUCHED = """
SELECT DISTINCT loan, loan_id FROM posting JOIN loan USING (partition, loan)
WHERE partition = $1 AND "offset" = $2 ORDER BY loan
"""
_LOAN = "SELECT loan, loan_id FROM loan WHERE partition = $1 AND (loan_id = $2 OR loan = $3)"
_LINES = """
SELECT booking_date, effective_date, debit, credit, amount, currency FROM posting
WHERE partition = $1 AND loan = $2 AND "offset" = $3 ORDER BY n
"""


async def why_entry(connection: Any, partition: int, offset: int, loan_id: str | None) -> dict[str, Any] | None:
    """The entry that the record at (partition, offset) caused; of the loan named where it touched several.

    None: nothing of this record, or of this loan by it, is in the books.
    """
    async with queries.snapshot(connection):
        row = await connection.fetchrow(_EVENT, partition, offset)
        if row is None:
            return await _aside(connection, partition, offset)
        event = read(record_of(row["record"]))
        found = {
            "entry": {"partition": partition, "offset": offset, "booking_date": row["booking_date"].isoformat()},
            "outcome": "booked",
            "event": event.model_dump(mode="json", exclude_none=True),
            "effective_date": row["effective_date"].isoformat(),
        }
        if loan_id is None and row["loan"] is None:
            touched = await connection.fetch(_TOUCHED, partition, offset)
            loans = [one["loan_id"] for one in touched]
            return found | {"loans": loans[:LOANS_MAX], "loans_touched": len(loans)}
        loan = await connection.fetchrow(_LOAN, partition, loan_id, row["loan"] if loan_id is None else None)
        if loan is None:
            return None
        lines = await connection.fetch(_LINES, partition, loan["loan"], offset)
        if not lines and row["loan"] != loan["loan"] and not isinstance(event, BusinessDateClosed):
            return None
        found |= {"loan_id": loan["loan_id"], "postings": [queries.posting(line) for line in lines]}
        if loan["loan"] < 0:
            return found | {"rule": ACCRUAL}
        return found | await _explained(connection, partition, offset, loan, event, row, lines)


async def _aside(connection: Any, partition: int, offset: int) -> dict[str, Any] | None:
    """A record that caused no entry: held behind a parked loan, dead, or in conflict."""
    row = await connection.fetchrow(_ASIDE, partition, offset)
    if row is None:
        return None
    record = record_of(row["record"])
    return {
        "entry": {"partition": partition, "offset": offset},
        "outcome": row["outcome"],
        "reason": row["reason"],
        **queries.legible("value", record.value),
    }


async def _explained(
    connection: Any, partition: int, offset: int, loan: Any, event: Any, row: Any, lines: Sequence[Any]
) -> dict[str, Any]:
    """Rule, terms, and the loan before and after, folded from the facts that were known then."""
    history = await connection.fetch(queries.HISTORY, partition, loan["loan"])
    booked: date = row["booking_date"]
    day, key = booked.toordinal(), (booked, offset)
    known = [fact for fact in history if (fact["booking_date"], fact["offset"]) < key]
    now = [fact for fact in history if (fact["booking_date"], fact["offset"]) <= key]
    start, end = day, day
    match event:
        case BusinessDateClosed():
            end = day + 1
        case ParkedLoanReleased():
            first = event.data.first_held_offset
            known = now = [fact for fact in known if fact["booking_date"] < booked or fact["offset"] < first]
            start = min((line["effective_date"].toordinal() for line in lines), default=day)
        case _:
            pass
    before, _ = fold(loan["loan"], loan["loan_id"], queries.facts_of_rows(known), before=start)
    after, _ = fold(loan["loan"], loan["loan_id"], facts := queries.facts_of_rows(now), before=end)
    rule = RULES.get(type(event), "")
    if isinstance(event, PaymentReceived | LoanDisbursed) and 2 * row["effective_date"].toordinal() < before.last_key:
        rule += BACKDATED
    terms = next((fact.contract.terms for fact in facts if isinstance(fact, ContractFact)), None)
    return {
        "rule": rule,
        "terms": terms.model_dump(mode="json") if terms is not None else None,
        "before": queries.figures(before, start),
        "after": queries.figures(after, end),
    }
