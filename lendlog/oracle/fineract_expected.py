"""What a Fineract case expects, held against our statement."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from lendlog.oracle import fineract_delinquency as arrears
from lendlog.oracle import fineract_targets as targets
from lendlog.oracle import fineract_view as view
from lendlog.oracle.difference import Difference
from lendlog.oracle.fineract_journal import journal
from lendlog.oracle.fineract_loan import Loan
from lendlog.oracle.fineract_terms import NotTranslated
from lendlog.oracle.fineract_view import Row
from shared.money import decimal_text

Expectation = Mapping[str, Any]
INNER = frozenset({"interest_periods", "kind"})
"""Columns that are no figures of ours: the parts that Fineract's calculator cuts a period into, and a row's kind."""


def check(loan: Loan, step: Expectation) -> list[Difference]:
    """Where the loan is not as the step expects. Raises NotTranslated, and what the engine refuses."""
    name = step["expect"]
    if name not in CHECKS:
        raise NotTranslated(f"The expectation {name} is not understood.")
    return CHECKS[name](loan, step)


def _schedule(loan: Loan, step: Expectation) -> list[Difference]:
    statement = loan.expected_statement()
    rows = [row for row in step["rows"] if "nr" in row]
    ours = view.instalments(statement, loan.currency, by_date=loan.calculator)
    dated = not (loan.calculator and loan.gaps)
    found: list[Difference] = []
    if not step.get("partial"):
        found += _same("instalments", str(step.get("periods", len(rows))), str(len(ours)))
    blank = any("paid_date" in row for row in rows) or all(Decimal(row.get("outstanding", 1)) for row in rows)
    for row in rows:
        asked = {name: value for name, value in row.items() if dated or name != "due"}
        if blank and "days" in row:  # a table of all columns, in which an empty one means not paid yet
            asked.setdefault("paid_date", None)
        found += _row(f"instalment {row['nr']}", asked, ours.get(int(row["nr"])))
    paid_out = [row for row in step["rows"] if "nr" not in row]
    if paid_out:
        found += _table("disbursement", paid_out, view.disbursements(statement, loan.currency))
    return found


def _totals(loan: Loan, step: Expectation) -> list[Difference]:
    return _row("total", _asked(step), view.totals(loan.expected_statement(), loan.currency))


def _transactions(loan: Loan, step: Expectation) -> list[Difference]:
    """Fineract's own test takes the rows of a date in any order, and so does this."""
    expected = [row for row in step["rows"] if not _accrual(row["type"])]
    return _any_order("transaction", expected, view.transactions(loan, loan.statement()), ("date", "type", "amount"))


def _transactions_contain(loan: Loan, step: Expectation) -> list[Difference]:
    ours = view.transactions(loan, loan.statement())
    found: list[Difference] = []
    for row in step["rows"]:
        if _accrual(row["type"]):
            # All that the loan earned, which is what an accrual on closing brings the booked income up to.
            sums = view.totals(loan.statement(), loan.currency)
            found += _row("accrued", {name: row[name] for name in ("interest", "fees", "penalties")}, sums)
        elif not any(not _row("", row, one) for one in ours):
            near = [one for one in ours if one["type"] == row["type"]]
            found.append(Difference("transaction", _shown(row), "; ".join(_shown(one, row) for one in near) or "none"))
    return found


def _transaction_count(loan: Loan, step: Expectation) -> list[Difference]:
    if _accrual(step["type"]):
        return []
    name = targets.name_of(step["type"])
    rows = view.transactions(loan, loan.statement())
    return _same(f"number of {name}", str(step["value"]), str(sum(row["type"] == name for row in rows)))


def _reverted(loan: Loan, step: Expectation) -> list[Difference]:
    if _accrual(step["transaction"]):
        return []
    rows = view.transactions(loan, loan.statement())
    name = targets.name_of(step["transaction"])
    named = [row["reverted"] for row in rows if row["date"] == step["date"] and row["type"] == name]
    return (
        []
        if "True" in named
        else [Difference(f"{name} of {step['date']}", "reverted", "standing" if named else "none")]
    )


def _accrual(name: str) -> bool:
    """Fineract books accruals as transactions; for us interest earned is no transaction of the borrower's account."""
    return name.upper().startswith("ACCRUAL")


def _status(loan: Loan, step: Expectation) -> list[Difference]:
    return _same("status", _plain(step["value"]), view.STATUSES[loan.statement().status])


def _charges(loan: Loan, step: Expectation) -> list[Difference]:
    expected = [{**row, "name": targets.slug(row["name"])} for row in step["rows"]]
    return _any_order("charge", expected, view.charges(loan, loan.statement()), ("name", "due_as_of", "paid", "waived"))


def _amount(of: Callable[[Loan], int]) -> Callable[[Loan, Expectation], list[Difference]]:
    def compare(loan: Loan, step: Expectation) -> list[Difference]:
        return _same(step["expect"], str(loan.minor(step["value"])), str(of(loan)))

    return compare


def _overdue(loan: Loan) -> int:
    return sum(one.outstanding for one in loan.statement().instalments if one.due < loan.business_date)


