"""What a case gives: its numbers and names, read without losing a digit."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from shared.errors import Refusal

Case = dict[str, Any]
"""As it stands in the file; numbers with decimals are Decimal, so that 17.1 is 17.1."""
Figures = Callable[[Case], dict[str, Any]]
"""From a case to our figures, under the names that its `expected` may use."""


class NotAFigure(Refusal):
    """A case gives something else where a number is needed."""


def required(given: Mapping[str, Any], *names: str) -> Any:
    """What is given under the first of the names that is there. Raises NotAFigure if none is."""
    for name in names:
        if name in given:
            return given[name]
    raise NotAFigure(f"The input has no {' or '.join(names)}.")


def number(given: object) -> Decimal:
    """A number of a case: a JSON number, or text such as "0.075" or the quotient "1/60". Raises NotAFigure."""
    quotient = fraction(given)
    return Decimal(quotient.numerator) / Decimal(quotient.denominator)


def fraction(given: object) -> Fraction:
    """The same, exactly. Raises NotAFigure."""
    if isinstance(given, int | Decimal | Fraction) and not isinstance(given, bool):
        return Fraction(given)
    if isinstance(given, float):
        return Fraction(repr(given))
    if isinstance(given, str):
        above, slash, below = given.partition("/")
        try:
            return Fraction(above.strip()) / Fraction(below.strip()) if slash else Fraction(above.strip())
        except (ValueError, ZeroDivisionError):
            pass
    raise NotAFigure(f"{given!r} is not a number.")
