"""The yearly rate of an offer makes the payments of its schedule worth the principal."""

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.origination.annual_rate import Payment, all_in_rate, periodic_rate
from shared.events.terms import Terms
from shared.money import decimal_text
from shared.schedules import paid_out_whole


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
    made = paid_out_whole(terms, disbursed_on=start).instalments
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
