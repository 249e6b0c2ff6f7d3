"""Laws of schedules: no minor unit is made or lost, whatever the terms."""

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from services.ledger.schedule import FirstDueNotAfterDisbursement, Schedule, UnschedulableTerms, schedule
from shared.events.origination import Terms
from shared.money import decimal_text, minor_units

days = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@st.composite
def loans(draw: st.DrawFn) -> tuple[Terms, date]:
    code = draw(st.sampled_from(["EUR", "JPY", "KWD", "CZK"]))
    first = draw(days)
    terms = Terms(
        kind=draw(st.sampled_from(["equal-instalment", "equal-principal"])),
        principal=decimal_text(draw(st.integers(0, 10**12)), code),
        currency=code,
        annual_rate=draw(st.sampled_from(["0", "0.0001", "0.049", "0.12", "0.365", "1.5", "0.12345678"])),
        instalments=draw(st.integers(1, 60)),
        every=draw(st.integers(1, 13)),
        unit=draw(st.sampled_from(["day", "week", "month"])),
        first_due_date=first,
        day_count=draw(st.sampled_from(["30/360", "actual/365"])),
        rounding=draw(st.sampled_from(["half-even", "half-up"])),
    )
    return terms, first - timedelta(days=draw(st.integers(-2, 400)))


def made(terms: Terms, disbursed_on: date) -> Schedule:
    try:
        return schedule(terms, disbursed_on=disbursed_on)
    except FirstDueNotAfterDisbursement:
        assert terms.first_due_date <= disbursed_on
        assume(False)
    except UnschedulableTerms:
        assume(False)
    raise AssertionError("assume(False) returns nothing")


@given(loans())
def test_principal_sums_to_what_was_lent_and_dates_ascend(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms, disbursed_on)
    assert sum(plan.principal) == minor_units(terms.principal, terms.currency)
    assert len(plan.due) == len(plan.principal) == len(plan.interest) == terms.instalments
    assert plan.due[0] == terms.first_due_date
    assert all(earlier < later for earlier, later in zip(plan.due, plan.due[1:], strict=False))
    assert min(plan.principal) >= 0
    assert min(plan.interest) >= 0
    assert all(part + charge > 0 for part, charge in zip(plan.principal, plan.interest, strict=True))


@given(loans())
def test_instalments_are_equal_except_the_last(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms, disbursed_on)
    parts = (
        plan.principal if terms.kind == "equal-principal" else map(sum, zip(plan.principal, plan.interest, strict=True))
    )
    assert len(set(list(parts)[:-1])) <= 1


@given(loans())
def test_zero_interest_charges_nothing(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms.model_copy(update={"annual_rate": "0"}), disbursed_on)
    assert not any(plan.interest)


@given(principal=st.integers(10**4, 10**12), instalments=st.integers(1, 60), bps=st.integers(1, 5000))
def test_monthly_interest_is_a_twelfth_of_a_year_on_the_balance(principal: int, instalments: int, bps: int) -> None:
    """The whole table against a textbook one in exact fractions: f / (1 - (1+f)^-n), interest on what is left."""
    terms = Terms(
        kind="equal-instalment",
        principal=decimal_text(principal, "EUR"),
        currency="EUR",
        annual_rate=f"0.{bps:04d}",
        instalments=instalments,
        first_due_date=date(2024, 2, 29),
    )
    plan = made(terms, date(2024, 1, 31))
    factor = Fraction(bps, 120_000)
    instalment = round(principal * factor / (1 - (1 + factor) ** -instalments))
    balance = principal
    for part, charge in zip(plan.principal[:-1], plan.interest, strict=False):
        assert charge == round(balance * factor)
        assert part == instalment - charge
        balance -= part
    assert plan.principal[-1] == balance
