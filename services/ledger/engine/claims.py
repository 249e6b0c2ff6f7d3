"""What the lender is owed goes through the books: money comes in, instalments fall due (see the table in postings)."""

from services.ledger.engine.account import ACTIVE, INTEREST, SETTLED, WRITTEN_OFF, Loan
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    FEES_RECEIVABLE,
    FROM_OVERPAYMENT,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    OVERPAYMENT,
    PENALTIES_RECEIVABLE,
    RECOVERED,
    RECOVERIES,
    UNEARNED_FEES,
    UNEARNED_INTEREST,
    Recovered,
    Source,
)
from services.ledger.engine.allocation import PAYMENT, Allocation, Uses, allocate
from services.ledger.engine.instalment_fees import earn, lapse, lapsing
from services.ledger.engine.journal import Journal, JournalLine, post


def receive(
    loan: Loan,
    amount: int,
    day: int,
    source: Source,
    journal: Journal,
    kind: str = PAYMENT,
    uses: Uses | None = None,
    recovered: Recovered = RECOVERED,
) -> Allocation:
    """Use money that comes from `source`; settle the loan when nothing is left to pay. `recovered`: what it is credited
    to where the loan is charged off."""
    if loan.status == WRITTEN_OFF:
        journal.append(JournalLine(source.principal, RECOVERIES, amount, loan.currency, day))
        return _NOTHING
    used = allocate(loan, amount, day, kind, uses)
    number = loan.currency
    if loan.charged_off:
        _recover(used, source, recovered, number, day, journal)
    else:
        _book(used, source, number, day, journal)
    if used.rest:
        loan.overpaid += used.rest
        if source is not FROM_OVERPAYMENT:
            journal.append(JournalLine(source.rest, OVERPAYMENT, used.rest, number, day))
    if loan.first_open >= len(loan.due):
        loan.status = SETTLED
    return used


def _book(used: Allocation, source: Source, number: int, day: int, journal: Journal) -> None:
    if used.penalty:
        journal.append(JournalLine(source.penalty, PENALTIES_RECEIVABLE, used.penalty, number, day))
    if used.fee:
        journal.append(JournalLine(source.fee, FEES_RECEIVABLE, used.fee, number, day))
    if used.fee_ahead:
        journal.append(JournalLine(source.fee, UNEARNED_FEES, used.fee_ahead, number, day))
    if used.interest_due:
        journal.append(JournalLine(source.interest, INTEREST_RECEIVABLE, used.interest_due, number, day))
    if used.interest_ahead:
        journal.append(JournalLine(source.interest, UNEARNED_INTEREST, used.interest_ahead, number, day))
    if used.principal:
        journal.append(JournalLine(source.principal, LOANS_RECEIVABLE, used.principal, number, day))


_NOTHING = Allocation(0, 0, 0, 0, 0, 0)


def _recover(used: Allocation, source: Source, to: Recovered, currency: int, day: int, journal: Journal) -> None:
    """Money pays a loan that is charged off: one line for each pair of accounts."""
    sums: dict[tuple[int, int], int] = {}
    paid = (used.penalty, used.fees, used.interest, used.principal)
    for debit, credit, amount in zip(source[:4], to, paid, strict=True):
        sums[debit, credit] = sums.get((debit, credit), 0) + amount
    for (debit, credit), amount in sums.items():
        post(journal, debit, credit, amount, currency, day)


def pay(loan: Loan, amount: int, day: int, source: Source, journal: Journal) -> None:
    """Money comes in for a loan that is paid in place: `receive`, after the fees that lapse with it are gone."""
    if loan.charges and (charges := lapsing(loan, amount, day)):
        lapse(loan, charges, day, journal)
        use_credit(loan, day, journal, None)
    receive(loan, amount, day, source, journal)


def use_credit(loan: Loan, day: int, journal: Journal, uses: Uses | None) -> Allocation:
    """Money paid too much pays what is newly owed, at once."""
    if not loan.overpaid or loan.first_open >= len(loan.due):
        return _NOTHING
    amount, loan.overpaid = loan.overpaid, 0
    return receive(loan, amount, day, FROM_OVERPAYMENT, journal, uses=uses)


def owe(loan: Loan, k: int) -> None:
    """Instalment k asks for something again: look at it again, and the loan is no longer settled."""
    loan.first_open = min(loan.first_open, k)
    if loan.status == SETTLED:
        loan.status = ACTIVE


def fall_due(loan: Loan, before: int, journal: Journal) -> bool:
    """Let every instalment due strictly before the ordinal `before` fall due. True if one did. Only accrual-periodic
    accounting tells interest that has fallen due from interest that has not."""
    first = loan.fallen
    while loan.fallen < len(loan.due) and loan.due[loan.fallen] < before:
        k = loan.fallen
        day = loan.due[k]
        interest = loan.asked[INTEREST][k]
        if interest and loan.earns(k) and not loan.accounting:
            unpaid = loan.left[INTEREST][k]
            if paid := interest - unpaid:
                journal.append(JournalLine(UNEARNED_INTEREST, ACCRUED_INTEREST, paid, loan.currency, day))
            if unpaid:
                journal.append(JournalLine(INTEREST_RECEIVABLE, ACCRUED_INTEREST, unpaid, loan.currency, day))
        if loan.charges and loan.earns(k):
            earn(loan, k, journal)
        loan.fallen = k + 1
        if (key := 2 * day + 1) > loan.last_key:
            loan.last_key = key
    return loan.fallen > first


def backdated_due(loan: Loan, before: int) -> bool:
    """Whether an instalment that falls due before `before` comes earlier than something already folded."""
    due = loan.next_due()
    return due is not None and due < before and 2 * due + 1 < loan.last_key
