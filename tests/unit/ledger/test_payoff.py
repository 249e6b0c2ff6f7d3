"""A payoff ends the loan, also one that was paid too much and lent more after it: what was too much pays that first."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.ledger.engine.account import ACTIVE, INTEREST, SETTLED
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact
from services.ledger.engine.folding import fold
from services.ledger.engine.payoff import payoff
from shared.events.origination import Contract
from shared.events.terms import Recalculation, Terms
from shared.money import currency

CODE = "CZK"
NUMBER = currency(CODE).number
START = date(2025, 1, 1)
KEEP = {"schedule": "progressive", "recalculation": Recalculation(effect="keep-instalment")}


def of_terms(*, first: int, **more: Any) -> Fact:
    given: dict[str, Any] = {
        "kind": "equal-instalment", "instalments": 1, "annual_rate": "0.365", "day_count": "equal-periods",
        "unit": "day", "every": 5, "recalculation": Recalculation(),
    }  # fmt: skip
    due = START + timedelta(days=first)
    terms = Terms(principal="1000.00", currency=CODE, first_due_date=due, **(given | more))
    return ContractFact("contract", Contract(borrower_id="B1", product="p@1", terms=terms))


def lent(day: int, amount: int) -> Fact:
    return DisbursementFact(f"lent-{day}", START.toordinal() + day, amount, NUMBER)


def paid(day: int, amount: int) -> Fact:
    return PaymentFact(f"paid-{day}", START.toordinal() + day, day, amount, NUMBER)


def ends_with_its_payoff(facts: list[Fact], day: int) -> None:
    on = START.toordinal() + day
    owed = payoff("L1", facts, on=on).total
    for amount, status in ((owed, SETTLED), (owed - 1, ACTIVE)):
        loan, _ = fold(0, "L1", [*facts, PaymentFact("payoff", on, 99, amount, NUMBER)], before=on + 1)
        assert loan.status == status
        assert loan.overpaid == 0


@pytest.mark.parametrize(
    ("terms", "facts", "day"),
    [
        (of_terms(first=11), [lent(0, 60_000), paid(0, 60_053), lent(1, 80)], 1),
        (
            of_terms(first=2, annual_rate="0.049", recalculation=Recalculation(payoff_until="due-date")),
            [lent(0, 60_000), paid(0, 60_016), lent(1, 3_760)],
            1,
        ),
        (of_terms(first=22, annual_rate="0.049", **KEEP), [lent(0, 60_000), paid(0, 60_180), lent(1, 200)], 1),
        (
            of_terms(first=1, annual_rate="0.049", instalments=3, **KEEP),
            [lent(0, 60_000), paid(0, 72_750), lent(4, 13_480)],
            4,
        ),
        (
            of_terms(first=15, kind="interest-only", instalments=4, **KEEP),
            [lent(0, 60_000), paid(0, 61_788), lent(1, 22_720)],
            1,
        ),
    ],
)
def test_a_payoff_ends_a_loan_that_was_lent_more_after_it_was_paid_too_much(
    terms: Fact, facts: list[Fact], day: int
) -> None:
    ends_with_its_payoff([terms, *facts], day)


@pytest.mark.parametrize("again", [1, 6])
def test_what_was_paid_too_much_bears_no_interest_when_more_is_lent(again: int) -> None:
    terms = of_terms(first=3, instalments=3)
    on = START.toordinal() + again
    whole, _ = fold(0, "L1", [terms, lent(0, 60_000), paid(0, 70_000), lent(again, 20_000)], before=on)
    part, _ = fold(0, "L1", [terms, lent(0, 60_000), paid(0, 60_000), lent(again, 10_000)], before=on)
    assert whole.asked[INTEREST] == part.asked[INTEREST]
    assert sum(map(sum, whole.left)) == sum(map(sum, part.left))
