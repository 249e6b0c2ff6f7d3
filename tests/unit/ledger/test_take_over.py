"""Opening positions that are not in order are refused by name and place; those that are make a loan and its entry."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from services.ledger.api import bodies
from services.ledger.commands import model, refusals
from services.ledger.commands.guards import (
    Contracted,
    Guards,
    Stamp,
    TakenOver,
    decide,
    evolve,
    loan_from_json,
    loan_to_json,
)
from services.ledger.commands.trial import standing_of
from services.ledger.engine import accounts as chart
from services.ledger.engine import positions as rules
from services.ledger.engine.facts import ContractFact, PaymentFact, ServicingFact, TakeOverFact
from services.ledger.engine.folding import fold
from services.ledger.engine.statement import statement
from shared.errors import InvariantBroken, Refusal
from shared.events import servicing
from shared.events.envelope import new_event_id
from shared.events.origination import Contract
from shared.events.take_over import OpeningInstalment, OpeningPositions
from shared.events.terms import Terms
from shared.money import TooManyDecimals

CUT_OVER = date(2025, 2, 15)
TERMS: dict[str, Any] = {
    "kind": "equal-principal", "principal": "900.00", "currency": "EUR", "annual_rate": "0.12", "instalments": 3,
    "first_due_date": "2025-02-01", "day_count": "30/360",
}  # fmt: skip
OVERDUE = {"due": "2025-02-01", "principal": "50.00", "interest": "1.00", "fees": "2.00", "penalties": "3.00"}
RUNNING = {"due": "2025-03-01", "principal": "300.00", "interest": "4.60", "interest_paid_ahead": "1.00"}
LAST = {"due": "2025-04-01", "principal": "300.00", "interest": "3.00"}
FOUND: dict[str, Any] = {
    "disbursed_on": "2025-01-01", "accrues_from": "2025-02-01", "principal_outstanding": "650.00",
    "instalments": [OVERDUE, RUNNING, LAST],
}  # fmt: skip


def found(**changes: Any) -> OpeningPositions:
    return OpeningPositions.model_validate(FOUND | changes)


def with_instalment(n: int, **changes: Any) -> list[dict[str, Any]]:
    return [one | changes if k == n else one for k, one in enumerate(FOUND["instalments"])]


def contract(**changes: Any) -> Contract:
    return Contract(borrower_id="b-1", product="micro@1", terms=Terms.model_validate(TERMS | changes))


REFUSED: list[tuple[dict[str, Any], type[Refusal], str]] = [
    ({"instalments": with_instalment(1, due="2025-02-01")}, rules.DueDatesOutOfOrder, "instalments/1/due"),
    ({"instalments": with_instalment(0, due="2024-12-31")}, rules.DatesContradict, "instalments/0/due"),
    ({"disbursed_on": "2025-02-16"}, rules.DatesContradict, "disbursed_on"),
    ({"charged_off_on": "2025-02-16"}, rules.DatesContradict, "charged_off_on"),
    ({"charged_off_on": "2024-02-16"}, rules.DatesContradict, "charged_off_on"),
    ({"accrues_from": "2025-01-31"}, rules.DatesContradict, "accrues_from"),
    ({"accrues_from": "2025-02-16"}, rules.DatesContradict, "accrues_from"),
    ({"accrues_from": None}, rules.AccrualStartMissing, "accrues_from"),
    ({"restructured": 1}, rules.DatesContradict, "watched_until"),
    ({"watched_until": "2026-01-01"}, rules.DatesContradict, "watched_until"),
    ({"principal_outstanding": "650.01"}, rules.PrincipalDiffers, "principal_outstanding"),
    (
        {"principal_outstanding": "900.01", "instalments": with_instalment(2, principal="550.01")},
        rules.PrincipalAboveContract,
        "principal_outstanding",
    ),
    ({"overpaid": "1.00"}, rules.CreditBesideClaims, "overpaid"),
    ({"principal_outstanding": "0", "instalments": []}, rules.NothingToTakeOver, "instalments"),
    ({"instalments": with_instalment(2, fees="0.001")}, TooManyDecimals, "instalments/2/fees"),
    (
        {"instalments": with_instalment(0, interest_paid_ahead="1.00")},
        rules.FellDueBeforeCutOver,
        "instalments/0/interest_paid_ahead",
    ),
    (
        {
            "principal_outstanding": "600.00",
            "instalments": with_instalment(0, principal="0", interest="0", fees="0", penalties="0"),
        },
        rules.InstalmentIsPaid,
        "instalments/0",
    ),
]


@pytest.mark.parametrize(
    ("changes", "refusal", "field"), REFUSED, ids=[f"{one.__name__}-{at}" for _, one, at in REFUSED]
)
def test_positions_that_are_not_in_order_are_refused_by_name_and_place(
    changes: dict[str, Any], refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        rules.checked(contract().terms, found(**changes), CUT_OVER)
    assert refused.value.field == field
    facts = [ContractFact("c", contract()), TakeOverFact("t", CUT_OVER.toordinal(), found(**changes))]
    with pytest.raises(InvariantBroken, match="a take-over: "):
        fold(0, "L", facts, before=CUT_OVER.toordinal())


def test_a_loan_whose_interest_follows_what_is_outstanding_comes_with_its_history() -> None:
    with pytest.raises(rules.FollowsWhatIsOutstanding):
        rules.checked(contract(recalculation={}).terms, found(), CUT_OVER)
    floating = {"index": "CN-LPR-1Y", "spread": "0.01", "resets": {"rule": "yearly", "month": 1, "day": 1}}
    with pytest.raises(rules.FollowsReferenceRate, match="CN-LPR-1Y"):
        rules.checked(contract(reference=floating).terms, found(), CUT_OVER)
    with pytest.raises(rules.AccruedUpfront):
        rules.checked(contract(accounting="accrual-upfront").terms, found(), CUT_OVER)


def taken_over(data: OpeningPositions, **changes: Any) -> list[Any]:
    return [ContractFact("c", contract(**changes)), TakeOverFact("t", CUT_OVER.toordinal(), data)]


def booked(facts: list[Any], before: date) -> dict[tuple[str, str], int]:
    _, journal = fold(0, "L", facts, before=before.toordinal())
    return {(chart.NAMES[one.debit], chart.NAMES[one.credit]): one.amount for one in journal}


def test_the_opening_entry_has_each_claim_against_migration_clearing() -> None:
    """Of the running instalment's 5.60, fourteen of twenty-eight days are earned."""
    assert booked(taken_over(found()), CUT_OVER) == {
        ("loans-receivable", "migration-clearing"): 65_000,
        ("interest-receivable", "migration-clearing"): 100,
        ("accrued-interest", "migration-clearing"): 280,
        ("fees-receivable", "migration-clearing"): 200,
        ("penalties-receivable", "migration-clearing"): 300,
        ("migration-clearing", "unearned-interest"): 100,
    }


