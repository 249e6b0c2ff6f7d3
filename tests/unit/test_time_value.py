"""Annuities and rates of return agree with numpy-financial and pyxirr, and their solver always ends."""

from datetime import date, timedelta
from decimal import Decimal

import numpy_financial as npf
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.time_value import (
    NoRate,
    NoTerm,
    When,
    dated_internal_rate,
    dated_net_present_value,
    future_value,
    interest_part,
    internal_rate,
    modified_internal_rate,
    net_present_value,
    number_of_payments,
    payment,
    present_value,
    principal_part,
    rate_of_annuity,
)

RATES = st.decimals("0.0001", "0.5", places=4)
SUMS = st.decimals("-100000", "100000", places=2)
WHEN = st.sampled_from(["end", "beginning"])


def near(ours: Decimal, theirs: float, *, relative: float = 1e-9, absolute: float = 1e-6) -> bool:
    return float(ours) == pytest.approx(theirs, rel=relative, abs=absolute)


def named(when: When) -> str:
    return "end" if when == "end" else "begin"


@given(RATES, st.integers(1, 120), SUMS, SUMS, WHEN)
def test_an_annuity_is_that_of_numpy_financial(
    rate: Decimal, periods: int, first: Decimal, second: Decimal, when: When
) -> None:
    r, a, b = float(rate), float(first), float(second)
    assert near(payment(rate, periods, first, second, when), npf.pmt(r, periods, a, b, named(when)))
    assert near(present_value(rate, periods, first, second, when), npf.pv(r, periods, a, b, named(when)))
    grown = npf.fv(r, periods, a, b, named(when))
    assert near(future_value(rate, periods, first, second, when), grown, absolute=1e-9 * (1 + r) ** periods)


@given(RATES, st.integers(1, 120), st.decimals("1", "100000", places=2), WHEN, st.data())
def test_interest_and_principal_of_a_payment_are_those_of_numpy_financial(
    rate: Decimal, periods: int, lent: Decimal, when: When, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, periods))
    r, a = float(rate), float(lent)
    interest = interest_part(rate, number, periods, lent, when=when)
    principal = principal_part(rate, number, periods, lent, when=when)
    cancelled = 1e-13 * a * (1 + r) ** periods  # their floats take the difference of two sums that have grown so far
    assert near(interest, float(npf.ipmt(r, number, periods, a, 0, named(when))), absolute=1e-6 + cancelled)
    assert near(principal, float(npf.ppmt(r, number, periods, a, 0, named(when))), absolute=1e-6 + cancelled)
    assert interest + principal == pytest.approx(payment(rate, periods, lent, when=when), abs=Decimal("1e-20"))


@given(RATES, st.integers(1, 120), st.decimals("1", "100000", places=2), WHEN)
def test_term_and_rate_are_found_again_from_the_payment(rate: Decimal, periods: int, lent: Decimal, when: When) -> None:
    level = payment(rate, periods, lent, when=when)
    assert abs(number_of_payments(rate, level, lent, when=when) - periods) < Decimal("1e-9")
    if periods > 1 or when == "end":
        assert abs(rate_of_annuity(periods, level, lent, when=when) - rate) < Decimal("1e-12")


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(1, 100_000))
def test_the_return_of_a_loan_is_that_of_pyxirr(received: list[int], lent: int) -> None:
    flows = [-lent, *received]
    theirs = pyxirr.irr(flows) if any(received) else None
    if theirs is None or not -0.95 < theirs < 7:
        return
    ours = internal_rate([Decimal(flow) for flow in flows])
    assert float(ours) == pytest.approx(theirs, rel=1e-6, abs=1e-8)
    assert abs(net_present_value(ours, [Decimal(flow) for flow in flows])) < Decimal("1e-9")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 10_000)), min_size=1, max_size=20))
def test_the_return_of_dated_flows_is_that_of_pyxirr(later: list[tuple[int, int]]) -> None:
    start = date(2024, 1, 31)
    flows = [(start, Decimal(-20_000)), *((start + timedelta(days), Decimal(amount)) for days, amount in later)]
    days, amounts = [day for day, _ in flows], [float(amount) for _, amount in flows]
    assert near(dated_net_present_value(Decimal("0.1"), flows), pyxirr.xnpv(0.1, days, amounts))
    theirs = pyxirr.xirr(days, amounts)
    if theirs is not None and -0.95 < theirs < 7:
        assert float(dated_internal_rate(flows)) == pytest.approx(theirs, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("flows", "rate"),
    [([-100, 0, 0, 74], "-0.0955"), ([-100, 100, 0, -7], "-0.0833"), ([-5, "10.5", 1, -8, 1], "0.0886")],
)
def test_of_several_rates_the_one_nearest_to_zero_is_meant(flows: list[int | str], rate: str) -> None:
    """Source: numpy-financial, documentation of irr."""
    assert round(internal_rate([Decimal(flow) for flow in flows]), 4) == Decimal(rate)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=12), RATES, RATES)
def test_the_modified_return_is_that_of_numpy_financial(flows: list[int], finance: Decimal, reinvest: Decimal) -> None:
    if min(flows) >= 0 or max(flows) <= 0:
        with pytest.raises(NoRate):
            modified_internal_rate([Decimal(flow) for flow in flows], finance=finance, reinvest=reinvest)
        return
    ours = modified_internal_rate([Decimal(flow) for flow in flows], finance=finance, reinvest=reinvest)
    assert near(ours, npf.mirr(flows, float(finance), float(reinvest)))


def test_extreme_returns_are_found_and_what_has_none_is_refused() -> None:
    assert round(internal_rate([Decimal(-1), Decimal(1000)])) == 999
    assert internal_rate([Decimal(-100), Decimal(100)]) == 0
    assert round(internal_rate([Decimal(-1000), Decimal(1)]), 6) == Decimal("-0.999")
    for flows in ([1, 2], [-1, -2]):
        with pytest.raises(NoRate):
            internal_rate([Decimal(flow) for flow in flows])
    with pytest.raises(NoTerm):
        number_of_payments(Decimal("0.01"), Decimal(-1), Decimal(100))
    with pytest.raises(NoTerm):
        number_of_payments(Decimal(0), Decimal(0), Decimal(100))


def test_without_a_rate_an_annuity_is_a_division() -> None:
    assert payment(Decimal(0), 4, Decimal(100)) == -25
    assert present_value(Decimal(0), 4, Decimal(-25)) == 100
    assert future_value(Decimal(0), 4, Decimal(-25)) == 100
    assert number_of_payments(Decimal(0), Decimal(-25), Decimal(100)) == 4
    assert rate_of_annuity(4, Decimal(-25), Decimal(100)) == 0
