"""Laws of a loan that comes from another system: it goes on as if it had always been here."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.ledger.engine.account import FEE, INTEREST, PENALTY, PRINCIPAL, SETTLED, Loan
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    LOANS_RECEIVABLE,
    MIGRATION_CLEARING,
    OVERPAYMENT,
)
from services.ledger.engine.accrual import period
from services.ledger.engine.allocation import place_of
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import statement
from shared.money import decimal_text
from tests.property.histories_of_servicing import CODE, LOAN, Life, Step, contracts, step, steps
from tests.property.test_engine import in_order

TAKEN_OVER = "ledger.LoanTakenOver.v1"
PAID = "ledger.PaymentReceived.v1"


def positions(loan: Loan, day: date) -> dict[str, Any]:
    """What a system that carried the loan says of it when `day` begins."""
    open_ = [k for k in range(len(loan.due)) if loan.due[k] >= day.toordinal() or loan.unpaid(k)]
    coming = [k for k in open_ if loan.due[k] >= day.toordinal()]

    def text(minor: int) -> str:
        return decimal_text(minor, CODE)

    found: dict[str, Any] = {
        "disbursed_on": date.fromordinal(loan.start).isoformat(),
        "principal_outstanding": text(loan.principal_outstanding),
        "overpaid": text(loan.overpaid),
        "instalments": [
            {
                "due": date.fromordinal(loan.due[k]).isoformat(),
                "principal": text(loan.left[PRINCIPAL][k]),
                "interest": text(loan.left[INTEREST][k]),
                "fees": text(loan.left[FEE][k]),
                "penalties": text(loan.left[PENALTY][k]),
                "interest_paid_ahead": text(
                    loan.asked[INTEREST][k] - loan.left[INTEREST][k] if k in coming and loan.earns(k) else 0
                ),
            }
            for k in open_
        ],
    }
    if coming:
        found["accrues_from"] = date.fromordinal(min(period(loan, coming[0])[0], day.toordinal())).isoformat()
    if loan.restructured:
        watched = date.fromordinal(loan.watched_until).isoformat()
        found |= {"restructured": loan.restructured, "watched_until": watched}
    if loan.charged_off:
        found["charged_off_on"] = date.fromordinal(loan.charged_off).isoformat()
    return found


class Arrived(Life):
    """A loan in a new book, taken over when the date `day` began."""

    def __init__(self, terms: dict[str, Any], found: dict[str, Any], day: date) -> None:
        super().__init__(terms, begins=(TAKEN_OVER, found), first=day)


AHEAD = ("recalculation", "down_payment", "reference", "instalment_fees")
"""What the terms would do to instalments to come is in no positions."""
whole = contracts().map(lambda terms: {name: value for name, value in terms.items() if name not in AHEAD})
"""Contracts whose positions say all of them."""


def lived_until(terms: dict[str, Any], todo: list[Step], *, plain: bool) -> Life:
    """A loan with a life behind it that can be taken over."""
    life = Life(terms)
    assume(not life.broken)
    for one in todo:
        if not plain or one.action in ("pay", "pay-due", "levy", "reverse", "move-due-date", "extend"):
            life.live(one)
        assume(not life.broken)
    loan = life.loan
    assume(len(set(loan.due)) == len(loan.due))
    assume(loan.fallen < len(loan.due) or loan.first_open < len(loan.due) or loan.overpaid)
    assume(loan.principal_outstanding <= loan.principal)
    assume(not any(getattr(fact, "effective", 0) > life.day.toordinal() for fact in life.facts))
    if plain:  # what is charged of an instalment to come is due with it: positions know no other date
        places = [(charge, place_of(loan, charge.due)) for charge in loan.charges if charge.left]
        assume(all(k < loan.fallen or charge.due == loan.due[k] for charge, k in places))
    return life


def same(here: Loan, there: Loan, day: int) -> None:
    """Two books say the same of the loan on a date."""
    assert here.principal_outstanding == there.principal_outstanding
    assert here.overpaid == there.overpaid
    assert here.arrears(day) == there.arrears(day)
    assert here.days_past_due(day) == there.days_past_due(day)
    assert (here.status, here.next_due()) == (there.status, there.next_due())
    assert here.interest_fallen_unpaid() == there.interest_fallen_unpaid()
    for part in range(4):
        assert here.unpaid_of(part) == there.unpaid_of(part)


payments = st.lists(st.tuples(st.integers(0, 15), st.integers(1, 1000)), max_size=8)


@settings(max_examples=60)
@given(whole, steps, payments)
def test_from_the_cut_over_on_the_same_payments_make_the_same_loan(
    terms: dict[str, Any], todo: list[Step], money: list[tuple[int, int]]
) -> None:
    here = lived_until(terms, todo, plain=True)
    there = Arrived(terms, positions(here.loan, here.day), here.day)
    assert not there.broken
    for gap, size in [*money, (0, 1)]:
        for _ in range(gap):
            here.close()
            there.close()
        today = here.day.toordinal()
        same(here.loan, there.loan, today)
        in_order(there)
        if here.loan.status != SETTLED:
            assert payoff(LOAN, here.facts, on=today) == payoff(LOAN, there.facts, on=today)
        amount = {"amount": decimal_text(max(1, here.loan.unpaid_of(PRINCIPAL) * size // 2000), CODE), "currency": CODE}
        for life in (here, there):
            assert life.tell(PAID, amount, life.day)
    same(here.loan, there.loan, here.day.toordinal())


def netted(life: Life) -> Counter[int]:
    """The balance of each account, debits positive."""
    sums: Counter[int] = Counter()
    for posting in life.books.postings.values():
        sums[posting[6]] += posting[2]
        sums[posting[7]] -= posting[2]
    return sums


turns = st.builds(
    Step,
    st.integers(0, 6),
    st.just(0),
    st.sampled_from(["accelerate", "re-age", "re-amortise", "charge-off", "write-off", "undo", "extend"]),
    st.integers(1, 1000),
    st.integers(0, 20),
    st.just(value=False),
)
"""What happens to loans in trouble, soon after the cut-over."""


@settings(max_examples=100)
@given(whole, st.lists(step, max_size=3), turns, st.lists(step | turns, max_size=6))
def test_books_of_a_loan_that_was_taken_over_are_in_order_whatever_happens(
    terms: dict[str, Any], todo: list[Step], turn: Step, after: list[Step]
) -> None:
    before = lived_until(terms, todo, plain=False)
    assume(before.loan.charged_off or before.loan.earns_until < 0)
    life = Arrived(terms, positions(before.loan, before.day), before.day)
    assert not life.broken
    in_order(life)
    for one in (turn, *after):
        life.live(one)
        in_order(life)
        if life.broken:
            return
    life.finish()
    in_order(life)
    sums, loan = netted(life), life.loan
    assert sums[ACCRUED_INTEREST] == 0
    assert -sums[INTEREST_INCOME] - sums[INTEREST_IN_SUSPENSE] == sum(loan.to_earn(k) for k in range(len(loan.due)))
    told = statement(LOAN, life.facts, before=life.day.toordinal())
    assert told.outstanding == sum(line.outstanding for line in told.instalments)
    assert told.instalments == () or told.instalments[-1].balance == 0


@settings(max_examples=50)
@given(whole, steps, st.integers(0, 40))
def test_the_opening_entry_is_what_the_old_books_had_earned_and_are_owed(
    terms: dict[str, Any], todo: list[Step], gap: int
) -> None:
    """Interest earned before and after the cut-over is the interest of the instalments, to the minor unit."""
    before = lived_until(terms, todo, plain=True)
    for _ in range(gap):
        before.close()
    assume(before.loan.first_open < len(before.loan.due) or before.loan.fallen < len(before.loan.due))
    there = Arrived(terms, positions(before.loan, before.day), before.day)
    here, opened = netted(before), netted(there)
    assert opened[LOANS_RECEIVABLE] == here[LOANS_RECEIVABLE]
    assert opened[OVERPAYMENT] == here[OVERPAYMENT]
    # the old books carry in a group's remainder what they have earned of the day's fractions
    assert abs(opened[ACCRUED_INTEREST] - here[ACCRUED_INTEREST]) <= 1
    assert sum(opened.values()) == 0
    assert set(opened) >= {MIGRATION_CLEARING}


def test_a_late_take_over_counts_from_the_cut_over_date() -> None:
    terms = {
        "kind": "equal-principal", "principal": "900.00", "currency": CODE, "annual_rate": "0.12", "instalments": 3,
        "every": 1, "unit": "month", "first_due_date": "2025-02-01", "day_count": "30/360",
    }  # fmt: skip
    found = {
        "disbursed_on": "2025-01-01", "accrues_from": "2025-02-01", "principal_outstanding": "650.00",
        "instalments": [
            {"due": "2025-02-01", "principal": "50.00", "interest": "0", "penalties": "3.00"},
            {"due": "2025-03-01", "principal": "300.00", "interest": "6.00"},
            {"due": "2025-04-01", "principal": "300.00", "interest": "3.00"},
        ],
    }  # fmt: skip
    cut_over = date(2025, 2, 15)
    prompt = Arrived(terms, found, cut_over)
    late = Life(terms, begins=None, first=cut_over)
    for _ in range(20):
        late.close()
        prompt.close()
    assert late.tell(TAKEN_OVER, found, cut_over)
    for life in (prompt, late):
        life.close()
        in_order(life)
    assert netted(late) == netted(prompt)
    assert late.loan.days_past_due(late.day.toordinal()) == (cut_over + timedelta(days=21) - date(2025, 2, 1)).days
