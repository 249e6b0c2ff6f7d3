"""Rules files: what is not in order is refused by name; the scorecard's scaling is the published one."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.origination.bands import BandGap, BandOverlap
from services.origination.policy import Policy
from services.origination.product import (
    AmountOutsideLimits,
    CurrencyNotOffered,
    FirstDueOutsideLimits,
    InstalmentsOutsideLimits,
    IntervalNotOffered,
    ProductNotForBorrower,
    require_fit,
)
from services.origination.rules import HERE, BadRulesFile, UnknownProduct, parse
from services.origination.scorecard import Scaling, Scorecard, UnknownAttribute
from shared.errors import Refusal
from tests.unit.origination.examples import RULES, TODAY, party, request

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())
POLICY = (HERE / "policies" / "credit-1.yaml").read_text()


@pytest.mark.parametrize("case", [case for case in PUBLISHED if case["kind"] == "score_scaling"], ids=lambda c: c["id"])
def test_the_scaling_has_the_published_constants(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    bad, _, good = (given.get("odds_bad_good") or given["odds0"]).partition("/")
    scaling = Scaling(score=given.get("p0") or given["points0"], odds=Decimal(good) / Decimal(bad), pdo=given["pdo"])
    tolerance = Decimal(str(case["tolerance"]))
    assert abs(scaling.factor - abs(Decimal(str(expected.get("B", expected.get("b")))))) <= tolerance
    assert abs(scaling.offset - Decimal(str(expected.get("A", expected.get("a"))))) <= tolerance


def test_twenty_points_double_the_odds() -> None:
    scaling = Scaling(score=600, odds=50, pdo=20)
    assert (round(scaling.factor, 4), round(scaling.offset, 4)) == (Decimal("28.8539"), Decimal("487.1229"))
    assert round(scaling.at(Decimal(100).ln()), 9) == 620


def test_points_of_the_attributes_sum_to_the_score_and_lost_ones_are_counted_from_the_best_bin() -> None:
    card = RULES.scorecards["expert@1"]
    values: dict[str, Decimal | str | None] = {one.name: None for one in card.attributes}
    score, points = card.score(values | {"statement-source": "declared", "loans-repaid": Decimal(3)})
    assert score == sum(one.points for one in points)
    by_name = {one.attribute: one for one in points}
    assert by_name["loans-repaid"].lost == 0
    assert by_name["statement-source"].bin == "declared"
    assert by_name["statement-source"].lost == round(Decimal("0.5") * card.scaling.factor)
    with pytest.raises(UnknownAttribute):
        card.score({})


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("{at_least: 520, below: 560, ", "{at_least: 530, below: 560, ", BandGap),
        ("{at_least: 520, below: 560, ", "{at_least: 510, below: 560, ", BandOverlap),
        ("{at_least: 620, outcome", "{at_least: 620, below: 900, outcome", BandGap),
        ("- {below: 500000, name: branch", "- {below: 400000, name: branch", BandGap),
        ('{at_least: "1.20", action: pass}', '{at_least: "1.10", action: pass}', BandOverlap),
        ('stress: "0.20"', "stress: 0.20", BadRulesFile),
        ("offer_days: 14", "offer_dyas: 14", BadRulesFile),
        ("roles: [risk]", "roles: [boss]", BadRulesFile),
    ],
)
def test_a_policy_that_is_not_in_order_is_refused_by_name(old: str, new: str, refusal: type[Refusal]) -> None:
    assert old in POLICY
    with pytest.raises(refusal):
        parse(POLICY.replace(old, new), Policy, where="credit.yaml")


def test_a_scorecard_with_a_hole_is_refused() -> None:
    text = (HERE / "scorecards" / "expert-1.yaml").read_text().replace('at_least: "2.50"', 'at_least: "2.60"')
    with pytest.raises(BandGap):
        parse(text, Scorecard, where="expert.yaml")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": "200100.00"}, AmountOutsideLimits),
        ({"amount": "20050.00"}, AmountOutsideLimits),
        ({"currency": "USD"}, CurrencyNotOffered),
        ({"instalments": 61}, InstalmentsOutsideLimits),
        ({"every": 2}, IntervalNotOffered),
        ({"first_due_date": TODAY}, FirstDueOutsideLimits),
        ({"first_due_date": date(2025, 6, 10)}, FirstDueOutsideLimits),
    ],
)
def test_a_request_outside_of_the_product_is_refused_by_name(changes: dict[str, Any], refusal: type[Refusal]) -> None:
    product = RULES.products["consumer-equal-instalment@1"]
    require_fit(product, party(), request(), today=TODAY)
    with pytest.raises(refusal):
        require_fit(product, party(), request(**changes), today=TODAY)


def test_a_season_is_in_the_interval_and_in_the_month_of_the_first_due_date() -> None:
    product = RULES.products["farm-equipment@1"]
    farmer = party(size="micro", industry="crops")
    asked = {"product": "farm-equipment@1", "amount": "80000", "instalments": 4, "every": 12}
    require_fit(product, farmer, request(**asked, first_due_date=date(2024, 10, 31)), today=TODAY)
    with pytest.raises(FirstDueOutsideLimits):
        require_fit(product, farmer, request(**asked, first_due_date=date(2025, 3, 31)), today=TODAY)
    with pytest.raises(ProductNotForBorrower):
        require_fit(product, party(), request(**asked, first_due_date=date(2024, 10, 31)), today=TODAY)


def test_a_product_that_is_not_there_or_not_yet_is_refused() -> None:
    assert RULES.product("farm-equipment", TODAY).named == "farm-equipment@1"
    with pytest.raises(UnknownProduct):
        RULES.product("yacht", TODAY)
    with pytest.raises(UnknownProduct):
        RULES.product("farm-equipment@1", date(1989, 12, 31))
