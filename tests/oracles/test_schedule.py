"""Our schedules against figures that others published (published.json names each source)."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.events.terms import Terms
from shared.money import decimal_text
from shared.schedules import paid_out_whole
from shared.schedules.accrual import exact_rate
from shared.schedules.annuity import annuity

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize("case", named(PUBLISHED["schedules"]))
def test_a_schedule_gives_the_published_figures(case: dict[str, Any]) -> None:
    terms, expected = Terms.model_validate(case["terms"]), case["expected"]
    made = paid_out_whole(terms, disbursed_on=date.fromisoformat(case["disbursed_on"]))
    ours = {
        "due": [day.isoformat() for day in made.due],
        "principal": [decimal_text(part, terms.currency) for part in made.principal],
        "interest": [decimal_text(part, terms.currency) for part in made.interest],
        "total": [
            decimal_text(sum(parts), terms.currency) for parts in zip(made.principal, made.interest, strict=True)
        ],
    }
    tolerance = Decimal(expected.get("row_tolerance", "0"))
    for column in ours.keys() & expected.keys():
        if tolerance:
            differences = map(lambda a, b: abs(Decimal(a) - Decimal(b)), ours[column], expected[column])
            assert max(differences) <= tolerance, column
        else:
            assert ours[column] == expected[column], column
    for column, figure in expected.get("first", {}).items():
        assert ours[column][0] == figure, column
    if "total_interest" in expected:
        difference = Decimal(expected["total_interest"]) - Decimal(decimal_text(sum(made.interest), terms.currency))
        assert abs(difference) <= Decimal(expected["total_interest_tolerance"])


@pytest.mark.parametrize("case", named(PUBLISHED["annuities"]))
def test_an_annuity_before_rounding_is_the_published_one(case: dict[str, Any]) -> None:
    terms = Terms.model_validate(case["terms"])
    rate, scale = exact_rate(terms.annual_rate)
    made = annuity(((rate * 30, scale * 360),) * terms.instalments)
    ours = Decimal(terms.principal) * made.growth / made.worth
    assert abs(ours - Decimal(case["instalment"])) <= Decimal(case["tolerance"])