def test_a_charged_off_loan_brings_no_assets_and_what_it_pays_is_a_recovery() -> None:
    facts = taken_over(found(charged_off_on="2025-02-10"))
    assert booked(facts, CUT_OVER) == {}
    money = PaymentFact("p", CUT_OVER.toordinal(), 7, 1_000, 978)
    assert booked([*facts, money], date(2025, 5, 1)) == {("cash", "recoveries"): 1_000}


def test_a_credit_balance_is_all_that_is_left_of_a_settled_loan() -> None:
    data = OpeningPositions(disbursed_on=date(2025, 1, 1), principal_outstanding="0", overpaid="4.00")
    assert booked(taken_over(data), CUT_OVER) == {("migration-clearing", "overpayment"): 400}
    assert statement("L", taken_over(data), before=CUT_OVER.toordinal()).status == "overpaid"


def test_a_payment_from_before_the_cut_over_waits_for_it() -> None:
    early = PaymentFact("p", CUT_OVER.toordinal() - 3, 7, 5_600, 978)
    loan, _ = fold(0, "L", [*taken_over(found()), early], before=CUT_OVER.toordinal())
    assert loan.waiting == []
    assert loan.past_due(CUT_OVER.toordinal()) == 0


def test_penalty_interest_grows_from_the_cut_over_on_and_what_was_charged_stays() -> None:
    facts = taken_over(found(), penalty={"annual_rate": "0.365", "day_count": "actual/365"})
    told = statement("L", facts, before=CUT_OVER.toordinal() + 10)
    assert [(one.name, one.amount) for one in told.charges if one.part == "penalty"] == [
        ("brought-forward", 300),
        ("penalty-interest", 50),  # ten days of 0.1 % on 50.00, not the 24 days since the due date
    ]


