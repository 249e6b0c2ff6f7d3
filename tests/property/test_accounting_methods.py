"""Accounting methods, over random lives of a loan: the audit finds nothing, and all come to the same in the end."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings

from services.ledger.engine.account import ACTIVE, INTEREST, PENALTY, SETTLED
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    CASH,
    DEFERRED_FEE_INCOME,
    FEE_INCOME,
    FEES_FORGONE,
    FEES_RECEIVABLE,
    INTEREST_FORGONE,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    LOSSES_WRITTEN_OFF,
    PENALTIES_FORGONE,
    PENALTIES_RECEIVABLE,
    PENALTY_INCOME,
    SUSPENSE,
    TAX_PAYABLE,
    UNEARNED_INTEREST,
)
from services.ledger.engine.facts import ServicingFact
from services.ledger.engine.folding import fold
from services.ledger.engine.methods import METHODS
from services.ledger.engine.postings import RULES
from services.ledger.engine.statement import statement
from shared.events.servicing import ChargeCredit
from shared.money import decimal_text, minor_units
from tests.property.histories_of_servicing import CODE, LOAN, Life, Step, contracts, steps
from tests.property.test_engine import in_order, lived

CLAIMS = (LOANS_RECEIVABLE, INTEREST_RECEIVABLE, ACCRUED_INTEREST, UNEARNED_INTEREST, FEES_RECEIVABLE,
          PENALTIES_RECEIVABLE)  # fmt: skip
PLAIN = {
    "kind": "equal-instalment", "principal": "1000.00", "currency": CODE, "annual_rate": "0.12", "instalments": 3,
    "first_due_date": "2025-01-31",
}  # fmt: skip
INCOME = {
    "interest": (INTEREST_INCOME, INTEREST_FORGONE),
    "fees": (FEE_INCOME, FEES_FORGONE),
    "penalties": (PENALTY_INCOME, PENALTIES_FORGONE),
}


def balances(life: Life) -> Counter[int]:
    """Debits less credits of every account, loan and accrual groups together."""
    sums: Counter[int] = Counter()
    for posting in life.books.postings.values():
        sums[posting[6]] += posting[2]
        sums[posting[7]] -= posting[2]
    return sums


def income(life: Life) -> dict[str, int]:
    """Credits less debits of income, with what was forgone of it."""
    sums = balances(life)
    return {name: -sum(sums[account] for account in accounts) for name, accounts in INCOME.items()}


@pytest.mark.parametrize("method", ["accrual-upfront", "cash", "none"])
@settings(max_examples=30)
@given(terms=contracts(), todo=steps)
def test_books_are_in_order_by_every_method(method: str, terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms | {"accounting": method}, todo):
        in_order(life)
        assert not life.books.hosted.book.groups
        if method == "none":
            touched = {account for posting in life.books.postings.values() for account in posting[6:8]}
            assert touched <= {CASH, SUSPENSE}


@settings(max_examples=80)
@given(contracts(), steps)
def test_on_a_cash_basis_income_is_what_was_received(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms | {"accounting": "cash"}, todo):
        loan = life.loan
        if loan.charged_off or loan.status not in (ACTIVE, SETTLED):
            return
        paid = {"interest": sum(loan.asked[INTEREST]) - sum(loan.left[INTEREST]), "fees": 0, "penalties": 0}
        part_of = {}
        for charge in loan.charges:
            part_of[charge.event_id] = part = "penalties" if charge.part == PENALTY else "fees"
            paid[part] += charge.amount - charge.waived - charge.left
        for line in statement(LOAN, life.facts, before=life.day.toordinal()).transactions:
            if line.kind == "goodwill-credit":  # no money came in
                for name in paid:
                    paid[name] -= getattr(line, name)
        for fact in life.facts:
            if isinstance(fact, ServicingFact) and isinstance(fact.data, ChargeCredit):  # nor here
                paid[part_of[fact.data.charge_id]] -= minor_units(fact.data.amount, CODE)
        paid["fees"] -= loan.valued.deferred_fees if loan.valued else 0
        sums = balances(life)
        assert {name: -sums[accounts[0]] for name, accounts in INCOME.items()} == paid


def paid_off(terms: dict[str, Any], method: str, todo: Sequence[Step]) -> Life:
    """A life that ends with everything paid and due."""
    *_, life = lived(terms | {"accounting": method}, todo)
    assume(not life.broken and not life.loan.charged_off)
    for _ in range(3):
        loan = life.loan
        if unpaid := sum(loan.unpaid(k) for k in range(len(loan.due))):
            life.tell("ledger.PaymentReceived.v1", {"amount": decimal_text(unpaid, CODE), "currency": CODE}, life.day)
            life.close()
    life.finish()
    assume(life.loan.status == SETTLED)
    return life


@settings(max_examples=30)
@given(contracts(), steps)
def test_a_loan_that_is_paid_off_has_the_same_income_by_every_method(terms: dict[str, Any], todo: list[Step]) -> None:
    periodic, upfront, cash = (
        paid_off(terms, method, todo) for method in ("accrual-periodic", "accrual-upfront", "cash")
    )
    assert income(periodic) == income(upfront) == income(cash)
    for life in (periodic, upfront, cash):
        assert not any(balances(life)[account] for account in CLAIMS)
        assert sum(balances(life).values()) == 0


def test_on_a_cash_basis_what_is_forgone_or_written_off_never_was_income() -> None:
    life = Life(PLAIN | {"accounting": "cash"})
    charge = {"name": "late", "due": "2025-01-01", "currency": CODE}
    for part, amount in (("fee", "10.00"), ("penalty", "5.00")):
        assert life.tell("ledger.ChargeLevied.v1", charge | {"part": part, "amount": amount}, life.day)
    goodwill = {"kind": "goodwill-credit", "amount": "12.00", "currency": CODE}
    assert life.tell("ledger.CreditReceived.v1", goodwill, life.day)
    assert life.tell("ledger.PaymentReceived.v1", {"amount": "1.00", "currency": CODE}, life.day)
    assert +balances(life) == {LOANS_RECEIVABLE: 60_000}
    assert -balances(life) == {CASH: 59_900, FEE_INCOME: 100}
    life.finish()
    assert life.tell("ledger.LoanWrittenOff.v1", {"reason": "no more to come"}, life.day)
    assert +balances(life) == {LOSSES_WRITTEN_OFF: 60_000}
    assert -balances(life) == {CASH: 59_900, FEE_INCOME: 100}


def test_upfront_the_whole_interest_is_income_at_the_disbursement_and_less_of_it_after_a_lower_rate() -> None:
    life = Life(PLAIN | {"accounting": "accrual-upfront"})
    whole = sum(life.loan.asked[INTEREST])
    assert -balances(life)[INTEREST_INCOME] == balances(life)[INTEREST_RECEIVABLE] == whole > 0
    rate = {"change": "rate", "from_due": PLAIN["first_due_date"], "annual_rate": "0.06"}
    assert life.tell("ledger.LoanRescheduled.v1", {"changes": [rate], "reason": "agreed"}, life.day)
    less = sum(life.loan.asked[INTEREST])
    assert -balances(life)[INTEREST_INCOME] == balances(life)[INTEREST_RECEIVABLE] == less < whole


TAX = {"name": "vat", "rate": "0.06", "of": ["interest", "fee", "penalty"]}
OWN = {INTEREST_INCOME: INTEREST_INCOME, ACCRUED_INTEREST: INTEREST_INCOME, FEE_INCOME: FEE_INCOME,
       PENALTY_INCOME: PENALTY_INCOME}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=20)
@given(terms=contracts(), todo=steps)
def test_tax_payable_is_the_sum_of_the_rounded_shares_of_all_lines_of_income(
    method: str, terms: dict[str, Any], todo: list[Step]
) -> None:
    for life in lived(terms | {"accounting": method, "tax": TAX}, todo):
        in_order(life)
        last = life
    journal = fold(0, LOAN, last.facts, before=last.loan.folded_to or last.day.toordinal())[1]
    wanted = 0
    for line in journal:
        if TAX_PAYABLE in (line.debit, line.credit):
            assert (line.debit, line.credit) in {(rule.debit, rule.credit) for rule in RULES}
        elif not {DEFERRED_FEE_INCOME, INTEREST_IN_SUSPENSE} & {line.debit, line.credit}:  # a valuation moves no tax
            of = round(Fraction(line.amount * 6, 106))  # half to even, as the terms round
            wanted += of * ((line.credit in OWN) - (line.debit in OWN))
    assert -balances(last)[TAX_PAYABLE] == wanted


def test_the_tax_in_a_fee_is_owed_when_it_is_charged_and_goes_with_its_waiver() -> None:
    for method, owed in (("accrual-periodic", 60), ("cash", 0)):
        life = Life(PLAIN | {"accounting": method, "tax": TAX | {"of": ["fee"]}})
        fee = {"name": "late", "due": "2025-01-01", "currency": CODE, "part": "fee", "amount": "10.60"}
        charge = life.next_id
        assert life.tell("ledger.ChargeLevied.v1", fee, life.day)
        assert -balances(life)[TAX_PAYABLE] == owed
        assert life.tell("ledger.ChargeWaived.v1", {"charge_id": charge, "reason": "kind"}, life.day)
        assert balances(life)[TAX_PAYABLE] == balances(life)[FEE_INCOME] == 0
        assert life.tell("ledger.ChargeLevied.v1", fee, life.day)
        assert life.tell("ledger.PaymentReceived.v1", {"amount": "10.60", "currency": CODE}, life.day)
        assert (-balances(life)[TAX_PAYABLE], -balances(life)[FEE_INCOME]) == (60, 1000)
