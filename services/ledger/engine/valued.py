"""What a loan is worth at a period end: a valuation names the balances that three accounts are to have, and the
difference is booked. They stand while the claim is an asset, and are released when it ends.

A valuation touches no claim and passes no time, so that it is the same wherever in a loan's life it is heard of. On its
date it comes after everything else.
"""

from services.ledger.engine.account import ACTIVE, UNKNOWN, Loan, Valued
from services.ledger.engine.accounts import (
    DEFERRED_FEE_INCOME,
    FEE_INCOME,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    LOAN_LOSS_ALLOWANCE,
    PROVISION_EXPENSE,
)
from services.ledger.engine.facts import ValuationFact, key_of
from services.ledger.engine.journal import Journal, post
from shared.errors import InvariantBroken, Refusal
from shared.events.valuation import Valuation
from shared.money import currency, minor_units

_NOTHING = Valued(0, "")


def stands(loan: Loan) -> bool:
    """Whether the claim is an asset, so that it is valued."""
    return loan.status == ACTIVE and not loan.charged_off


def valued_in_place(loan: Loan, effective: int) -> bool:
    """Whether a valuation of that value date can be booked on the account as it is: nothing later has happened that may
    have ended the claim since, or valued it again."""
    return stands(loan) and 2 * effective + 1 >= loan.last_key


def value(loan: Loan, fact: ValuationFact, journal: Journal) -> None:
    """Bring the balances to what the valuation says. Of a loan that is not running on that date nothing is valued: it
    may have ended, or its disbursement been undone, since the figures were made. Raises InvariantBroken."""
    data = fact.data
    if loan.status == UNKNOWN:
        raise InvariantBroken("a valuation of a loan that nothing is known of")
    if data.period_end.toordinal() != fact.effective:
        raise InvariantBroken(f"a valuation of {data.period_end} with another value date")
    now = _targets(loan, data)
    if stands(loan):
        _book(loan, now, fact.effective, journal)
        loan.valued = now
        loan.last_key = max(loan.last_key, key_of(fact))


def release(loan: Loan, day: int, journal: Journal) -> None:
    """Let the balances go if the claim is no asset any more."""
    if loan.valued is not None and not stands(loan):
        _book(loan, _NOTHING, day, journal)
        loan.valued = None


def use_allowance(loan: Loan, loss: int, amount: int, day: int, journal: Journal) -> None:
    """A loss of `amount`, booked on the account `loss`, was provided for: the allowance bears it as far as it goes."""
    was = loan.valued
    if was is not None and (used := min(was.allowance, amount)):
        post(journal, LOAN_LOSS_ALLOWANCE, loss, used, loan.currency, day)
        left = was.allowance - used
        loan.valued = Valued(was.period_end, was.group, left, was.suspended_interest, was.deferred_fees)


def _targets(loan: Loan, data: Valuation) -> Valued:
    try:
        number = currency(data.currency).number
        texts = (data.allowance, data.suspended_interest, data.deferred_fees)
        amounts = [minor_units(text, data.currency) for text in texts]
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal
    if number != loan.currency:
        raise InvariantBroken("a valuation in another currency than the loan's")
    return Valued(data.period_end.toordinal(), data.group, *amounts)


def _book(loan: Loan, now: Valued, day: int, journal: Journal) -> None:
    was, number = loan.valued or _NOTHING, loan.currency
    post(journal, PROVISION_EXPENSE, LOAN_LOSS_ALLOWANCE, now.allowance - was.allowance, number, day)
    suspended = now.suspended_interest - was.suspended_interest
    post(journal, INTEREST_INCOME, INTEREST_IN_SUSPENSE, suspended, number, day)
    post(journal, FEE_INCOME, DEFERRED_FEE_INCOME, now.deferred_fees - was.deferred_fees, number, day)
