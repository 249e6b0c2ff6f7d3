"""Laws of exact money."""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from shared.money import CURRENCIES, MAX_MINOR, Rounding, decimal_text, divide, minor_units

currencies = st.sampled_from(sorted(CURRENCIES))
DECIMAL_ROUNDINGS: dict[Rounding, str] = {
    "half-even": ROUND_HALF_EVEN,
    "half-up": ROUND_HALF_UP,
    "floor": ROUND_FLOOR,
}


@given(minor=st.integers(0, MAX_MINOR), code=currencies)
def test_text_and_minor_units_are_inverse(minor: int, code: str) -> None:
    assert minor_units(decimal_text(minor, code), code) == minor


@given(minor=st.integers(-MAX_MINOR, MAX_MINOR), code=currencies)
def test_text_is_the_exact_decimal(minor: int, code: str) -> None:
    assert Decimal(decimal_text(minor, code)).scaleb(CURRENCIES[code].exponent) == minor


@given(minor=st.integers(0, MAX_MINOR), code=currencies, zeros=st.integers(1, 6))
def test_zeros_past_the_exponent_change_nothing(minor: int, code: str, zeros: int) -> None:
    text = decimal_text(minor, code)
    text += ("" if "." in text else ".") + "0" * zeros
    assert minor_units(text, code) == minor


@given(
    numerator=st.integers(-(10**18), 10**18),
    denominator=st.integers(-(10**9), 10**9).filter(bool),
    rounding=st.sampled_from(sorted(DECIMAL_ROUNDINGS)),
)
def test_division_rounds_as_decimal_does(numerator: int, denominator: int, rounding: Rounding) -> None:
    with localcontext(prec=60):
        exact = Decimal(numerator) / Decimal(denominator)
        assert divide(numerator, denominator, rounding) == int(exact.to_integral_value(DECIMAL_ROUNDINGS[rounding]))


@given(numerator=st.integers(0, 10**15), parts=st.integers(1, 600), rounding=st.sampled_from(sorted(DECIMAL_ROUNDINGS)))
def test_a_rounded_share_is_off_by_less_than_one(numerator: int, parts: int, rounding: Rounding) -> None:
    assert abs(divide(numerator, parts, rounding) * parts - numerator) < parts
