"""Facts become an account: in place, one by one, where nothing but money moves; anew from the first fact where one is
backdated, taken back, or changes the loan itself (D12).

A loan's life is the sequence of its facts and of its instalments falling due, ordered by key = 2 x value date, plus one
for a due date: on a due date payments come before the instalment falls due. A fact whose key is below the last one
folded is backdated: the loan is folded anew and the difference of the two journals is booked.
"""

from collections.abc import Sequence

from services.ledger.engine import resets
from services.ledger.engine.account import CONTRACTED, UNKNOWN, Loan
from services.ledger.engine.accounts import CASH, FROM_CASH, FROM_SUSPENSE, SUSPENSE
from services.ledger.engine.claims import fall_due, pay
from services.ledger.engine.facts import (
    ContractFact,
    DisbursementFact,
    Fact,
    PaymentFact,
    ServicingFact,
    ValuationFact,
    key_of,
)
from services.ledger.engine.journal import Journal, JournalLine
from services.ledger.engine.methods import in_books
from services.ledger.engine.opening import conclude, disburse, no_longer_waiting, terms_of
from services.ledger.engine.servicing import Servicing
from services.ledger.engine.valued import release, value, valued_in_place
from shared.errors import InvariantBroken
from shared.events.servicing import ChargeOff
from shared.events.terms import Terms


def in_place(loan: Loan, fact: Fact) -> bool:
    """Whether the fact can be applied to the account as it is: the contract, the first money out without fees, money
    that comes in, a valuation; none of them backdated, and where neither interest nor penalties follow what is
    outstanding (which no valuation depends on)."""
    match fact:
        case ContractFact():
            return True
        case PaymentFact():
            return 2 * fact.effective >= loan.last_key and not (loan.refolds and loan.must_refold(fact.effective))
        case DisbursementFact():
            return begins_in_place(loan) and 2 * fact.effective >= loan.last_key
        case ValuationFact():
            return valued_in_place(loan, fact.effective)
        case _:
            return False


def begins_in_place(loan: Loan) -> bool:
    """Whether a disbursement is the loan's first, nothing is withheld of it, and no reset of the rate may follow it
    already."""
    if loan.status == CONTRACTED:
        return loan.floating is None and not terms_of(loan).upfront_fees
    return loan.status == UNKNOWN


def apply(loan: Loan, fact: Fact, journal: Journal) -> None:
    """Fold one fact that `in_place` allows into the account, its lines into a `journal` that is empty. Raises
    InvariantBroken before anything has changed."""
    match fact:
        case PaymentFact():
            if loan.status in (UNKNOWN, CONTRACTED) or fact.currency != loan.currency:
                loan.waiting.append((fact.offset, fact.event_id, fact.amount, fact.currency))
                journal.append(JournalLine(CASH, SUSPENSE, fact.amount, fact.currency, fact.effective))
            else:
                pay(loan, fact.amount, fact.effective, FROM_CASH, journal)
                if loan.valued is not None:
                    release(loan, fact.effective, journal)
        case ContractFact():
            conclude(loan, fact.contract)
        case DisbursementFact():
            disburse(loan, fact, journal)
            for _offset, _event_id, amount, _currency in no_longer_waiting(loan):
                pay(loan, amount, fact.effective, FROM_SUSPENSE, journal)
        case ValuationFact():
            value(loan, fact, journal)
        case _:
            raise AssertionError("in_place was not asked")
    if loan.accounting or loan.tax is not None:
        journal[:] = in_books(loan, journal)
    if (key := key_of(fact)) > loan.last_key:
        loan.last_key = key


def in_order(facts: Sequence[Fact]) -> list[Fact]:
    """The facts, given in order of arrival, in order of value date; those of one date keep their order of arrival.

    A charge-off must be the last thing that its loan has seen when it arrives: it makes recoveries of all that comes
    after it, and must not do so behind the back of money that was used already. (A valuation uses none.)
    """
    latest = 0
    for fact in facts:
        key = key_of(fact)
        if key < latest and isinstance(fact, ServicingFact) and isinstance(fact.data, ChargeOff):
            raise InvariantBroken("a charge-off of a value date before something that is booked already")
        if not isinstance(fact, ValuationFact):
            latest = max(latest, key)
    return sorted(facts, key=key_of)


def service(number: int, loan_id: str, facts: Sequence[Fact], *, before: int) -> Servicing:
    """Fold all facts, given in order of arrival, up to the ordinal `before`: instalments due before it have fallen due,
    and facts of later value dates are folded too."""
    servicing = Servicing(number, loan_id)
    for fact in in_order(facts):
        _fold_next(servicing, fact, before)
    servicing.pass_time(before)
    servicing.journal = in_books(servicing.loan, servicing.journal)
    if servicing.loan.floating is not None:
        servicing.loan.floating.next_reset = resets.coming(servicing)
    return servicing


def _fold_next(servicing: Servicing, fact: Fact, before: int) -> int:
    """Let time pass up to the fact, and fold it. Returns how long the journal was when the fact came."""
    if not isinstance(fact, ContractFact | ValuationFact):
        servicing.pass_time(min(fact.effective, before))
    length = len(servicing.journal)
    servicing.fold(fact)
    return length


def booked_by(loan_id: str, facts: Sequence[Fact], *, before: int) -> dict[str, Journal]:
    """What each fact books by itself, by event id, where all facts are folded in order of value date."""
    servicing = Servicing(0, loan_id)
    found: dict[str, Journal] = {}
    for fact in in_order(facts):
        length = _fold_next(servicing, fact, before)
        found[fact.event_id] = in_books(servicing.loan, servicing.journal[length:])
    return found


def fold(number: int, loan_id: str, facts: Sequence[Fact], *, before: int) -> tuple[Loan, Journal]:
    """The loan and its whole journal from its facts in order of arrival; what is due before `before` has fallen due."""
    if (quickly := _fold_in_place(number, loan_id, facts, before)) is not None:
        return quickly
    servicing = service(number, loan_id, facts, before=before)
    if servicing.loan.refolds:
        servicing.loan.folded_to = before
    return servicing.loan, servicing.journal


def _fold_in_place(number: int, loan_id: str, facts: Sequence[Fact], before: int) -> tuple[Loan, Journal] | None:
    """The same of a loan that only ever saw money, and whose instalments are those of its terms: fact by fact into the
    account, as they came. None of any other."""
    loan = Loan(number, loan_id)
    journal: Journal = []
    for fact in sorted(facts, key=key_of):
        if type(fact) is PaymentFact:
            fall_due(loan, min(fact.effective, before), journal)
        elif type(fact) is DisbursementFact:
            if not begins_in_place(loan):
                return None
        elif type(fact) is not ContractFact or _has_more_to_it(fact.contract.terms):
            return None
        lines: Journal = []
        apply(loan, fact, lines)
        journal += lines
    fall_due(loan, before, journal)
    return loan, journal


def _has_more_to_it(terms: Terms) -> bool:
    """Whether an account of these terms is more than its instalments and what is left of them."""
    return bool(
        terms.penalty
        or terms.recalculation
        or terms.reference
        or terms.tax
        or terms.instalment_fees
        or terms.upfront_fees
        or terms.accounting != "accrual-periodic"
    )
