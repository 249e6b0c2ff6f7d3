"""Where a case's expected figures and ours part."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from lendlog.oracle.given import fraction

DECIMALS = 15
"""How many are shown at most."""


@dataclass(frozen=True, slots=True)
class Difference:
    """At `where` in a case (`interest[3]`), what was expected and what came out."""

    where: str
    expected: str
    actual: str


def compare(expected: Mapping[str, Any], actual: Mapping[str, Any], tolerance: Decimal) -> list[Difference]:
    """Every expected figure beside ours: numbers may differ by `tolerance`, anything else by nothing."""
    differences: list[Difference] = []
    for name, wanted in expected.items():
        if name in actual:
            differences += _compare(name, wanted, actual[name], tolerance)
        else:
            differences.append(Difference(name, _shown(wanted), "no such figure"))
    return differences


def _compare(where: str, expected: Any, actual: Any, tolerance: Decimal) -> list[Difference]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        inner = compare(expected, actual, tolerance)
        return [Difference(f"{where}.{one.where}", one.expected, one.actual) for one in inner]
    if _is_list(expected) and _is_list(actual):
        if len(expected) != len(actual):
            return [Difference(where, f"{len(expected)} figures", f"{len(actual)} figures")]
        rows = enumerate(zip(expected, actual, strict=True))
        return [one for n, (a, b) in rows for one in _compare(f"{where}[{n}]", a, b, tolerance)]
    if _is_number(actual) and (_is_number(expected) or _is_text_of_number(expected)):
        equal = abs(fraction(expected) - fraction(actual)) <= Fraction(tolerance)
    else:
        equal = _shown(expected) == _shown(actual)
    return [] if equal else [Difference(where, _shown(expected), _shown(actual))]


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal | Fraction) and not isinstance(value, bool)


def _is_text_of_number(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


def _shown(value: object) -> str:
    if isinstance(value, Decimal | float):
        text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value)
