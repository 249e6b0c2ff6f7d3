"""A loan begins: the contract, and the first money out, which makes a schedule of its terms."""

from datetime import date

from services.ledger.engine.account import ACTIVE, ALWAYS, CONTRACTED, NEVER, UNKNOWN, WHEN_OVERDUE, Floating, Loan
from services.ledger.engine.accounts import CASH, LOANS_RECEIVABLE, REFINANCING_CLEARING
from services.ledger.engine.facts import DisbursementFact
from services.ledger.engine.instalment_fees import AgreedFee, begin, fees_of
from services.ledger.engine.journal import Journal, post
from services.ledger.engine.methods import METHODS, recognise
from services.ledger.engine.tax import tax_of
from shared.errors import InvariantBroken, Refusal
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.money import currency, divide, minor_units
from shared.schedules import PaidOut, Schedule, schedule
from shared.schedules.accrual import exact_rate

_TERMS_MAX = 4096
_terms_of: dict[str, Terms] = {}
"""Terms by their text: mostly the disbursement follows soon upon the contract, and need not read them again."""


def _remember(terms: Terms) -> str:
    """The text of the terms."""
    if len(_terms_of) >= _TERMS_MAX:
        _terms_of.clear()
    text = terms.model_dump_json()
    _terms_of[text] = terms
    return text


def terms_of(loan: Loan) -> Terms:
    """The terms of a loan that is not disbursed yet."""
    assert loan.terms is not None
    return _terms_of.get(loan.terms) or Terms.model_validate_json(loan.terms)


def in_minor_units(text: str, code: str) -> tuple[int, int]:
    """(minor units, currency number) of an amount on the topic; what cannot be booked breaks an invariant."""
    try:
        amount = minor_units(text, code)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal
    if amount == 0:
        raise InvariantBroken("an amount of zero")
    return amount, currency(code).number


def conclude(loan: Loan, contract: Contract) -> None:
    """The contract's terms become the loan's."""
    if loan.status != UNKNOWN:
        raise InvariantBroken("a second contract for the loan")
    terms = contract.terms
    principal, number = in_minor_units(terms.principal, terms.currency)
    try:
        materiality = minor_units(terms.arrears_materiality, terms.currency)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal
    loan.status = CONTRACTED
    loan.borrower_id = contract.borrower_id
    loan.currency = number
    loan.principal = principal
    loan.materiality = materiality
    order = terms.allocation
    loan.order = order if isinstance(order, str) else order.model_dump_json()
    loan.refolds = ALWAYS if terms.recalculation is not None else WHEN_OVERDUE if terms.penalty is not None else NEVER
    loan.terms = _remember(terms)
    loan.accounting = METHODS[terms.accounting]
    loan.tax = tax_of(terms)
    if terms.reference is not None:
        loan.floating = Floating(terms.reference.model_dump_json(), terms.annual_rate)


def most_that_can_be_lent(terms: Terms, principal: int) -> int:
    """The contract's amount and the share by which disbursements may exceed it, in minor units."""
    share, scale = exact_rate(terms.over_applied)
    return principal + divide(principal * share, scale, terms.rounding)


def check_lent(terms: Terms, principal: int, lent: int) -> None:
    """Money out must not exceed what was agreed."""
    if lent > most_that_can_be_lent(terms, principal):
        raise InvariantBroken("a disbursement above the amount of the contract")


def planned(terms: Terms, paid_out: list[PaidOut]) -> Schedule:
    """The schedule of what was paid out; terms that give none break an invariant."""
    try:
        return schedule(terms, paid_out)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal


def disburse(loan: Loan, fact: DisbursementFact, journal: Journal) -> list[AgreedFee]:
    """The first money out makes the instalments. Returns the fees that they ask for."""
    if loan.status == UNKNOWN:
        raise InvariantBroken("a disbursement without a contract")
    if fact.currency != loan.currency:
        raise InvariantBroken("a disbursement in another currency than the contract's")
    terms = terms_of(loan)
    check_lent(terms, loan.principal, fact.amount)
    check_settled(fact)
    plan = planned(terms, [PaidOut(date.fromordinal(fact.effective), fact.amount)])
    loan.status = ACTIVE
    loan.terms = None
    loan.start = fact.effective
    lay_out(loan, plan)
    fees = fees_of(terms, plan, fact.event_id) if terms.instalment_fees else []
    begin(loan, fees)
    book_money_out(fact, journal)
    if loan.accounting:
        recognise(loan, 0, fact.effective, journal)
    return fees


def check_settled(fact: DisbursementFact) -> None:
    """A loan pays off another one out of what is lent."""
    if fact.settles > fact.amount:
        raise InvariantBroken("a disbursement that pays off another loan by more than is paid out")


def book_money_out(fact: DisbursementFact, journal: Journal) -> None:
    """What is lent is owed; it goes out in cash, but for what pays off another loan."""
    post(journal, LOANS_RECEIVABLE, CASH, fact.amount - fact.settles, fact.currency, fact.effective)
    post(journal, LOANS_RECEIVABLE, REFINANCING_CLEARING, fact.settles, fact.currency, fact.effective)


def lay_out(loan: Loan, plan: Schedule) -> None:
    """The instalments of a schedule become the loan's, with nothing paid."""
    instalments = plan.instalments
    nothing = [0] * len(instalments)
    interest = [one.interest for one in instalments]
    principal = [one.principal for one in instalments]
    loan.due = [one.due.toordinal() for one in instalments]
    loan.down_payments = [k for k, one in enumerate(instalments) if one.down_payment]
    loan.asked = [nothing, nothing[:], interest, principal]
    loan.left = [column[:] for column in loan.asked]
    loan.principal_outstanding = sum(principal)
    while not (principal[loan.first_open] or interest[loan.first_open]):
        loan.first_open += 1


def no_longer_waiting(loan: Loan) -> list[tuple[int, str, int, int]]:
    """Take the payments out of suspense that a disbursement lets be used: those in the loan's currency."""
    waiting, loan.waiting = loan.waiting, []
    loan.waiting = [held for held in waiting if held[3] != loan.currency]
    return [held for held in waiting if held[3] == loan.currency]
