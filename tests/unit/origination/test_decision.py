"""What the policy decides, and what it says about it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.origination.completeness import (
    BalanceDateAhead,
    DocumentsMissing,
    GroupTooSmall,
    MonthNotOver,
    MonthsNotConsecutive,
    SecurityMissing,
    StatementIncomplete,
    StatementTooOld,
    require_complete,
    require_sound,
)
from services.origination.decision import decide
from shared.calendar import add_months
from shared.errors import Refusal
from tests.unit.origination.examples import (
    EVENT_ID,
    RULES,
    TODAY,
    document,
    facts,
    guarantee,
    months,
    party,
    request,
    standing,
    statement,
)


def test_a_borrower_in_order_is_approved_and_the_record_is_whole() -> None:
    outcome, decision = decide(facts(), RULES, today=TODAY)
    assert (outcome, decision.reasons) == ("approve", [])
    assert (decision.policy, decision.scorecard) == ("credit@1", "expert@1")
    assert decision.score == sum(one.points for one in decision.points)
    assert {one.outcome for one in decision.rules} == {"pass"}
    assert len(decision.capacity) == 12
    assert Decimal(decision.limit) >= Decimal(decision.terms.principal)
    assert decide(facts(), RULES, today=TODAY) == (outcome, decision)


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"standing": standing(consents=[])}, "refer", "consent-automated-decision"),
        ({"standing": standing(consents=["automated-decision"], flags=["bankruptcy"])}, "decline", "flag-bankruptcy"),
        ({"standing": standing(days_past_due=5)}, "refer", "arrears-now"),
        ({"standing": standing(days_past_due=31)}, "decline", "arrears-now"),
        ({"standing": standing(group_days_past_due=91)}, "decline", "arrears-group"),
        ({"standing": standing(blocks=[EVENT_ID])}, "refer", "red-alerts"),
        ({"standing": standing(outstanding="1990000.00")}, "decline", "exposure"),
        ({"standing": standing(loans_open=4)}, "decline", "open-loans"),
        ({"request": request(amount="110000.00", instalments=60)}, "refer", "amount"),
        ({"statement": statement(months=months(6, "7500.00"))}, "decline", "coverage"),
    ],
)
def test_a_rule_that_is_broken_is_the_first_reason(changes: Any, outcome: str, reason: str) -> None:
    found, decision = decide(facts(**changes), RULES, today=TODAY)
    assert (found, decision.reasons[0].code) == (outcome, reason)
    assert 1 <= len(decision.reasons) <= 4


def test_the_limit_passes_and_what_is_clearly_above_it_does_not() -> None:
    """Close to it the score, and so the rate, may change with the amount."""
    asked = facts(request=request(amount="100000.00"), statement=statement(months=months(6, "11000.00")))
    _, decision = decide(asked, RULES, today=TODAY)
    limit = int(Decimal(decision.limit))
    assert 1000 <= limit < 100000
    for amount, passes in ((limit, True), (limit + 1000, False)):
        _, again = decide(facts(request=request(amount=str(amount)), statement=asked.statement), RULES, today=TODAY)
        looked = [one.outcome for one in again.rules if one.rule.startswith(("coverage", "negative-month"))]
        assert (set(looked) == {"pass"}) is passes


def farmer(first_due: date, value: str = "120000.00") -> Any:
    """All sales in October; the rest of the year costs."""
    season = [
        month | {"inflows": "150000.00" if month["month"].endswith("-10") else "0", "household": "2000.00"}
        for month in months(12, outflows="3000.00")
    ]
    balance = statement().balance.model_copy(update={"cash": "30000.00"})
    return facts(
        party=party(size="micro", industry="crops"),
        request=request(product="farm-equipment@1", amount="60000", instalments=3, every=12, first_due_date=first_due),
        statement=statement(months=season, balance=balance.model_dump(mode="json")),
        guarantees=[guarantee(value)],
    )


def test_a_season_bears_a_loan_due_after_the_harvest_and_not_before_it() -> None:
    after, decided = decide(farmer(date(2024, 11, 15)), RULES, today=TODAY)
    before, refused = decide(farmer(date(2024, 9, 15)), RULES, today=TODAY)
    assert (after, before) == ("approve", "decline"), (decided.reasons, refused.reasons)
    assert refused.reasons[0].code == "negative-month"
    assert Decimal(min(month.cumulative for month in refused.capacity if month.month == "2024-09")) < 0


def test_collateral_carries_its_share_and_no_more() -> None:
    outcome, decision = decide(farmer(date(2024, 11, 15), value="80000.00"), RULES, today=TODAY)
    assert (outcome, decision.reasons[0].code) == ("decline", "loan-to-value")
    assert Decimal(decision.limit) <= Decimal(56000)


def test_a_loan_above_the_cap_is_left_to_people() -> None:
    day = date(2028, 1, 10)
    asked = facts(
        request=request(first_due_date=add_months(day, 1)),
        statement=statement(months=months(6, until=day)),
    )
    outcome, decision = decide(asked, RULES, today=day)
    assert (outcome, decision.reasons[0].code) == ("refer", "rate-cap")


def test_the_same_facts_have_the_same_hash_and_others_another() -> None:
    assert facts().sha256() == facts().sha256()
    assert facts().sha256() != facts(standing=standing(loans_repaid=1)).sha256()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"months": [*months(6)[:2], *months(6)[3:]]}, MonthsNotConsecutive),
        ({"months": [*months(6), months(6)[-1]]}, MonthsNotConsecutive),
        ({"months": months(6, until=date(2024, 7, 10))}, MonthNotOver),
        ({"balance": statement().balance.model_dump(mode="json") | {"as_of": "2024-06-11"}}, BalanceDateAhead),
    ],
)
def test_a_statement_that_cannot_be_is_refused(changes: Any, refusal: type[Refusal]) -> None:
    require_sound(statement(), currency="CNY", today=TODAY)
    with pytest.raises(refusal):
        require_sound(statement(**changes), currency="CNY", today=TODAY)


@pytest.mark.parametrize(
    ("product", "changes", "refusal"),
    [
        ("consumer-equal-instalment@1", {"statement": statement(months=months(5))}, StatementIncomplete),
        ("consumer-equal-instalment@1", {"today": date(2024, 9, 2)}, StatementTooOld),
        ("consumer-equal-instalment@1", {"documents": ["identity"]}, DocumentsMissing),
        (
            "farm-equipment@1",
            {"statement": statement(months=months(12)), "documents": RULES.products["farm-equipment@1"].documents},
            SecurityMissing,
        ),
        (
            "joint-liability-group@1",
            {"documents": ["identity", "group-agreement"], "standing": standing(group_members=1)},
            GroupTooSmall,
        ),
    ],
)
def test_what_is_missing_is_named(product: str, changes: Any, refusal: type[Refusal]) -> None:
    given: dict[str, Any] = {
        "statement": statement(),
        "documents": [document("identity").kind, "income-proof"],
        "guarantees": [],
        "standing": standing(),
        "today": TODAY,
    }
    with pytest.raises(refusal):
        require_complete(RULES.products[product], RULES.policies["credit@1"], **(given | changes))
