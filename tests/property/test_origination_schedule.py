"""The schedule that an offer shows is the one that the ledger will fold; its yearly rate makes the payments worth the
principal."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.schedule import schedule
from services.origination.annual_rate import Payment, all_in_rate, periodic_rate
from services.origination.schedule_preview import preview
from shared.errors import Refusal
from shared.events.origination import Terms
from shared.money import decimal_text
from tests.property.test_schedule import loans


@given(loans())
def test_the_preview_is_the_ledgers_schedule(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    try:
        plan = schedule(terms, disbursed_on=disbursed_on)
    except Refusal:
        with pytest.raises(Refusal):
            preview(terms, disbursed_on=disbursed_on)
        return
    shown = preview(terms, disbursed_on=disbursed_on)
    assert tuple(one.due for one in shown) == plan.due
    assert tuple(one.principal for one in shown) == plan.principal
    assert tuple(one.interest for one in shown) == plan.interest


@given(bps=st.integers(1, 9000), count=st.integers(1, 120), principal=st.integers(10**6, 10**11))
def test_without_charges_the_nominal_rate_is_the_contracts(bps: int, count: int, principal: int) -> None:
    terms = Terms(
        kind="equal-instalment",
        principal=decimal_text(principal, "EUR"),
        currency="EUR",
        annual_rate=f"0.{bps:04d}",
        instalments=count,
        first_due_date=date(2024, 2, 15),
    )
    start = date(2024, 1, 15)
    made = preview(terms, disbursed_on=start)
    nominal = all_in_rate(principal, made, disbursed_on=start, every=1, unit="month", method="nominal")
    effective = all_in_rate(principal, made, disbursed_on=start, every=1, unit="month", method="effective")
    assert abs(nominal - Decimal(bps) / 10_000) <= Decimal("0.00002")
    assert effective >= nominal


@settings(deadline=None)
@given(
    advance=st.integers(100, 10**12),
    flows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 89), st.integers(0, 10**11)), min_size=1, max_size=40),
)
def test_the_periodic_rate_solves_the_equation(advance: int, flows: list[tuple[int, int, int]]) -> None:
    payments = [Payment(whole + 1, Decimal(days) / 90, amount) for whole, days, amount in flows]
    if sum(payment.amount for payment in payments) < advance:
        return
    rate = periodic_rate(advance, payments)
    worth = sum(
        Decimal(payment.amount) / ((1 + payment.fraction * rate) * (1 + rate) ** payment.whole) for payment in payments
    )
    assert abs(worth - advance) <= Decimal(advance) * Decimal("1e-12")


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(1, 400))
def test_a_preview_needs_a_first_due_date_ahead(first: date, days: int) -> None:
    terms = Terms(
        kind="equal-principal",
        principal="100.00",
        currency="EUR",
        annual_rate="0.1",
        instalments=2,
        first_due_date=first,
    )
    assert preview(terms, disbursed_on=first - timedelta(days=days))[0].due == first
