"""Properties of a loan's cost: fees raise the rate, and at it the payments are worth what is really paid out."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.origination.cost import fees_withheld, rate_of
from services.origination.product import terms_of
from services.origination.rules import load
from shared.events.terms import InstalmentFee, Terms, UpfrontFee
from shared.money import minor_units
from shared.schedules import paid_out_whole
from tests.unit.origination.examples import request

START = date(2025, 1, 10)
KINDS = ("equal-instalment", "equal-principal", "flat", "interest-only", "seasonal")


@st.composite
def loans(draw: st.DrawFn) -> Terms:
    """Monthly loans of every kind that a product may have, with fees of up to 15 %."""
    kind = draw(st.sampled_from(KINDS))
    shares = [f"0.{draw(st.integers(0, 1000)):04d}" for _ in range(draw(st.integers(0, 2)))]
    fixed = f"{draw(st.integers(0, 50_00)) / Decimal(100):.2f}"
    return Terms(
        kind=kind,
        principal=str(draw(st.integers(1_000, 1_000_000))),
        currency="CNY",
        annual_rate=f"0.{draw(st.integers(0, 2400)):04d}",
        instalments=draw(st.integers(12, 36)),
        first_due_date=date(2025, 2, 10),
        shares={6: "0.5", 10: "0.5", 1: "0"} if kind == "seasonal" else {},
        instalment_fees=draw(
            st.sampled_from([(), (InstalmentFee(name="a", amount="3", share="0.001", base="outstanding"),)])
        ),
        upfront_fees=(*(UpfrontFee(name="share", share=share) for share in shares), UpfrontFee(name="a", amount=fixed)),
    )


@given(loans())
def test_at_the_rate_the_payments_are_worth_what_the_borrower_got(terms: Terms) -> None:
    made = paid_out_whole(terms, disbursed_on=START).instalments
    lent = minor_units(terms.principal, terms.currency)
    withheld = sum(amount for _, amount in fees_withheld(terms))
    nominal = rate_of(terms, made, disbursed_on=START, method="nominal")
    growth = 1 + nominal / 12
    worth = sum(one.total / growth**number for number, one in enumerate(made, 1))
    assert abs(worth - (lent - withheld)) <= 1 + lent * Decimal("0.000006")
    if terms.instalment_fees:
        plain = terms.model_copy(update={"instalment_fees": ()})
        cheaper = paid_out_whole(plain, disbursed_on=START).instalments
        assert nominal > rate_of(plain, cheaper, disbursed_on=START, method="nominal")
    free = terms.model_copy(update={"upfront_fees": ()})
    without = rate_of(free, made, disbursed_on=START, method="nominal")
    assert nominal >= without
    assert withheld * 10_000 < lent or nominal > without


@given(st.sampled_from(sorted(load().products)), st.data())
def test_whatever_a_product_offers_has_a_schedule_that_repays_the_principal(named: str, data: st.DataObject) -> None:
    product = load().products[named]
    code = data.draw(st.sampled_from(sorted(product.amounts)))
    low, high, step = product.amount_limits(code)
    amount = data.draw(st.integers(-(-low // step), high // step)) * step
    interval = data.draw(st.sampled_from(product.intervals))
    asked = request(
        currency=code,
        instalments=data.draw(st.integers(product.instalments.min, product.instalments.max)),
        every=interval.every,
        unit=interval.unit,
        first_due_date=date(2025, data.draw(st.sampled_from(product.first_due.months or tuple(range(1, 13)))), 28),
    )
    rate = data.draw(st.decimals(product.annual_rate.min, product.annual_rate.max, places=4))
    terms = terms_of(product, asked, amount=f"{Decimal(amount) / 100:.2f}", annual_rate=f"{rate:f}")
    start = date.fromordinal(asked.first_due_date.toordinal() - product.first_due.days_min)
    assert sum(paid_out_whole(terms, disbursed_on=start).principal) == amount
