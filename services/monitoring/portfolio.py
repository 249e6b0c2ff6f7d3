"""The portfolio as of a closed date: portfolio at risk, non-performing loans, classes, concentration.

PAR of x days = the whole outstanding principal of loans that are more than x days past due, over all outstanding
principal. Source: CGAP. Neither the amount in arrears nor a count of loans is in it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.monitoring.classification import class_of, days_past_due, non_performing, row_on
from services.monitoring.policy import CLASSES, ClassRow
from shared.money import decimal_text, divide

PAR_DAYS = (1, 30, 60, 90)
RATIO_DECIMALS = 6
LARGEST = 10
"""Entries of a concentration that are named; the rest is one figure."""


@dataclass(frozen=True, slots=True)
class Position:
    """One loan as it stood: principal in minor units, and the due date from which its days past due count."""

    loan_id: str
    borrower_id: str
    currency: str
    principal: int
    past_due_since: date | None
    industry: str = "unknown"
    region: str = "unknown"


def ratio(part: int, whole: int) -> str:
    """part / whole with six decimals, a tie to the even neighbour; of nothing outstanding nothing is at risk."""
    if whole == 0:
        return f"0.{'0' * RATIO_DECIMALS}"
    digits = str(divide(part * 10**RATIO_DECIMALS, whole, "half-even")).rjust(RATIO_DECIMALS + 1, "0")
    return f"{digits[:-RATIO_DECIMALS]}.{digits[-RATIO_DECIMALS:]}"


def portfolio(loans: Iterable[Position], as_of: date) -> dict[str, Any]:
    """Everything, per currency: amounts as decimal strings, ratios with six decimals."""
    row = row_on(as_of)
    by_currency: dict[str, list[Position]] = {}
    for loan in loans:
        if loan.principal:
            by_currency.setdefault(loan.currency, []).append(loan)
    figures = {code: _figures(code, found, as_of, row) for code, found in sorted(by_currency.items())}
    return {"as_of": as_of.isoformat(), "policy": row.version, "currencies": figures}


def _figures(code: str, loans: Sequence[Position], as_of: date, row: ClassRow) -> dict[str, Any]:
    total = sum(loan.principal for loan in loans)
    days = {loan.loan_id: days_past_due(loan.past_due_since, as_of) for loan in loans}
    classes = {loan.loan_id: class_of(days[loan.loan_id], row) for loan in loans}

    def share(of: Callable[[Position], bool]) -> dict[str, Any]:
        found = [loan.principal for loan in loans if of(loan)]
        return {"loans": len(found), "amount": decimal_text(sum(found), code), "ratio": ratio(sum(found), total)}

    at_risk = {f"par{x}": share(lambda loan, x=x: days[loan.loan_id] > x) for x in PAR_DAYS}  # type: ignore[misc]
    return {
        "loans": len(loans),
        "outstanding": decimal_text(total, code),
        **at_risk,
        "npl": share(lambda loan: non_performing(classes[loan.loan_id], row)),
        "classes": {
            name: share(lambda loan, name=name: classes[loan.loan_id] == name)  # type: ignore[misc]
            for name in CLASSES
        },
        "concentration": {
            "borrower": _concentration(code, total, [(loan.borrower_id, loan.principal) for loan in loans]),
            "industry": _concentration(code, total, [(loan.industry, loan.principal) for loan in loans]),
            "region": _concentration(code, total, [(loan.region, loan.principal) for loan in loans]),
        },
    }


def _concentration(code: str, total: int, shares: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """The largest by name, and the Herfindahl index: the sum of squared shares, 1 where one holds all."""
    sums = Counter[str]()
    for name, principal in shares:
        sums[name] += principal
    largest = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:LARGEST]
    return {
        "count": len(sums),
        "herfindahl": ratio(sum(value * value for value in sums.values()), total * total),
        "largest": [
            {"name": name, "amount": decimal_text(value, code), "ratio": ratio(value, total)} for name, value in largest
        ],
    }
