"""The portfolio as of a closed date: portfolio at risk, non-performing and restructured loans, what was written off,
classes, buckets, concentration.

PAR of x days = the whole outstanding principal of loans that are more than x days past due, over all outstanding
principal. Source: CGAP. Neither the amount in arrears nor a count of loans is in it. A loan that was charged off counts
for as long as its claim goes on; one that was written off has left the portfolio.
Written off = principal that was booked as a loss so far, by charge-off or write-off, over itself and what is still an
asset. (CGAP's write-off ratio is a year's, over the year's average portfolio: two dates here give its numerator.)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.monitoring.classification import bucket_of, buckets_on, days_past_due, marks_of
from services.monitoring.policy import BucketRow
from shared.events.monitoring import Class
from shared.loan_classes import CLASSES, ClassRow, classed, non_performing, row_on
from shared.money import decimal_text, divide

PAR_DAYS = (1, 30, 60, 90)
RATIO_DECIMALS = 6
LARGEST = 10
"""Entries of a concentration that are named; the rest is one figure."""


@dataclass(frozen=True, slots=True)
class Position:
    """One loan as it stood: amounts in minor units, and the due date from which its days past due count.

    restructured: how often; watched_until: for that, this date included. written_off: principal booked as a loss.
    """

    loan_id: str
    borrower_id: str
    currency: str
    principal: int
    past_due_since: date | None
    industry: str = "unknown"
    region: str = "unknown"
    status: str = "active"
    restructured: int = 0
    watched_until: date | None = None
    charged_off_on: date | None = None
    written_off: int = 0


def ratio(part: int, whole: int) -> str:
    """part / whole with six decimals, a tie to the even neighbour; of nothing outstanding nothing is at risk."""
    if whole == 0:
        return f"0.{'0' * RATIO_DECIMALS}"
    digits = str(divide(part * 10**RATIO_DECIMALS, whole, "half-even")).rjust(RATIO_DECIMALS + 1, "0")
    return f"{digits[:-RATIO_DECIMALS]}.{digits[-RATIO_DECIMALS:]}"


def portfolio(loans: Iterable[Position], as_of: date) -> dict[str, Any]:
    """Everything, per currency: amounts as decimal strings, ratios with six decimals."""
    row, buckets = row_on(as_of), buckets_on(as_of)
    by_currency: dict[str, list[Position]] = {}
    for loan in loans:
        if loan.principal or loan.written_off:
            by_currency.setdefault(loan.currency, []).append(loan)
    figures = {code: _figures(code, found, as_of, row, buckets) for code, found in sorted(by_currency.items())}
    return {"as_of": as_of.isoformat(), "policy": row.version, "buckets": buckets.version, "currencies": figures}


def _figures(code: str, known: Sequence[Position], as_of: date, row: ClassRow, buckets: BucketRow) -> dict[str, Any]:
    loans = [loan for loan in known if loan.principal and loan.status != "written-off"]
    total = sum(loan.principal for loan in loans)
    days = {loan.loan_id: days_past_due(loan.past_due_since, as_of) for loan in loans}
    classes = {loan.loan_id: class_on(loan, as_of, row) for loan in loans}
    in_bucket = {name: bucket_of(late, buckets) for name, late in days.items()}

    def share(of: Callable[[Position], bool]) -> dict[str, Any]:
        found = [loan.principal for loan in loans if of(loan)]
        return {"loans": len(found), "amount": decimal_text(sum(found), code), "ratio": ratio(sum(found), total)}

    at_risk = {f"par{x}": share(lambda loan, x=x: days[loan.loan_id] > x) for x in PAR_DAYS}  # type: ignore[misc]
    return {
        "loans": len(loans),
        "outstanding": decimal_text(total, code),
        **at_risk,
        "npl": share(lambda loan: non_performing(classes[loan.loan_id], row)),
        "restructured": share(lambda loan: loan.restructured > 0),
        "written_off": _written_off(code, known, loans),
        "classes": {
            name: share(lambda loan, name=name: classes[loan.loan_id] == name)  # type: ignore[misc]
            for name in CLASSES
        },
        "buckets": {
            one.name: share(lambda loan, name=one.name: in_bucket[loan.loan_id] == name)  # type: ignore[misc]
            for one in buckets.buckets
        },
        "concentration": {
            "borrower": _concentration(code, total, [(loan.borrower_id, loan.principal) for loan in loans]),
            "industry": _concentration(code, total, [(loan.industry, loan.principal) for loan in loans]),
            "region": _concentration(code, total, [(loan.region, loan.principal) for loan in loans]),
        },
    }


def class_on(loan: Position, as_of: date, row: ClassRow) -> Class:
    """The loan's class on a date by its row; the same as monitoring gave it when it closed that date."""
    marks = marks_of(loan.status, loan.watched_until, loan.charged_off_on)
    return classed(days_past_due(loan.past_due_since, as_of), row, marks, as_of).name


def _written_off(code: str, known: Sequence[Position], loans: Sequence[Position]) -> dict[str, Any]:
    found = [loan.written_off for loan in known if loan.written_off]
    assets = sum(loan.principal for loan in loans if loan.charged_off_on is None)
    amount = sum(found)
    return {"loans": len(found), "amount": decimal_text(amount, code), "ratio": ratio(amount, amount + assets)}


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
