"""Facts change a loan and make a journal: the rules of servicing, pure and in place (architecture, part 6).

A loan's life is the sequence of its facts and of its instalments falling due, ordered by key = 2 x value date, plus one
for a due date: on a due date payments come before the instalment falls due. A fact whose key is below the last one
folded is backdated: the loan is folded anew and the difference of the two journals is booked (D12).
"""

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from services.ledger.account import ACTIVE, CONTRACTED, SETTLED, UNKNOWN, Loan
from services.ledger.accounts import (
    ACCRUED_INTEREST,
    CASH,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    OVERPAYMENT,
    SUSPENSE,
    UNEARNED_INTEREST,
)
from services.ledger.allocation import allocate, open_instalments
from services.ledger.schedule import schedule
from shared.errors import InvariantBroken, Refusal
from shared.events.origination import Contract, Terms
from shared.money import currency, minor_units


class JournalLine(msgspec.Struct, frozen=True):
    """A debit and a credit of `amount` > 0 minor units, with its value date as an ordinal."""

    debit: int
    credit: int
    amount: int
    currency: int
    effective: int


Journal = list[JournalLine]


class ContractFact(msgspec.Struct, frozen=True):
    """The terms as they were agreed."""

    event_id: str
    contract: Contract


class DisbursementFact(msgspec.Struct, frozen=True):
    """Money out on the ordinal `effective`."""

    event_id: str
    effective: int
    amount: int
    currency: int


class PaymentFact(msgspec.Struct, frozen=True):
    """Money in on the ordinal `effective`; `offset` tells arrival order and names the payment in suspense."""

    event_id: str
    effective: int
    offset: int
    amount: int
    currency: int


Fact = ContractFact | DisbursementFact | PaymentFact


def in_minor_units(text: str, code: str) -> tuple[int, int]:
    """(minor units, currency number) of an amount on the topic; what cannot be booked breaks an invariant."""
    try:
        amount = minor_units(text, code)
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal
    if amount == 0:
        raise InvariantBroken("an amount of zero")
    return amount, currency(code).number


def key_of(fact: Fact) -> int:
    """Where a fact stands in the loan's life; a contract comes first whenever it arrives."""
    return 0 if isinstance(fact, ContractFact) else 2 * fact.effective


def apply(loan: Loan, fact: Fact, journal: Journal) -> None:
    """Fold one fact that is not backdated into the loan. Raises InvariantBroken before anything has changed."""
    match fact:
        case PaymentFact():
            _receive(loan, fact, journal)
        case ContractFact():
            _conclude(loan, fact.contract)
        case DisbursementFact():
            _disburse(loan, fact, journal)
    if (key := key_of(fact)) > loan.last_key:
        loan.last_key = key


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


def _terms(text: str) -> Terms:
    return _terms_of.get(text) or Terms.model_validate_json(text)


def _conclude(loan: Loan, contract: Contract) -> None:
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
    loan.allocation = terms.allocation
    loan.terms = _remember(terms)


def _disburse(loan: Loan, fact: DisbursementFact, journal: Journal) -> None:
    if loan.status == UNKNOWN:
        raise InvariantBroken("a disbursement without a contract")
    if loan.terms is None:
        raise InvariantBroken("a second disbursement")
    if (fact.amount, fact.currency) != (loan.principal, loan.currency):
        raise InvariantBroken("a disbursement that is not the contract's principal")
    try:
        plan = schedule(_terms(loan.terms), disbursed_on=date.fromordinal(fact.effective))
    except Refusal as refusal:
        raise InvariantBroken(refusal.detail) from refusal
    loan.status = ACTIVE
    loan.terms = None
    loan.start = fact.effective
    loan.due = [day.toordinal() for day in plan.due]
    loan.principal_due = list(plan.principal)
    loan.interest_due = list(plan.interest)
    loan.principal_outstanding = loan.principal
    open_instalments(loan)
    journal.append(JournalLine(LOANS_RECEIVABLE, CASH, fact.amount, fact.currency, fact.effective))
    waiting, loan.waiting = loan.waiting, []
    for held in waiting:
        _offset, _event_id, amount, number = held
        if number == loan.currency:
            _use(loan, amount, fact.effective, SUSPENSE, journal)
        else:
            loan.waiting.append(held)