def _met(loan: Loan, _: Expectation) -> list[Difference]:
    left = sum(one.outstanding for one in loan.statement().instalments)
    return _same("outstanding of all instalments", "0", str(left))


def _charged_off(loan: Loan, step: Expectation) -> list[Difference]:
    on = loan.statement().charged_off_on
    return _same("charged off on", step["date"], on.isoformat() if on else "never")


def _maturity(loan: Loan, step: Expectation) -> list[Difference]:
    """The day the loan ended, or while it runs the last due date."""
    statement = loan.statement()
    ended = statement.status not in {"contracted", "active"}
    on = statement.transactions[-1].on if ended else max(one.due for one in statement.instalments)
    return _same("maturity", step.get("date") or step["value"], on.isoformat())


def _delinquency(loan: Loan, step: Expectation) -> list[Difference]:
    row = arrears.loan_level(loan)
    ours = {"range": row["classification"], "delinquent_date": row["delinquentdate"]}
    return _row("delinquency", {**_asked(step), "delinquent_date": step["delinquent_date"] or "null"}, ours)


def _rows(of: Callable[[Loan], list[Row]]) -> Callable[[Loan, Expectation], list[Difference]]:
    return lambda loan, step: _table(step["expect"], step["rows"], of(loan))


CHECKS: dict[str, Callable[[Loan, Expectation], list[Difference]]] = {
    "schedule": _schedule,
    "schedule_totals": _totals,
    "journal": journal,
    "transactions": _transactions,
    "transactions_contain": _transactions_contain,
    "transaction_count": _transaction_count,
    "reverted": _reverted,
    "status": _status,
    "charges": _charges,
    "outstanding": _amount(lambda loan: loan.statement().outstanding),
    "overpaid": _amount(lambda loan: loan.statement().overpaid),
    "total_overdue": _amount(_overdue),
    "all_installments_met": _met,
    "charged_off_on": _charged_off,
    "maturity_date": _maturity,
    "delinquency": _delinquency,
    "delinquency_loan_level": _rows(lambda loan: [arrears.loan_level(loan)]),
    "delinquency_installment_level": _rows(arrears.instalment_level),
    "delinquency_actions": _rows(arrears.actions),
    "delinquency_pause_periods": _rows(arrears.pause_periods),
    "last_payment": _rows(lambda loan: [arrears.last_payment(loan)]),
}


def payable(loan: Loan, step: Expectation) -> list[Difference]:
    """What an instalment of Fineract's calculator asks for on a day."""
    asked = step["expect"]
    found = loan.payable(date.fromisoformat(step["period_due"]), date.fromisoformat(step["date"]))
    figures = dict(zip(("principal", "interest", "outstanding"), found, strict=True))
    ours = {name: decimal_text(amount, loan.currency) for name, amount in figures.items()}
    return _row(f"payable on {step['date']}", asked, ours)


def _asked(step: Expectation) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name not in {"expect", "rows"}}


def _table(where: str, expected: Sequence[Mapping[str, Any]], ours: list[Row]) -> list[Difference]:
    if len(expected) != len(ours):
        return [Difference(f"{where} rows", _all(expected), _all(ours))]
    pairs = enumerate(zip(expected, ours, strict=True), start=1)
    return [one for n, (row, our) in pairs for one in _row(f"{where} {n}", row, our)]


def _any_order(
    where: str, expected: Sequence[Mapping[str, Any]], ours: list[Row], by: tuple[str, ...]
) -> list[Difference]:
    """Rows that pair off without a difference are set aside; the others are shown beside what comes nearest."""
    left, found = list(ours), []
    unmet = []
    for row in expected:
        same = next((one for one in left if not _row("", row, one)), None)
        if same is None:
            unmet.append(row)
        else:
            left.remove(same)
    for row in unmet:
        near = max(left, key=lambda one: sum(_equal(row.get(name), one[name]) for name in by), default=None)
        if near is None or not _equal(row.get(by[0]), near[by[0]]):
            found.append(Difference(where, _shown(row), "none"))
        else:
            left.remove(near)
            found.append(Difference(where, _shown(row), _shown(near, row)))
    return found + [Difference(where, "none", _shown(one)) for one in left]


def _row(where: str, expected: Mapping[str, Any], ours: Mapping[str, Any] | None) -> list[Difference]:
    """The columns that the expected row has."""
    if ours is None:
        return [Difference(where, _shown(expected), "none")]
    return [
        Difference(f"{where}, {name}", str(value), str(ours.get(name)))
        for name, value in expected.items()
        if name not in INNER and not _equal(value, ours.get(name))
    ]


def _same(where: str, expected: str, ours: str) -> list[Difference]:
    return [] if expected == ours else [Difference(where, expected, ours)]


def _equal(expected: object, ours: object) -> bool:
    if expected is None or ours is None:
        return expected is ours
    if str(expected) == str(ours):
        return True
    try:
        return Decimal(str(expected)) == Decimal(str(ours))
    except InvalidOperation:
        return False


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]+", " ", name.lower()).strip()


def _shown(row: Mapping[str, Any], like: Iterable[str] | None = None) -> str:
    return " ".join(f"{name}={row.get(name)}" for name in (like or row) if name not in INNER)


def _all(rows: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(_shown(row) for row in rows) or "none"
