"""Accounting methods: the accrual journal, seen more coarsely.

The engine books by one set of rules (see accounts). A method other than the default looks at its lines through a map
of accounts: lines between accounts that the method does not tell apart are none.

- `accrual-periodic`: as they are. Interest is earned day by day, in the accrual groups.
- `cash`: what is owed beside principal is no asset, so receivable, accrued, unearned, suspended, charged off and
  forgone interest are interest income, and fees and penalties likewise. Income is what comes in.
- `accrual-upfront`: a loan's whole interest is receivable, and income, once the money is paid out; when the instalments
  change, so much more or less of it (`recognise`). Nothing is accrued or unearned.
- `none`: nothing is booked of a loan, but money that waits in suspense is, as nobody knows yet whose it is.

Loans of all but the first stay out of the accrual groups.
"""

from collections.abc import Iterable, Mapping

from services.ledger.engine import accounts as a
from services.ledger.engine.account import INTEREST, Loan
from services.ledger.engine.journal import Journal, JournalLine, post
from services.ledger.engine.tax import taxed

PERIODIC, CASH_BASIS, UPFRONT, NONE = range(4)
METHODS = {"accrual-periodic": PERIODIC, "cash": CASH_BASIS, "accrual-upfront": UPFRONT, "none": NONE}
_CASH_INCOME = {
    a.INTEREST_INCOME: (a.INTEREST_RECEIVABLE, a.ACCRUED_INTEREST, a.UNEARNED_INTEREST, a.INTEREST_CHARGED_OFF,
                        a.INTEREST_FORGONE, a.INTEREST_IN_SUSPENSE),
    a.FEE_INCOME: (a.FEES_RECEIVABLE, a.UNEARNED_FEES, a.FEES_CHARGED_OFF, a.FEES_FORGONE),
    a.PENALTY_INCOME: (a.PENALTIES_RECEIVABLE, a.PENALTIES_CHARGED_OFF, a.PENALTIES_FORGONE),
}  # fmt: skip
SEEN_AS: Mapping[int, Mapping[int, int]] = {
    PERIODIC: {},
    CASH_BASIS: {account: income for income, merged in _CASH_INCOME.items() for account in merged},
    UPFRONT: dict.fromkeys((a.ACCRUED_INTEREST, a.UNEARNED_INTEREST), a.INTEREST_RECEIVABLE),
    NONE: {account: a.CASH for account in a.NAMES if account != a.SUSPENSE},
}
"""By method, the account that each account is seen as; itself where it is not named."""


def seen(method: int, lines: Iterable[JournalLine]) -> Journal:
    """The lines as a method books them."""
    names = SEEN_AS[method]
    found: Journal = []
    for line in lines:
        debit, credit = names.get(line.debit, line.debit), names.get(line.credit, line.credit)
        if debit != credit:
            found.append(JournalLine(debit, credit, line.amount, line.currency, line.effective))
    return found


def in_books(loan: Loan, lines: Journal) -> Journal:
    """Lines of the loan as they are booked: by its accounting method, with the tax on them."""
    if loan.accounting:
        lines = seen(loan.accounting, lines)
    return lines if loan.tax is None else taxed(loan.tax, lines)


def recognise(loan: Loan, recognised: int, day: int, journal: Journal) -> int:
    """Under accrual-upfront, bring income up (or down) to all interest that the instalments earn; returns it."""
    if loan.accounting != UPFRONT or not loan.asked:
        return 0
    interest = loan.asked[INTEREST]
    whole = sum(interest if loan.earns_until < 0 else interest[: loan.earns_until])
    post(journal, a.INTEREST_RECEIVABLE, a.INTEREST_INCOME, whole - recognised, loan.currency, day)
    return whole
