"""Exact money: the table, text in and out, and the three roundings."""

import pytest

from shared.money import (
    CURRENCIES,
    MAX_MINOR,
    AmountTooLarge,
    NotAnAmount,
    TooManyDecimals,
    UnknownCurrency,
    code_of,
    currency,
    decimal_text,
    divide,
    minor_units,
)


def test_the_table_is_whole_and_consistent() -> None:
    assert len(CURRENCIES) == 165
    assert len({row.number for row in CURRENCIES.values()}) == 165
    for code, row in CURRENCIES.items():
        assert code == row.code
        assert len(code) == 3
        assert code.isupper()
        assert 0 < row.number < 1000
        assert row.exponent in (0, 2, 3, 4)
        assert code_of(row.number) == code


@pytest.mark.parametrize(
    ("code", "number", "exponent"),
    [
        ("EUR", 978, 2),
        ("CZK", 203, 2),
        ("CNY", 156, 2),
        ("JPY", 392, 0),
        ("KWD", 414, 3),
        ("CLF", 990, 4),
        ("XCG", 532, 2),
    ],
)
def test_known_currencies(code: str, number: int, exponent: int) -> None:
    assert currency(code) == (code, number, exponent)


@pytest.mark.parametrize("code", ["XXX", "XAU", "eur", "EURO", "", "ZZZ", "DEM"])
def test_what_has_no_minor_unit_or_is_not_active_is_no_currency(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        currency(code)
    with pytest.raises(UnknownCurrency):
        minor_units("1", code)
    with pytest.raises(UnknownCurrency):
        decimal_text(1, code)


def test_an_unknown_number_is_refused() -> None:
    with pytest.raises(UnknownCurrency):
        code_of(1000)


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [
        ("0", "EUR", 0),
        ("0.05", "EUR", 5),
        ("12.5", "EUR", 1250),
        ("1.2000", "EUR", 120),
        ("1.00", "JPY", 1),
        ("7", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("999999999999999.99", "USD", 99999999999999999),
    ],
)
def test_amounts_are_read_exactly(text: str, code: str, minor: int) -> None:
    assert minor_units(text, code) == minor


@pytest.mark.parametrize(("text", "code"), [("1.234", "EUR"), ("1.2001", "EUR"), ("0.5", "JPY"), ("1.00001", "CLF")])
def test_decimals_that_the_currency_does_not_count_are_refused(text: str, code: str) -> None:
    with pytest.raises(TooManyDecimals) as refused:
        minor_units(text, code)
    assert refused.value.field == "amount"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "+1",
        "01",
        "1e3",
        "1,000",
        " 1",
        "1 ",
        "1\n",
        "NaN",
        "Infinity",
        "１",
        "²",
        "1.²",
        "1.2.3",
        "1_0",
    ],
)
def test_what_is_not_a_plain_decimal_string_is_refused(text: str) -> None:
    with pytest.raises(NotAnAmount):
        minor_units(text, "EUR")


@pytest.mark.parametrize(
    ("text", "code"), [("1000000000000000", "EUR"), ("9" * 5000, "JPY"), ("99999999999999.0000", "CLF")]
)
def test_amounts_beyond_the_largest_are_refused(text: str, code: str) -> None:
    with pytest.raises(AmountTooLarge):
        minor_units(text, code)


def test_text_has_all_decimals_of_its_currency() -> None:
    assert decimal_text(0, "EUR") == "0.00"
    assert decimal_text(5, "EUR") == "0.05"
    assert decimal_text(-5, "EUR") == "-0.05"
    assert decimal_text(-1250, "KWD") == "-1.250"
    assert decimal_text(MAX_MINOR, "JPY") == "99999999999999999"


@pytest.mark.parametrize(
    ("numerator", "denominator", "even", "up", "floor"),
    [
        (1, 2, 0, 1, 0),
        (3, 2, 2, 2, 1),
        (5, 2, 2, 3, 2),
        (-1, 2, 0, -1, -1),
        (-3, 2, -2, -2, -2),
        (-5, 2, -2, -3, -3),
        (5, -2, -2, -3, -3),
        (2, 3, 1, 1, 0),
        (1, 3, 0, 0, 0),
        (-2, 3, -1, -1, -1),
        (6, 3, 2, 2, 2),
        (0, 7, 0, 0, 0),
    ],
)
def test_each_rounding(numerator: int, denominator: int, even: int, up: int, floor: int) -> None:
    assert divide(numerator, denominator, "half-even") == even
    assert divide(numerator, denominator, "half-up") == up
    assert divide(numerator, denominator, "floor") == floor


def test_an_unknown_rounding_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="unknown rounding"):
        divide(1, 3, "up")  # type: ignore[arg-type]
