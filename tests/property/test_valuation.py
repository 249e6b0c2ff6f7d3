"""Laws of valuation, whatever happens to a loan between two period ends."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.ledger.engine.account import ACTIVE
from services.ledger.engine.accounts import (
    DEFERRED_FEE_INCOME,
    FEE_INCOME,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    LOAN_LOSS_ALLOWANCE,
    PROVISION_EXPENSE,
)
from services.ledger.engine.valued import stands
from services.ledger.valuation.measuring import measure
from services.ledger.valuation.policy import policies, policy_on
from shared.events.valuation import Valuation
from shared.money import minor_units
from tests.property.histories_of_servicing import CODE, FIRST, LOAN, Life, Step, contracts, steps
from tests.property.test_engine import in_order, lived

ALL_THREE = (LOAN_LOSS_ALLOWANCE, INTEREST_IN_SUSPENSE, DEFERRED_FEE_INCOME)
names = st.sampled_from(sorted(policies()))


def balances(life: Life, effective: date = date.max) -> Counter[int]:
    """Credits less debits of each account of the loan, of value dates up to `effective`."""
    found: Counter[int] = Counter()
    for (number, _, _), row in life.books.postings.items():
        if number >= 0 and row[3] <= effective:
            found[row[7]] += row[2]
            found[row[6]] -= row[2]
    return found


def targets(found: Valuation) -> list[int]:
    """What the three balances are to be."""
    return [minor_units(text, CODE) for text in (found.allowance, found.suspended_interest, found.deferred_fees)]


def value(life: Life, name: str) -> Valuation | None:
    """Value the loan as the run does, at the end of the last closed date; None where nothing is to be valued."""
    end = life.day - timedelta(days=1)
    _, found = measure(LOAN, life.facts, end.toordinal(), policy_on(name, end))
    if found is not None:
        assert life.tell("ledger.LoanValued.v1", found.model_dump(mode="json", exclude_none=True), end)
    return found


@settings(max_examples=50)
@given(contracts(), steps, names)
def test_after_a_valuation_the_balances_are_what_it_says_whatever_came_before(
    terms: dict[str, Any], todo: list[Step], name: str
) -> None:
    for life in lived(terms | {"upfront_fees": [{"name": "fee", "share": "0.05"}]}, todo):
        if life.day == FIRST:
            continue
        end = life.day - timedelta(days=1)
        if (found := value(life, name)) is not None:
            now = balances(life, end)
            assert [now[account] for account in ALL_THREE] == targets(found)
            again = measure(LOAN, life.facts, end.toordinal(), policy_on(name, end))[1]
            assert again == found  # valuing twice finds nothing new
        in_order(life)
        if not stands(life.loan):
            assert not any(balances(life)[account] for account in ALL_THREE)


@settings(max_examples=40)
@given(contracts(), st.integers(1, 40), st.integers(1, 30), names)
def test_over_a_life_that_ends_paid_all_that_was_set_aside_and_deferred_is_income_again(
    terms: dict[str, Any], gap: int, late: int, name: str
) -> None:
    life = Life(terms | {"upfront_fees": [{"name": "fee", "share": "0.05", "amount": "1.00"}], "instalment_fees": []})
    assume(not life.broken)
    for _ in range(30):
        for _ in range(gap):
            life.close()
        value(life, name)
        if life.loan.fallen == len(life.loan.due):
            break
    for _ in range(late):
        life.close()
    life.tell("ledger.PaymentReceived.v1", {"amount": "5000.00", "currency": CODE}, life.day)
    assert life.loan.status != ACTIVE
    in_order(life)
    found = balances(life)
    assert [found[account] for account in ALL_THREE] == [0, 0, 0]
    fees = 31_00
    assert (found[FEE_INCOME], found[PROVISION_EXPENSE], found[INTEREST_INCOME]) == (fees, 0, 0)


@settings(max_examples=50)
@given(contracts(), steps, names)
def test_figures_are_within_what_is_owed(terms: dict[str, Any], todo: list[Step], name: str) -> None:
    for life in lived(terms | {"upfront_fees": [{"name": "fee", "share": "0.05"}]}, todo):
        end = life.day.toordinal()
        loan, found = measure(LOAN, life.facts, end, policy_on(name, life.day))
        if found is None:
            continue
        allowance, suspended, deferred = targets(found)
        exposure, interest, upfront = (
            minor_units(text, CODE)
            for text in (found.inputs.exposure, found.inputs.unpaid_interest, found.inputs.upfront_fees)
        )
        assert 0 <= allowance <= exposure
        assert 0 <= suspended <= interest <= sum(loan.left[2])
        assert 0 <= deferred <= upfront
