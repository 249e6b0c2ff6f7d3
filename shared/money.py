"""Exact amounts: an integer count of minor units beside its currency, and the only ways in, out and to round."""

from typing import Literal, NamedTuple, NoReturn

from shared.currencies import TABLE
from shared.errors import Refusal

MAX_MINOR = 10**17 - 1
"""The largest amount in one event, in minor units: sums of some ninety of them still fit a 64-bit column."""

Rounding = Literal["half-even", "half-up", "floor"]


class UnknownCurrency(Refusal):
    """The currency is not an active ISO 4217 code with a minor unit."""


class NotAnAmount(Refusal):
    """The amount is not a plain decimal string such as 1250.00: no sign, no leading zero, no exponent."""


class TooManyDecimals(Refusal):
    """The amount has more decimals than its currency counts."""


class AmountTooLarge(NotAnAmount):
    """The amount is above the largest that one event may carry."""


class Currency(NamedTuple):
    """An ISO 4217 currency; `exponent` is how many decimals its minor unit has."""

    code: str
    number: int
    exponent: int


def _parse(row: str) -> Currency:
    code, number, exponent = row.split()
    return Currency(code, int(number), int(exponent))


CURRENCIES: dict[str, Currency] = {row.code: row for row in map(_parse, TABLE.split(","))}
_EXPONENTS = {row.code: row.exponent for row in CURRENCIES.values()}
_CODES = {row.number: row.code for row in CURRENCIES.values()}


def currency(code: str) -> Currency:
    """The currency of an ISO 4217 alphabetic code; raises UnknownCurrency."""
    found = CURRENCIES.get(code)
    if found is None:
        _refuse_currency(code)
    return found


def code_of(number: int) -> str:
    """The alphabetic code of an ISO 4217 number; raises UnknownCurrency."""
    code = _CODES.get(number)
    if code is None:
        raise UnknownCurrency(f"{number} is not an ISO 4217 currency number.", field="currency")
    return code


def minor_units(text: str, code: str) -> int:
    """The amount `text` in minor units of `code`, exact: ("12.5", "EUR") is 1250. Zeros past the exponent are allowed.

    Raises UnknownCurrency, NotAnAmount (a sign is not part of an amount), AmountTooLarge or TooManyDecimals.
    """
    exponent = _EXPONENTS.get(code)
    if exponent is None:
        _refuse_currency(code)
    if exponent == 2 and len(text) < 18 and text[-3:-2] == "." and text.isascii():  # nearly every amount there is
        whole, decimals = text[:-3], text[-2:]
        if whole.isdigit() and decimals.isdigit() and (whole[0] != "0" or len(whole) == 1):
            return int(whole + decimals)
    whole, point, decimals = text.partition(".")
    if not (whole.isdigit() and text.isascii()) or (whole[0] == "0" and len(whole) > 1):
        _refuse_amount(text)
    if point:
        if not decimals.isdigit():
            _refuse_amount(text)
        if len(decimals) > exponent:
            if decimals[exponent:].strip("0"):
                raise TooManyDecimals(f"{text[:40]} has more than the {exponent} decimals of {code}.", field="amount")
            decimals = decimals[:exponent]
    if len(whole) > 18:
        _refuse_size(text, code)
    minor = int(whole + decimals.ljust(exponent, "0"))
    if minor > MAX_MINOR:
        _refuse_size(text, code)
    return minor


def decimal_text(minor: int, code: str) -> str:
    """The decimal string of `minor` minor units of `code`, with all its decimals: (1250, "EUR") is "12.50"."""
    exponent = _EXPONENTS.get(code)
    if exponent is None:
        _refuse_currency(code)
    if exponent == 2 and minor >= 100:  # nearly every amount there is
        digits = str(minor)
        return f"{digits[:-2]}.{digits[-2:]}"
    if exponent == 0:
        return str(minor)
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """The exact quotient rounded once to an integer.

    `half-even`: a tie goes to the even neighbour (IEEE 754 roundTiesToEven). `half-up`: a tie goes away from zero
    (IEEE 754 roundTiesToAway, java.math.RoundingMode.HALF_UP). `floor`: toward minus infinity (roundTowardNegative).
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    if rounding == "floor":
        return quotient
    twice = rest + rest
    if rounding == "half-even":
        return quotient + (twice > denominator or (twice == denominator and quotient & 1))
    if rounding == "half-up":
        return quotient + (twice > denominator or (twice == denominator and numerator >= 0))
    raise ValueError(f"unknown rounding {rounding!r}")


def _refuse_currency(code: str) -> NoReturn:
    raise UnknownCurrency(f"{code[:40]!r} is not an active ISO 4217 currency code.", field="currency")


def _refuse_amount(text: str) -> NoReturn:
    raise NotAnAmount(f"{text[:40]!r} is not a plain decimal amount.", field="amount")


def _refuse_size(text: str, code: str) -> NoReturn:
    raise AmountTooLarge(f"{text[:40]} {code} is above {decimal_text(MAX_MINOR, code)}.", field="amount")
