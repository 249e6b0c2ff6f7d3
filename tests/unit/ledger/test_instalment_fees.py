"""Fees that instalments ask for by the terms: earned with their instalment, following the schedule, gone with it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from services.ledger.engine.account import SETTLED
from services.ledger.engine.accounts import FEE_INCOME, FEES_CHARGED_OFF, FEES_RECEIVABLE, UNEARNED_FEES
from services.ledger.engine.delinquency import delinquency
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, Happening, PaymentFact, ServicingFact
from services.ledger.engine.folding import fold
from services.ledger.engine.lines import Statement
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import statement
from shared.errors import InvariantBroken, Refusal
from shared.events import servicing as events
from shared.events.origination import Contract
from shared.events.terms import InstalmentFee, Recalculation, Terms
from shared.money import currency
from shared.schedules import paid_out_whole

CODE = "CZK"
NUMBER = currency(CODE).number
START = date(2025, 1, 1)
DUE = [date(2025, month, 1) for month in (2, 3, 4, 5)]
ACCOUNT = InstalmentFee(name="account", amount="5.00")
SERVICE = InstalmentFee(name="service", share="0.01", base="outstanding")


def terms(*fees: InstalmentFee, **more: Any) -> Terms:
    return Terms(
        kind="equal-principal", principal="1000.00", currency=CODE, annual_rate="0.12", instalments=4,
        first_due_date=DUE[0], instalment_fees=fees, **more,
    )  # fmt: skip


def life(*facts: Fact, fees: Sequence[InstalmentFee] = (ACCOUNT, SERVICE)) -> list[Fact]:
    contract = Contract(borrower_id="B1", product="p@1", terms=terms(*fees))
    return [ContractFact("contract", contract), DisbursementFact("lent", START.toordinal(), 100_000, NUMBER), *facts]


def paid(on: date, amount: int) -> Fact:
    return PaymentFact(f"paid-{on}", on.toordinal(), on.toordinal(), amount, NUMBER)


def happened(on: date, data: Happening) -> Fact:
    return ServicingFact(f"{type(data).__name__}-{on}", on.toordinal(), data)


def as_of(facts: Sequence[Fact], on: date) -> Statement:
    return statement("L1", facts, before=on.toordinal())


def fees(facts: Sequence[Fact], on: date) -> list[int]:
    return [line.fees for line in as_of(facts, on).instalments]


def balances(facts: Sequence[Fact], on: date) -> Counter[int]:
    _, journal = fold(0, "L1", facts, before=on.toordinal())
    found: Counter[int] = Counter()
    for line in journal:
        found[line.debit] += line.amount
        found[line.credit] -= line.amount
    return found


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("principal", [12_50, 12_50, 12_50, 12_50]),
        ("interest", [50, 38, 25, 12]),  # of 10.00, 7.50, 5.00, 2.50; halves to even
        ("instalment", [13_00, 12_88, 12_75, 12_62]),
        ("outstanding", [50_00, 37_50, 25_00, 12_50]),
        ("contract", [50_00] * 4),
    ],
)
def test_a_share_is_of_its_base_and_rounds_as_the_terms_say(base: Any, expected: list[int]) -> None:
    made = paid_out_whole(terms(InstalmentFee(name="a", share="0.05", base=base)), disbursed_on=START)
    assert [one.fees for one in made.instalments] == [(amount,) for amount in expected]
    assert all(one.total == one.principal + one.interest + one.fees[0] for one in made.instalments)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (terms(ACCOUNT, ACCOUNT), "Two fees of an instalment are called account"),
        (terms(InstalmentFee(name="a")), "neither an amount nor a share"),
        (terms(ACCOUNT, recalculation=Recalculation()), "Where interest follows payments"),
    ],
)
def test_terms_whose_fees_make_no_sense_are_refused(given: Terms, why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        paid_out_whole(given, disbursed_on=START)
    assert refused.value.field == "instalment_fees"


def test_a_down_payment_and_an_empty_instalment_bear_no_fee() -> None:
    down = paid_out_whole(terms(ACCOUNT, down_payment="0.25"), disbursed_on=START)
    assert [sum(one.fees) for one in down.instalments] == [0, 500, 500, 500, 500]
    empty = terms(ACCOUNT).model_copy(update={"kind": "interest-only", "annual_rate": "0"})
    assert [sum(one.fees) for one in paid_out_whole(empty, disbursed_on=START).instalments] == [0, 0, 0, 500]


def test_a_fee_is_income_when_its_instalment_falls_due_and_not_before() -> None:
    before, after = balances(life(), DUE[0]), balances(life(), date(2025, 2, 2))
    assert (before[FEES_RECEIVABLE], before[FEE_INCOME]) == (0, 0)
    assert (after[FEES_RECEIVABLE], after[FEE_INCOME]) == (15_00, -15_00)
    assert delinquency("L1", life(), on=date(2025, 2, 2).toordinal()).past_due_amount == 250_00 + 10_00 + 15_00


def test_what_is_paid_ahead_is_unearned_until_then() -> None:
    facts = life(paid(date(2025, 1, 20), 12_00))
    before, after = balances(facts, DUE[0]), balances(facts, date(2025, 2, 2))
    assert (before[UNEARNED_FEES], before[FEES_RECEIVABLE], before[FEE_INCOME]) == (-12_00, 0, 0)
    assert (after[UNEARNED_FEES], after[FEES_RECEIVABLE], after[FEE_INCOME]) == (0, 3_00, -15_00)


def test_fees_follow_a_schedule_that_changes_but_for_what_fell_due() -> None:
    facts = life(paid(DUE[0], 275_00))
    assert fees(facts, date(2025, 2, 2)) == [15_00, 12_50, 10_00, 7_50]
    extended = events.Reschedule(
        changes=(events.TermExtended(from_due=DUE[1], instalments=1),), reason="agreed",
    )  # fmt: skip
    facts.append(happened(date(2025, 2, 10), extended))
    assert fees(facts, date(2025, 2, 11)) == [15_00, 12_50, 10_62, 8_75, 6_88]
    facts.append(happened(date(2025, 2, 12), events.Acceleration(reason="agreed")))
    assert fees(facts, date(2025, 2, 13)) == [15_00, 12_50]


def test_a_payoff_owes_the_fee_of_the_running_instalment_and_none_of_those_after_it() -> None:
    on = date(2025, 2, 10)
    facts = life(paid(DUE[0], 275_00))
    owed = payoff("L1", facts, on=on.toordinal())
    assert (owed.principal, owed.interest, owed.fees, owed.credit) == (750_00, 15_00, 12_50, 0)
    for amount, settles in ((owed.total, True), (owed.total - 1, False)):
        loan, _ = fold(0, "L1", [*facts, paid(on, amount)], before=date(2025, 6, 1).toordinal())
        assert (loan.status == SETTLED) == settles
    ended = [*facts, paid(on, owed.total)]
    assert fees(ended, on) == [15_00, 12_50, 0, 0]
    assert balances(ended, date(2025, 6, 1))[FEE_INCOME] == -27_50


def test_what_was_paid_for_instalments_that_never_come_counts_at_the_payoff() -> None:
    on = date(2025, 1, 10)
    ahead = life(paid(on, 275_00 + 270_00 + 10_00))  # two instalments and the fees of the third
    owed = payoff("L1", ahead, on=on.toordinal())
    assert (owed.fees, owed.credit) == (0, 12_50 + 10_00)
    after = as_of([*ahead, paid(date(2025, 1, 11), owed.total)], date(2025, 1, 12))
    assert (after.status, after.outstanding, after.overpaid) == ("settled", 0, 0)
    assert [line.fees for line in after.instalments] == [15_00, 0, 0, 0]


def test_a_fee_is_waived_before_or_after_it_falls_due_and_credited_only_after() -> None:
    on = date(2025, 1, 10)
    first, second, *_ = as_of(life(), on).charges
    waiver = events.Waiver(charge_id=first.event_id, reason="agreed")
    before, after = life(happened(on, waiver)), life(happened(date(2025, 2, 2), waiver))
    for facts in (before, after):
        assert balances(facts, date(2025, 2, 3))[FEE_INCOME] == -(15_00 - first.amount)
        assert [line.waived for line in as_of(facts, date(2025, 2, 3)).charges][:2] == [first.amount, 0]
    credit = events.ChargeCredit(charge_id=second.event_id, amount="1.00", currency=CODE, reason="agreed")
    with pytest.raises(InvariantBroken, match="before it falls due"):
        as_of(life(happened(on, credit)), on)
    assert balances(life(happened(date(2025, 2, 2), credit)), date(2025, 2, 3))[FEE_INCOME] == -14_00


def test_a_charge_off_takes_out_what_is_in_the_books_and_nothing_is_earned_after_it() -> None:
    facts = life(
        paid(date(2025, 1, 20), 12_00), happened(date(2025, 2, 10), events.ChargeOff(reason="lost", fraud=False))
    )
    found = balances(facts, date(2025, 6, 1))
    assert (found[FEES_RECEIVABLE], found[UNEARNED_FEES]) == (0, 0)
    assert (found[FEE_INCOME], found[FEES_CHARGED_OFF]) == (-15_00, 3_00)
