"""Laws of the loan engine, whatever happens to a loan: its books balance, its state is the fold of its facts, and no
minor unit is made or lost."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy_financial
import pytest
import pyxirr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.ledger.digest import canonical_state
from services.ledger.engine.account import (
    INTEREST,
    SETTLED,
    WRITTEN_OFF,
    Loan,
    decode_loan,
    encode_loan,
)
from services.ledger.engine.accounts import ACCRUED_INTEREST, INTEREST_IN_SUSPENSE, INTEREST_INCOME
from services.ledger.engine.delinquency import delinquency
from services.ledger.engine.facts import DisbursementFact, PaymentFact, ServicingFact
from services.ledger.engine.folding import fold, service
from services.ledger.engine.journal import difference
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import statement
from services.ledger.verify import of_balances
from services.ledger.verify.rows import Books, Event, LoanRow, Posting, Tables
from shared.errors import InvariantBroken
from shared.events.servicing import Chargeback, ChargeCredit, Credit, Refund
from shared.events.terms import Terms
from shared.money import minor_units
from shared.schedules import Schedule, paid_out_whole
from tests.property.histories_of_servicing import CODE, FIRST, LOAN, Life, Step, contracts, steps

CHECKS = [
    of_balances.principal_is_its_postings,
    of_balances.interest_is_its_postings,
    of_balances.fees_are_their_postings,
    of_balances.penalties_are_their_postings,
    of_balances.unearned_is_its_postings,
    of_balances.accrued_is_its_postings,
    of_balances.overpayment_is_its_postings,
    of_balances.allowance_is_its_postings,
    of_balances.suspended_interest_is_its_postings,
    of_balances.deferred_fees_are_their_postings,
    of_balances.suspense_is_its_postings,
    of_balances.groups_are_their_loans,
    of_balances.income_is_earned_by_groups,
    of_balances.loans_are_folds,
]


def audited(life: Life) -> Books:
    """The books in memory as the audit reads them."""
    books, partition = life.books, life.books.hosted
    rows = []
    for number, (loan_id, _) in books.states.items():
        state = partition.book.loans[loan_id] if number >= 0 else partition.book.groups[number]
        rows.append(LoanRow(number, loan_id, None, 0, state))
    tables = Tables(
        position={"open_date": life.day, "resume_loan": None},
        relay=None,
        events=[Event(e[0], event_id, e[1], e[2], FIRST, e[3]) for event_id, e in books.events.items()],
        postings=[Posting(p[0], p[1], p[5], p[6], p[7], p[2], p[8], p[3], p[4]) for p in books.postings.values()],
        loans=rows,
        parked_loans=[{"loan_id": parked, "since": life.day} for parked in partition.intake.parked],
        parked_events=[],
        suspense=[],
        dead_letters=[],
        conflicts=[],
        reference_rates=[
            {"rate_index": index, "from_date": since, "annual_rate": rate, "offset": offset}
            for index, since, rate, offset in books.rates
        ],
        outbox=[],
    )
    return Books(0, 1, tables)


def in_order(life: Life) -> None:
    """The audit finds nothing; a state is its bytes."""
    books = audited(life)
    findings = [(check.__name__, finding.problem) for check in CHECKS for finding in check(books)]
    assert not findings
    assert all(posting.amount > 0 and posting.debit != posting.credit for posting in books.tables.postings)
    state = life.books.hosted.book.loans[LOAN]
    assert decode_loan(encode_loan(state)) == state == life.loan


def lived(terms: dict[str, Any], todo: Sequence[Step]) -> Iterator[Life]:
    """A life after its beginning and after each step at which something happened that stands."""
    life = Life(terms)
    assume(not life.broken)
    yield life
    for step in todo:
        if life.live(step):
            yield life
        if life.broken:
            return


@settings(max_examples=100)
@given(contracts(), steps)
def test_books_are_in_order_after_everything_that_happens(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms, todo):
        in_order(life)


@settings(max_examples=100)
@given(contracts(), steps)
def test_once_all_instalments_are_due_income_is_the_interest_that_was_earned(
    terms: dict[str, Any], todo: list[Step]
) -> None:
    *_, life = lived(terms, todo)
    assume(not life.broken)
    life.finish()
    in_order(life)
    sums: Counter[int] = Counter()
    for posting in life.books.postings.values():
        sums[posting[6]] += posting[2]
        sums[posting[7]] -= posting[2]
    loan = life.loan
    assert sums[ACCRUED_INTEREST] == 0
    assert -sums[INTEREST_INCOME] - sums[INTEREST_IN_SUSPENSE] == sum(
        loan.asked[INTEREST][k] for k in range(len(loan.due)) if loan.earns(k)
    )
    assert all((group.numerator, group.remainder) == (0, 0) for group in life.books.hosted.book.groups.values())


@settings(max_examples=60)
@given(contracts(), st.integers(0, 90), steps)
def test_money_that_went_out_long_ago_is_in_order_at_once(terms: dict[str, Any], late: int, todo: list[Step]) -> None:
    """Instalments that fell due meanwhile have fallen due, whatever happens on the same day."""
    life = Life(terms, begins=None)
    for _ in range(late):
        life.close()
    assume(life.tell("origination.LoanDisbursed.v1", {"amount": "600.00", "currency": CODE}, FIRST, insist=False))
    in_order(life)
    for step in todo:
        life.live(step)
        in_order(life)
    if not life.broken:
        life.finish()
        in_order(life)


def amount_of(fact: Any) -> int:
    """Minor units of a fact that moves money."""
    return fact.amount if not isinstance(fact, ServicingFact) else minor_units(fact.data.amount, CODE)


@settings(max_examples=200)
@given(contracts(), steps)
def test_no_minor_unit_is_made_or_lost(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms, todo):
        money = [fact for fact in life.facts if isinstance(fact, PaymentFact)]
        money += [f for f in life.facts if isinstance(f, ServicingFact) and isinstance(f.data, Credit | ChargeCredit)]
        out = [f for f in life.facts if isinstance(f, ServicingFact) and isinstance(f.data, Chargeback | Refund)]
        lent = [fact for fact in life.facts if isinstance(fact, DisbursementFact)]
        told = statement(LOAN, life.facts, before=life.day.toordinal())
        lines = told.instalments
        recovered = sum(line.amount for line in told.transactions if line.kind == "recovery")
        returned = [line for line in told.transactions if line.kind in ("chargeback", "credit-refund")]
        assert sum(line.amount for line in returned) == sum(map(amount_of, out))
        from_credit = sum(line.amount for line in returned if not line.principal)  # nothing of it is owed again
        assert sum(map(amount_of, money)) == sum(line.paid for line in lines) + told.overpaid + recovered + from_credit
        assert sum(line.principal for line in lines) == sum(map(amount_of, [*lent, *out])) - from_credit
        assert sum(line.fees + line.penalties for line in lines) == sum(charge.amount for charge in told.charges)
        assert told.outstanding == sum(line.outstanding for line in lines)
        for line in lines:
            assert line.total == line.paid + line.waived + line.outstanding
            assert min(line.principal, line.interest, line.paid, line.waived, line.outstanding) >= 0
            assert line.in_advance + line.late <= line.paid
            assert line.paid_on is None if line.outstanding else line.paid_on or not line.total
        for charge in told.charges:
            assert charge.amount == charge.paid + charge.waived + charge.outstanding
            assert min(charge.paid, charge.waived, charge.outstanding) >= 0
        assert lines[-1].balance == 0
        for entry in told.transactions:
            whole = entry.principal + entry.interest + entry.fees + entry.penalties + entry.overpaid
            assert entry.kind == "recovery" or entry.amount == whole
        assert told.transactions[-1].balance == told.principal_outstanding


@settings(max_examples=100)
@given(contracts(), steps)
def test_taking_the_last_fact_back_gives_the_state_before(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms, todo):
        before = life.day.toordinal()
        loan = life.loan
        told = len(life.told)
        if told < 3:
            continue
        earlier, _journal = fold(loan.number, LOAN, life.facts[:-1], before=before)
        if life.facts[-1].event_id == life.told[-1][3] and life.tell(
            "ledger.EventUndone.v1", {"event_id": life.told[-1][3], "reason": "mistaken"}, life.day, insist=False
        ):
            earlier.accruing = life.loan.accruing
            assert canonical_state(life.loan) == canonical_state(earlier)
            in_order(life)


@settings(max_examples=100)
@given(contracts(), steps)
def test_a_loan_that_only_saw_money_is_the_same_by_the_quick_way(terms: dict[str, Any], todo: list[Step]) -> None:
    """Most loans are folded anew without all that other loans need; what comes of it may not differ."""
    plain = {name: terms[name] for name in terms if name not in {"recalculation", "reference", "instalment_fees"}}
    actions = ("pay", "pay-due", "pay-off", "reverse")
    for life in lived(plain, [step._replace(action=actions[step.pick % 4]) for step in todo]):
        before = life.day.toordinal()
        whole = service(0, LOAN, life.facts, before=before)
        assert fold(0, LOAN, life.facts, before=before) == (whole.loan, whole.journal)


def netted(life: Life) -> dict[tuple[Any, ...], int]:
    """What is booked of the loan by value date and account."""
    found: Counter[tuple[Any, ...]] = Counter()
    for (number, _, _), (_, _, amount, effective, _, _, debit, credit, *_) in life.books.postings.items():
        if number >= 0:
            found[effective, debit] += amount
            found[effective, credit] -= amount
    return {at: amount for at, amount in found.items() if amount}


def comparable(loan: Loan) -> dict[str, Any]:
    """A state without what tells the order of arrival."""
    names = set(Loan.__struct_fields__) - {"number", "as_of", "waiting", "accruing", "last_key"}
    return {name: getattr(loan, name) for name in names}


@settings(max_examples=100)
@given(contracts(), steps)
def test_facts_that_arrive_late_make_what_they_make_in_order_of_date(terms: dict[str, Any], todo: list[Step]) -> None:
    *_, life = lived(terms, todo)
    assume(not life.broken)
    prompt = Life(terms)
    ids = {life.told[1][3]: prompt.told[1][3]}
    for kind, data, effective, event_id in sorted(life.told[2:], key=lambda one: one[2]):
        while prompt.day < effective:
            prompt.close()
        ids[event_id] = prompt_id = prompt.next_id
        renamed = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in data.items()}
        assert prompt.tell(kind, renamed, effective, insist=False), kind
        assert prompt.told[-1][3] == prompt_id
    while prompt.day < life.day:
        prompt.close()
    at = life.day.toordinal()
    late, soon = life.loan, prompt.loan
    if late.refolds:  # their interest is followed up to the last time that something happened, or fell due
        (late, booked), (soon, prompted) = (fold(0, LOAN, one.facts, before=at) for one in (life, prompt))
        assert difference(booked, prompted) == []
    else:
        assert netted(prompt) == netted(life)
    back = {new: old for old, new in ids.items()}
    for charge in soon.charges:
        charge.event_id = back.get(charge.event_id, charge.event_id)
    assert comparable(soon) == comparable(late)


@settings(max_examples=100)
@given(contracts(), steps)
def test_what_breaks_a_rule_parks_the_loan_and_changes_nothing(terms: dict[str, Any], todo: list[Step]) -> None:
    life = Life(terms)
    assume(not life.broken)
    for step in todo:
        for _ in range(step.gap):
            life.close()
        books = life.books
        before = dict(books.states), dict(books.postings), dict(books.events)
        life.live(step._replace(gap=0, insist=True))
        if life.broken:
            assert (books.states, books.postings, books.events) == before
            assert LOAN in books.hosted.intake.parked
            in_order(life)
            return


@settings(max_examples=100)
@given(contracts(), steps)
def test_a_payoff_ends_the_loan_and_one_unit_less_does_not(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms, todo):
        today = life.day.toordinal()
        if any(getattr(fact, "effective", 0) > today for fact in life.facts):
            continue
        try:
            owed = payoff(LOAN, life.facts, on=today)
        except InvariantBroken:
            assert life.loan.status in (SETTLED, WRITTEN_OFF)
            continue
        if owed.total > 1:
            for amount, settles in ((owed.total, True), (owed.total - 1, False)):
                money = PaymentFact("payoff", today, 1 << 40, amount, life.loan.currency)
                loan, _ = fold(0, LOAN, [*life.facts, money], before=today + 1)
                assert (loan.status == SETTLED) == settles
                assert loan.overpaid == 0 or not settles
        found = delinquency(LOAN, life.facts, on=today)
        assert 0 <= found.delinquent_days <= found.past_due_days
        assert found.past_due_amount == life.loan.past_due(today)


def test_state_does_not_grow_with_the_number_of_payments() -> None:
    terms = {
        "kind": "equal-instalment", "principal": "1000.00", "currency": CODE, "annual_rate": "0.12", "instalments": 12,
        "every": 1, "unit": "month", "first_due_date": "2025-02-01", "day_count": "30/360",
    }  # fmt: skip
    sizes = []
    for payments, amount in ((1, "200.00"), (200, "1.00")):
        life = Life(terms)
        for _ in range(payments):
            life.take("ledger.PaymentReceived.v1", {"amount": amount, "currency": CODE})
        sizes.append(len(encode_loan(life.loan)))
    assert sizes[1] <= sizes[0] + 8


def monthly(rate: str, count: int) -> Schedule:
    """Equal instalments on ten milliards in exact months: so much that rounding to the minor unit hardly shows."""
    terms = Terms(
        kind="equal-instalment", principal="10000000000.00", currency=CODE, annual_rate=rate, instalments=count,
        first_due_date=date(2025, 2, 1), day_count="equal-periods",
    )  # fmt: skip
    return paid_out_whole(terms, disbursed_on=date(2025, 1, 1))


@settings(max_examples=60)
@given(rate=st.sampled_from(["0.01", "0.049", "0.12", "0.365", "1.5"]), count=st.integers(1, 60))
def test_the_internal_rate_of_return_of_equal_instalments_is_the_nominal_rate(rate: str, count: int) -> None:
    nominal, lent, plan = float(rate) / 12, 1e12, monthly(rate, count)
    flows = [-1.0, *(one.total / lent for one in plan.instalments)]
    assert pyxirr.irr(flows) == pytest.approx(nominal, abs=1e-9)
    assert numpy_financial.irr(flows) == pytest.approx(nominal, abs=1e-6)
    assert plan.instalments[0].total == pytest.approx(-numpy_financial.pmt(nominal, count, lent), abs=1)
    computed = -numpy_financial.ipmt(nominal, range(1, count + 1), count, lent)
    assert list(plan.interest) == pytest.approx(list(computed), rel=1e-6)
