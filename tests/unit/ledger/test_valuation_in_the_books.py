"""What a valuation books, and what becomes of it: the next one, late facts, an end, an undoing."""

from collections.abc import Iterable
from datetime import date

import pytest

from services.ledger.engine.accounts import NAMES
from services.ledger.engine.facts import Fact, ServicingFact, ValuationFact
from services.ledger.engine.folding import apply, fold, in_place
from services.ledger.engine.journal import Journal
from shared.errors import InvariantBroken
from shared.events.servicing import ChargeOff, WriteOff
from shared.events.valuation import Valuation
from tests.property.histories_of_servicing import valuation
from tests.unit.ledger.test_valuation import loan, paid

JANUARY, FEBRUARY = date(2025, 1, 31), date(2025, 2, 28)
TODAY = date(2025, 3, 10).toordinal()


def valued(end: date, allowance: int, suspended: int = 0, deferred: int = 0, currency: str = "USD") -> ValuationFact:
    data = valuation(end, allowance, suspended, deferred) | {"currency": currency}
    return ValuationFact(f"v-{end}", end.toordinal(), Valuation.model_validate(data))


def booked(facts: Iterable[Fact]) -> list[tuple[str, str, int, str]]:
    """The lines of valuation: debit, credit, minor units, value date."""
    _, journal = fold(0, "loan", list(facts), before=TODAY)
    mine = {"provision-expense", "loan-loss-allowance", "interest-in-suspense", "deferred-fee-income"}
    lines = [(NAMES[one.debit], NAMES[one.credit], one.amount, one.effective) for one in journal]
    return [
        (debit, credit, amount, date.fromordinal(day).isoformat())
        for debit, credit, amount, day in lines
        if {debit, credit} & mine
    ]


def test_a_valuation_books_what_the_balances_differ_by() -> None:
    assert booked([*loan(), valued(JANUARY, 500, 40, 9), valued(FEBRUARY, 300, 60, 9)]) == [
        ("provision-expense", "loan-loss-allowance", 500, "2025-01-31"),
        ("interest-income", "interest-in-suspense", 40, "2025-01-31"),
        ("fee-income", "deferred-fee-income", 9, "2025-01-31"),
        ("loan-loss-allowance", "provision-expense", 200, "2025-02-28"),
        ("interest-income", "interest-in-suspense", 20, "2025-02-28"),
    ]


def test_it_is_the_same_in_whatever_order_valuations_and_payments_arrive() -> None:
    first, second = valued(JANUARY, 500), valued(FEBRUARY, 300)
    early = paid(loan(), date(2025, 1, 20), 100_00)[-1]
    in_order = booked([*loan(), early, first, second])
    assert booked([*loan(), second, first, early]) == booked([*loan(), second, early, first]) == in_order


def test_a_loan_that_is_paid_lets_everything_go() -> None:
    facts = paid([*loan(), valued(JANUARY, 500, 40, 9)], date(2025, 3, 3), 1_500_00)
    assert booked(facts)[3:] == [
        ("loan-loss-allowance", "provision-expense", 500, "2025-03-03"),
        ("interest-in-suspense", "interest-income", 40, "2025-03-03"),
        ("deferred-fee-income", "fee-income", 9, "2025-03-03"),
    ]
    late = [*facts, valued(FEBRUARY, 300)]  # the run came after the payment: it ran at the end of February
    assert booked(late)[3:] == [
        ("loan-loss-allowance", "provision-expense", 200, "2025-02-28"),
        ("interest-in-suspense", "interest-income", 40, "2025-02-28"),
        ("deferred-fee-income", "fee-income", 9, "2025-02-28"),
        ("loan-loss-allowance", "provision-expense", 300, "2025-03-03"),
    ]


@pytest.mark.parametrize(
    ("end", "loss"),
    [
        (ChargeOff(reason="gone"), "credit-loss"),
        (ChargeOff(reason="gone", fraud=True), "fraud-loss"),
        (WriteOff(reason="gone"), "losses-written-off"),
    ],
)
def test_an_allowance_bears_the_loss_that_it_was_made_for(end: ChargeOff | WriteOff, loss: str) -> None:
    gone = ServicingFact("o", date(2025, 3, 3).toordinal(), end)
    some = [*loan(), valued(JANUARY, 500_00), gone]
    assert booked(some)[1:] == [("loan-loss-allowance", loss, 500_00, "2025-03-03")]
    more = [*loan(), valued(JANUARY, 1_250_00, 7), gone]  # than the 1,200.00 that are lost
    assert booked(more)[2:] == [
        ("loan-loss-allowance", loss, 1_200_00, "2025-03-03"),
        ("loan-loss-allowance", "provision-expense", 50_00, "2025-03-03"),
        ("interest-in-suspense", "interest-income", 7, "2025-03-03"),
    ]
    assert booked([*loan(), gone]) == []
    assert booked([*more, valued(date(2025, 3, 5), 99)]) == booked(more)  # it is no asset: nothing to value


def test_what_comes_last_needs_no_history() -> None:
    account, _ = fold(0, "loan", loan(), before=TODAY)
    assert not in_place(account, valued(FEBRUARY, 500))  # an instalment fell due on 1 March
    journal: Journal = []
    apply(account, last := valued(date(2025, 3, 9), 300), journal)
    anew, whole = fold(0, "loan", [*loan(), last], before=TODAY)
    assert anew == account
    assert [line for line in whole if line in journal] == journal


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (valued(JANUARY, 5, currency="EUR"), "another currency"),
        (ValuationFact("v", JANUARY.toordinal() + 1, valued(JANUARY, 5).data), "another value date"),
    ],
)
def test_a_valuation_that_can_not_be_meant_parks_the_loan(fact: ValuationFact, why: str) -> None:
    with pytest.raises(InvariantBroken, match=why):
        fold(0, "loan", [*loan(), fact], before=TODAY)
    with pytest.raises(InvariantBroken, match="nothing is known of"):
        fold(0, "loan", [valued(JANUARY, 5)], before=TODAY)