@pytest.mark.parametrize(
    "data",
    [
        servicing.Reschedule(changes=(servicing.TermExtended(from_due=date(2025, 4, 1), instalments=1),), reason="x"),
        servicing.Prepayment(amount="1.00", currency="EUR", effect="reduce-instalment"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_needs_the_terms_is_refused_by_name(data: Any) -> None:
    facts = [*taken_over(found()), ServicingFact("s", CUT_OVER.toordinal(), data)]
    with pytest.raises(InvariantBroken, match="after the loan was taken over"):
        fold(0, "L", facts, before=CUT_OVER.toordinal())


STAMP = Stamp("2025-02-15T10:00:00.000000Z")
CONTRACT = model.ConcludeContract("loan-1", contract(), new_event_id())


def take_over(cut_over: date | None = None, **changes: Any) -> model.TakeOver:
    return model.TakeOver("loan-1", found(**changes), cut_over, new_event_id())


def after(*commands: model.Command) -> Guards:
    guards = Guards(CUT_OVER)
    for command in commands:
        decide(command, guards, partitions=1, stamp=STAMP)
        evolve(command, guards)
    return guards


Given = Callable[[], Guards]


@pytest.mark.parametrize(
    ("guards", "command", "refusal"),
    [
        (Guards, take_over(), refusals.BookNotOpen),
        (after, take_over(), refusals.LoanNotContracted),
        (lambda: after(CONTRACT), take_over(date(2025, 2, 16)), refusals.ValueDateAhead),
        (lambda: after(CONTRACT), take_over(overpaid="1"), rules.CreditBesideClaims),
        (lambda: after(CONTRACT, take_over()), take_over(), refusals.LoanIsRunning),
        (
            lambda: after(CONTRACT, take_over()),
            model.Disburse("loan-1", "1.00", "EUR", None, new_event_id()),
            refusals.LoanWasTakenOver,
        ),
        (
            lambda: after(CONTRACT, take_over()),
            model.ServiceLoan("loan-1", servicing.WriteOff(reason="x"), date(2025, 2, 14), new_event_id()),
            refusals.BeforeDisbursement,
        ),
    ],
)
def test_a_take_over_is_refused_by_name(guards: Given, command: model.Command, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decide(command, guards(), partitions=1, stamp=STAMP)


def test_a_take_over_that_is_undone_can_be_made_again() -> None:
    wrong = take_over()
    guards = after(CONTRACT, wrong)
    undoing = model.UndoEvent("loan-1", wrong.event_id, "wrong file", new_event_id())
    decide(undoing, guards, partitions=1, stamp=STAMP)
    evolve(undoing, guards)
    assert guards.loan("loan-1") == Contracted("b-1", contract().terms)
    decide(take_over(), guards, partitions=1, stamp=STAMP)


def test_the_guarding_state_is_that_of_the_books_and_survives_its_json() -> None:
    command = take_over()
    state = after(CONTRACT, command).loan("loan-1")
    assert state == TakenOver("b-1", contract().terms, command.event_id, CUT_OVER)
    assert loan_from_json(loan_to_json(state)) == state
    facts = [ContractFact("c", contract()), TakeOverFact(command.event_id, CUT_OVER.toordinal(), found())]
    assert standing_of(facts).loan == state


def test_a_request_can_say_all_that_its_event_can() -> None:
    assert bodies.NewTakeOver.model_fields.keys() - {"cut_over"} == OpeningPositions.model_fields.keys()
    assert bodies.OpenInstalment.model_fields.keys() == OpeningInstalment.model_fields.keys()
    asked = bodies.NewTakeOver.model_validate(FOUND | {"cut_over": "2025-02-15"})
    assert asked.positions() == found()
