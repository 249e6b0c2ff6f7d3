"""Tax in the price: a share of what a line books as income is owed to the state (see `Tax` in the terms).

It follows the journal line by line, whatever the accounting method made of it. So it is owed when a charge is charged,
when interest falls due (accrual-periodic) or the money is paid out (accrual-upfront), or when money comes in (cash),
and it goes back with a waiver, a credited charge, a reversal. Each line's share is rounded by itself, by the rounding
of the terms.
"""

from collections.abc import Iterable

from services.ledger.engine.account import FEE, INTEREST, PENALTY, LoanTax
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    DEFERRED_FEE_INCOME,
    FEE_INCOME,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    MIGRATION_CLEARING,
    PENALTY_INCOME,
    TAX_PAYABLE,
)
from services.ledger.engine.journal import Journal, JournalLine, post
from shared.events.terms import Terms
from shared.money import divide
from shared.schedules.accrual import exact_rate

_PARTS = {"interest": INTEREST, "fee": FEE, "penalty": PENALTY}
_INCOME = {
    INTEREST_INCOME: (INTEREST, INTEREST_INCOME),
    ACCRUED_INTEREST: (INTEREST, INTEREST_INCOME),  # a loan's own lines: interest that falls due, earned day by day
    FEE_INCOME: (FEE, FEE_INCOME),
    PENALTY_INCOME: (PENALTY, PENALTY_INCOME),
}
"""By role, the part of which it says that it is income, and the income that the tax reduces."""
_PUT_OFF = (DEFERRED_FEE_INCOME, INTEREST_IN_SUSPENSE, MIGRATION_CLEARING)
"""A valuation moves income in time, and the tax on it is owed all the same; what another system earned is none."""


def tax_of(terms: Terms) -> LoanTax | None:
    """What a loan's account keeps of the tax of its terms."""
    if terms.tax is None:
        return None
    rate, scale = exact_rate(terms.tax.rate)
    return LoanTax(rate, scale, sorted(_PARTS[part] for part in terms.tax.of), half_up=terms.rounding == "half-up")


def share(tax: LoanTax, amount: int) -> int:
    """The tax in an amount that includes it: amount x rate / (1 + rate)."""
    return divide(amount * tax.rate, tax.scale + tax.rate, "half-up" if tax.half_up else "half-even")


def without_tax(tax: LoanTax | None, part: int, amount: int) -> int:
    """What of an amount of a part is income."""
    return amount if tax is None or part not in tax.parts else amount - share(tax, amount)


def taxed(tax: LoanTax, lines: Iterable[JournalLine]) -> Journal:
    """The lines, each followed by the tax on it."""
    found: Journal = []
    for line in lines:
        found.append(line)
        if line.debit in _PUT_OFF or line.credit in _PUT_OFF:
            continue
        for role, sign in ((line.credit, 1), (line.debit, -1)):
            part, income = _INCOME.get(role, (None, 0))
            if part in tax.parts:
                post(found, income, TAX_PAYABLE, sign * share(tax, line.amount), line.currency, line.effective)
    return found
