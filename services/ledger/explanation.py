"""Why an entry stands in the books: the event that caused it, its rule and terms, the state before and after."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.ledger import queries
from services.ledger.engine.account import GENERAL_NUMBER
from services.ledger.engine.facts import ContractFact
from services.ledger.engine.folding import fold
from services.ledger.reading import read
from shared.events import servicing
from shared.events.bank import BankLineAssigned, BankStatementTaken
from shared.events.collections import PlanAgreed
from shared.events.debits import (
    DebitRejected,
    DebitRunMade,
    DebitRunVoided,
    MandateResumed,
    MandateRevoked,
    MandateSigned,
)
from shared.events.entries import (
    JournalEntryApproved,
    JournalEntryDeclined,
    JournalEntryProposed,
    PeriodClosed,
    YearClosed,
)
from shared.events.envelope import Envelope
from shared.events.ledger import (
    BookOpened,
    BusinessDateClosed,
    DeadLetterRetried,
    ParkedLoanReleased,
    PaymentReceived,
    PaymentReversed,
    ReferenceRatePublished,
)
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.events.payment_files import PaymentFileMade, PaymentFileVoided, PaymentStatusTaken
from shared.events.take_over import LoanTakenOver
from shared.events.valuation import LoanValued
from shared.merkle import record_of
from shared.streams.dead_letters import legible

LOANS_MAX = 100
"""An entry of a closing touches thousands of loans: so many are listed, one is explained when it is named."""

RULES: dict[type[Envelope], str] = {
    LoanContracted: "A contract is kept with its terms; nothing is booked until the money is paid out.",
    LoanDisbursed: "The money paid out becomes a receivable, the terms become instalments (with a further tranche they "
    "are laid out anew), and what waited in suspense is used as a repayment. What pays off another loan goes through "
    "refinancing clearing.",
    LoanTakenOver: "A loan comes from another system: what its instalments still ask for is booked against migration "
    "clearing, and from the cut-over date on they fall due and earn as any others.",
    PaymentReceived: "A repayment is used in the allocation order of the terms, and ahead of the schedule changes the "
    "instalments to come where the terms say so; without a disbursed loan in its currency it waits in suspense; after "
    "a charge-off or write-off it is a recovery.",
    PaymentReversed: "The loan is folded anew without the payment, and the difference is booked today.",
    BusinessDateClosed: "At the end of its due date an instalment falls due: its unpaid interest becomes receivable, "
    "interest paid ahead is used up; fees that the terms have it ask for become income. At the end of a reset date a "
    "loan takes the value of its reference rate with the spread, and the instalments to come are laid out anew.",
    ReferenceRatePublished: "A reference rate has a value from a date on; loans that follow it take it at their next "
    "reset. No loan is touched.",
    ParkedLoanReleased: "What fell due while the loan was parked is booked on the day of its release.",
    BookOpened: "The book opens on its first business date; no loan is touched.",
    DeadLetterRetried: "A record that could not be read is read again, or settled by another event.",
    PlanAgreed: "A plan of repayment is noted by collections; it changes neither what is owed nor when.",
    BankStatementTaken: "A bank statement is noted with what each of its lines is; payments and reversals that follow "
    "from lines are events of their own.",
    BankLineAssigned: "A person says what a line of a bank statement is; the payment that stood for it is taken back, "
    "and those that take its place count from the same date.",
    MandateSigned: "A mandate to debit the borrower's account is noted; it takes the place of an earlier one.",
    MandateRevoked: "A mandate is taken back: no run of direct debits uses it any more.",
    MandateResumed: "A mandate that a returned debit had suspended is used again; a person has looked at it.",
    DebitRunMade: "A file of direct debits is noted with what it asks for; no money has moved, and a payment comes "
    "with the bank's statement.",
    DebitRunVoided: "A run that was never sent is taken back: its instalments may stand in another.",
    DebitRejected: "The bank refused a direct debit before money moved; whether it is tried again follows from the "
    "code and the policy of the day.",
    PaymentFileMade: "A file asks the bank to pay disbursements out, which were booked when they were ordered.",
    PaymentFileVoided: "A file is not sent; its disbursements are free for another one.",
    PaymentStatusTaken: "What the bank says of a file is noted; a rejected disbursement is undone by an event of "
    "its own.",
    servicing.ChargeLevied: "A charge becomes receivable and income at once, and is asked for with the instalment that "
    "its due date falls into.",
    servicing.ChargeWaived: "What is unpaid of a charge is forgone: receivable and income are taken back; a fee of an "
    "instalment that has not fallen due stands in neither yet.",
    servicing.ChargeAdjusted: "What a charge was wrong by is taken back from its income and used as money of its own "
    "kind, in the allocation order of the terms.",
    servicing.CreditReceived: "A credit is used as money of its own kind, in the allocation order of the terms: a "
    "goodwill credit at the lender's expense, a refund as cash that came in, a refinancing from what a new loan lent.",
    servicing.PaymentChargedBack: "Money that the payer's bank took back goes out of what was paid too much first; the "
    "rest is owed again, as principal, from the day of the chargeback on.",
    servicing.CreditRefunded: "Money goes back to the borrower out of what was paid too much; what is beyond that is "
    "owed again, as principal.",
    servicing.LoanChargedOff: "The claim leaves the assets as a loss and its unpaid interest and charges leave income; "
    "no more interest is earned, and what still comes in is a recovery.",
    servicing.LoanWrittenOff: "The loan ends: what was not charged off before is a loss, and nothing is owed any more.",
    servicing.LoanRescheduled: "The instalments to come are laid out anew from the terms with the agreed changes; what "
    "was paid stays with its instalment, and the difference of the claims is booked.",
    servicing.LoanReAged: "All principal that is unpaid moves to new instalments on the agreed dates; the sum that is "
    "owed stays the same.",
    servicing.LoanReAmortised: "Principal that is past due is spread evenly over the instalments to come; the sum that "
    "is owed stays the same.",
    servicing.PrincipalPrepaid: "The money pays principal alone, and interest falls with it from its value date on: "
    "the instalments to come are laid out anew, smaller or fewer as agreed.",
    servicing.LoanAccelerated: "The lender calls the loan: all that is still to come falls due on the value date.",
    servicing.DelinquencyPaused: "The days of the pause do not count towards delinquency; nothing is booked.",
    servicing.DelinquencyResumed: "The pause that reaches the value date ends on it; nothing is booked.",
    LoanValued: "At a period end the loan is valued by the lender's policy, from the inputs that the event names: "
    "expected losses are an allowance, unpaid interest of a non-performing loan is in suspense, and upfront fees are "
    "deferred until the effective interest rate earns them. What the balances differ by from the valuation before is "
    "booked.",
    JournalEntryProposed: "A person proposed a manual entry; nothing is booked until another approves it.",
    JournalEntryApproved: "A second person approved a manual entry: its lines are booked as they are, on accounts that "
    "no state of a loan explains.",
    JournalEntryDeclined: "A second person declined a manual entry; nothing is booked.",
    PeriodClosed: "An accounting period is closed: what is booked from now on counts in a later one, and no manual "
    "entry may have a value date in it.",
    YearClosed: "A year is closed: what its accounts of income and expense ended with goes by way of income summary to "
    "retained earnings, on its last date. Income statements leave it out.",
    servicing.EventUndone: "The loan is folded anew as if the fact had never been, and the difference is booked today.",
}
"""The rule that an event of a type follows; see services/ledger/engine/postings.py for its postings."""
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
        if loan["loan"] < GENERAL_NUMBER:
            return found | {"rule": ACCRUAL}
        if loan["loan"] == GENERAL_NUMBER:
            return found | {"rule": RULES.get(type(event), "")}
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
        **legible("value", record.value),
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
    rates = await queries.rates_in(connection, partition)
    before, _ = fold(loan["loan"], loan["loan_id"], queries.facts_of_rows(known, rates), before=start)
    after, _ = fold(loan["loan"], loan["loan_id"], facts := queries.facts_of_rows(now, rates), before=end)
    rule = RULES.get(type(event), "")
    if isinstance(event, LoanValued):
        pass  # on its date it comes after everything else, and re-folds nothing but itself
    elif event.effectivedate is not None and 2 * event.effectivedate.toordinal() < before.last_key:
        rule += BACKDATED
    terms = next((fact.contract.terms for fact in facts if isinstance(fact, ContractFact)), None)
    return {
        "rule": rule,
        "terms": terms.model_dump(mode="json") if terms is not None else None,
        "before": queries.figures(before, start),
        "after": queries.figures(after, end),
    }