def _receive(loan: Loan, fact: PaymentFact, journal: Journal) -> None:
    if loan.status in (UNKNOWN, CONTRACTED) or fact.currency != loan.currency:
        loan.waiting.append((fact.offset, fact.event_id, fact.amount, fact.currency))
        journal.append(JournalLine(CASH, SUSPENSE, fact.amount, fact.currency, fact.effective))
    else:
        _use(loan, fact.amount, fact.effective, CASH, journal)


def _use(loan: Loan, amount: int, day: int, source: int, journal: Journal) -> None:
    """Allocate money that came from the account `source`, and settle the loan when nothing is left to pay."""
    used = allocate(loan, amount, day)
    number, due = loan.currency, len(loan.due)
    if used.interest_due:
        journal.append(JournalLine(source, INTEREST_RECEIVABLE, used.interest_due, number, day))
    if used.interest_ahead:
        journal.append(JournalLine(source, UNEARNED_INTEREST, used.interest_ahead, number, day))
    if used.principal:
        journal.append(JournalLine(source, LOANS_RECEIVABLE, used.principal, number, day))
    if used.rest:
        loan.overpaid += used.rest
        journal.append(JournalLine(source, OVERPAYMENT, used.rest, number, day))
    if loan.principal_open >= due and loan.interest_open >= due:
        loan.status = SETTLED


def fall_due(loan: Loan, before: int, journal: Journal) -> bool:
    """Let every instalment due strictly before the ordinal `before` fall due. True if one did."""
    first = loan.fallen
    while loan.fallen < len(loan.due) and loan.due[loan.fallen] < before:
        k = loan.fallen
        day = loan.due[k]
        unpaid = loan.unpaid_interest(k)
        paid = loan.interest_due[k] - unpaid
        if paid:
            journal.append(JournalLine(UNEARNED_INTEREST, ACCRUED_INTEREST, paid, loan.currency, day))
        if unpaid:
            journal.append(JournalLine(INTEREST_RECEIVABLE, ACCRUED_INTEREST, unpaid, loan.currency, day))
        loan.fallen = k + 1
        if (key := 2 * day + 1) > loan.last_key:
            loan.last_key = key
    return loan.fallen > first


def backdated_due(loan: Loan, before: int) -> bool:
    """Whether an instalment that falls due before `before` comes earlier than something already folded."""
    due = loan.next_due()
    return due is not None and due < before and 2 * due + 1 < loan.last_key


def fold(number: int, loan_id: str, facts: Iterable[Fact], *, before: int) -> tuple[Loan, Journal]:
    """The loan and its whole journal from its facts in any order; instalments due before `before` have fallen due."""
    loan, journal = Loan(number, loan_id), Journal()
    for fact in sorted(facts, key=key_of):  # stable: facts of one date keep their order of arrival
        if not isinstance(fact, ContractFact):
            fall_due(loan, min(fact.effective, before), journal)
        apply(loan, fact, journal)
    fall_due(loan, before, journal)
    return loan, journal


def difference(new: Sequence[JournalLine], old: Sequence[JournalLine]) -> Journal:
    """The lines that turn the journal `old` into `new`, net per value date and pair of accounts; a line that is taken
    back is booked on opposite sides. In a fixed order."""
    net: dict[tuple[int, int, int, int], int] = {}
    for lines, sign in ((new, 1), (old, -1)):
        for line in lines:
            pair = (line.effective, line.debit, line.credit, line.currency)
            net[pair] = net.get(pair, 0) + sign * line.amount
    return [
        JournalLine(debit, credit, amount, number, effective)
        if amount > 0
        else JournalLine(credit, debit, -amount, number, effective)
        for (effective, debit, credit, number), amount in sorted(net.items())
        if amount
    ]
