"""The year's rate against published cases, and caps on both sides."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.origination.annual_rate import (
    NoAnnualRate,
    Payment,
    UnitPeriod,
    all_in_rate,
    annual,
    periodic_rate,
    time_between,
)
from services.origination.rate_caps import (
    CapRow,
    NoRateCapRow,
    NoReferenceRate,
    RateCapRowsOverlap,
    RateCaps,
    ReferenceValue,
    cap_for,
    check,
)
from services.origination.rules import load
from shared.events.terms import Terms
from shared.schedules import paid_out_whole

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())
UNITS = {
    "week": UnitPeriod(1, "week"),
    "4 weeks": UnitPeriod(4, "week"),
    "month": UnitPeriod(1, "month"),
    "quarter": UnitPeriod(3, "month"),
    "semimonth(1,16)": UnitPeriod(1, "semimonth"),
}


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in PUBLISHED if case["kind"] == kind]


@pytest.mark.parametrize("case", cases("apr_us_actuarial"))
def test_the_nominal_rate_is_the_published_us_apr(case: dict[str, Any]) -> None:
    given = case["input"]
    period = UNITS[given["unit"]]
    start, first = date.fromisoformat(given["advance_date"]), date.fromisoformat(given["first_payment"])
    whole, fraction = time_between(start, first, period)
    amounts = [round(amount * 100) for count, amount in given["payments"] for _ in range(count)]
    payments = [Payment(whole + number, fraction, amount) for number, amount in enumerate(amounts)]
    rate = annual(periodic_rate(given["advance"] * 100, payments), period, "nominal") * 100
    assert abs(rate - Decimal(str(case["expected"]["apr_pct"]))) <= Decimal(str(case["tolerance"]))


@pytest.mark.parametrize("case", cases("irr"))
def test_the_periodic_rate_is_the_published_internal_rate_of_return(case: dict[str, Any]) -> None:
    advance, *flows = case["input"]["cashflows"]
    payments = [Payment(number, Decimal(0), amount) for number, amount in enumerate(flows, start=1)]
    difference = periodic_rate(-advance, payments) - Decimal(str(case["expected"]["irr"]))
    assert abs(difference) <= Decimal(str(case["tolerance"]))


@pytest.mark.parametrize("case", cases("disclosure"))
def test_a_flat_fee_is_shown_as_what_it_costs_on_the_money_really_in_use(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    lent, count = given["principal"] * 100, given["n"]
    part = lent // count + round(lent * given["monthly_fee_on_original"])
    month = UnitPeriod(1, "month")
    rate = periodic_rate(lent, [Payment(number, Decimal(0), part) for number in range(1, count + 1)])
    for method, name in (("nominal", "apr_simple_pct"), ("effective", "effective_annual_pct")):
        shown = annual(rate, month, method) * 100  # type: ignore[arg-type]
        assert abs(shown - Decimal(str(expected[name]))) <= Decimal(str(case["tolerance"]))
        assert shown > Decimal(str(expected["naive_pct"]))


def test_payments_that_give_back_less_than_the_advance_have_no_rate() -> None:
    assert periodic_rate(100, [Payment(1, Decimal(0), 100)]) == 0
    with pytest.raises(NoAnnualRate):
        periodic_rate(100, [Payment(1, Decimal(0), 99)])


def loan(annual_rate: str) -> Terms:
    return Terms(
        kind="equal-instalment",
        principal="100000.00",
        currency="CNY",
        annual_rate=annual_rate,
        instalments=24,
        first_due_date=date(2026, 4, 15),
    )


def rate_of(terms: Terms, method: Any) -> Decimal:
    day = date(2026, 3, 15)
    made = paid_out_whole(terms, disbursed_on=day).instalments
    return all_in_rate(10_000_000, made, disbursed_on=day, every=1, unit="month", method=method)


def test_22_percent_nominal_paid_monthly_passes_a_nominal_cap_of_24_and_not_an_effective_one() -> None:
    nominal, effective = rate_of(loan("0.22"), "nominal"), rate_of(loan("0.22"), "effective")
    assert (round(nominal, 4), round(effective, 4)) == (Decimal("0.2200"), Decimal("0.2436"))
    cap = cap_for(
        load().rate_caps, country="CN", lender_kind="microloan-company", product_kind="consumer", day=date(2026, 3, 15)
    )
    assert (cap.row.method, cap.limit) == ("effective", Decimal("0.24"))
    assert not cap.allows(effective)
    assert cap.allows(nominal)


def test_rounding_to_minor_units_does_not_push_a_loan_at_the_cap_over_it() -> None:
    small = loan("0.24").model_copy(update={"principal": "1000.00"})
    made = paid_out_whole(small, disbursed_on=date(2026, 3, 15)).instalments
    rate = all_in_rate(100_000, made, disbursed_on=date(2026, 3, 15), every=1, unit="month", method="nominal")
    row = CapRow(
        name="n@1",
        country="XX",
        lender_kind="bank",
        product_kinds=["consumer"],
        valid_from=date(2020, 1, 1),
        method="nominal",
        fixed=Decimal("0.24"),
        counts="all",
        source="test",
    )
    cap = cap_for(
        RateCaps(references={}, rows=[row]),
        country="XX",
        lender_kind="bank",
        product_kind="consumer",
        day=date(2026, 3, 15),
    )
    assert rate != Decimal("0.24")
    assert cap.allows(rate)
    assert not cap.allows(Decimal("0.2401"))


@pytest.mark.parametrize(
    ("day", "name", "limit"),
    [
        (date(2025, 12, 31), "cn-microloan-24@1", "0.24"),
        (date(2026, 1, 1), "cn-microloan-24@2", "0.24"),
        (date(2027, 12, 30), "cn-microloan-24@2", "0.24"),
        (date(2027, 12, 31), "cn-microloan-4xlpr@1", "0.12"),
    ],
)
def test_the_cap_is_the_row_of_the_contract_date(day: date, name: str, limit: str) -> None:
    cap = cap_for(load().rate_caps, country="CN", lender_kind="microloan-company", product_kind="farm", day=day)
    assert (cap.row.name, cap.limit) == (name, Decimal(limit))


@pytest.mark.parametrize("case", cases("rate_cap"))
def test_a_multiple_of_the_reference_rate_is_the_published_cap(case: dict[str, Any]) -> None:
    given = case["input"]
    reference = Decimal(str(given["lpr_1y_pct"])) / 100
    row = CapRow(
        name="m@1",
        country="CN",
        lender_kind="private",
        product_kinds=["consumer"],
        valid_from=date(2020, 8, 20),
        method="nominal",
        multiple=Decimal(given["multiple"]),
        multiple_of="lpr",
        counts="all",
        source="test",
    )
    caps = RateCaps(references={"lpr": [ReferenceValue(valid_from=date(2025, 1, 1), rate=reference)]}, rows=[row])
    found = cap_for(caps, country="CN", lender_kind="private", product_kind="consumer", day=date(2025, 1, 1))
    assert found.limit is not None
    assert found.limit * 100 == Decimal(str(case["expected"]["cap_pct"]))
    with pytest.raises(NoReferenceRate):
        cap_for(caps, country="CN", lender_kind="private", product_kind="consumer", day=date(2024, 12, 31))
    with pytest.raises(RateCapRowsOverlap):
        check(caps.model_copy(update={"rows": [row, row.model_copy(update={"name": "m@2"})]}))


def test_without_a_row_nothing_is_priced() -> None:
    with pytest.raises(NoRateCapRow):
        cap_for(
            load().rate_caps, country="FR", lender_kind="microloan-company", product_kind="farm", day=date(2026, 1, 1)
        )
