"""Apache Fineract's scenarios come out of our engine (data/README.md: the source; docs/oracles.md: what is read)."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lendlog.oracle.cases import read
from lendlog.oracle.fineract import differences

CASES = read(Path(__file__).parent / "data" / "fineract.json")
MISSES: dict[str, str] = {
    "V012": "skipped in Fineract's own suite: its schedule is not one that Fineract makes",
    "V015": "skipped in Fineract's own suite: its schedule is not one that Fineract makes",
    "V131": "paid early, interest falls, even if the payment is exactly the instalment",
}
"""Cases that miss, with the reason; docs/oracles.md explains each."""
MET = [case for case in CASES if case["id"] not in MISSES]


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize("case", named(MET))
def test_a_scenario_gives_its_figures(case: dict[str, Any]) -> None:
    assert differences(case) == []


@pytest.mark.parametrize("case", named([case for case in CASES if case["id"] in MISSES]))
def test_a_miss_that_is_explained_still_misses(case: dict[str, Any]) -> None:
    assert differences(case), "met now: take it off the list, and out of docs/oracles.md"


@pytest.mark.parametrize("case", named(MET))
def test_every_expected_figure_is_compared(case: dict[str, Any]) -> None:
    """With every figure changed, every expectation that has one differs in each of its rows."""
    changed, wanted = _changed(case)
    found = {one.where.split(":")[0] for one in differences(changed)}
    assert wanted <= found


FIGURES = {
    "principal", "interest", "fees", "penalties", "total", "paid", "in_advance", "late", "waived", "outstanding",
    "balance", "value", "amount", "loan_balance", "overpayment", "due", "delinquentamount", "delinquentdays",
    "pastduedays", "days", "debit", "credit",
}  # fmt: skip


def _changed(case: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The case with one figure of each expectation changed in turn, and the steps that must differ."""
    changed, wanted = deepcopy(case), set()
    for number, step in enumerate(changed["steps"], start=1):
        asked = step["expect"] if isinstance(step.get("expect"), dict) else step
        if "expect" not in step or step["expect"] == "error":
            continue
        holders = [row for row in step.get("rows", step.get("entries", [])) if row.get("type") != "Accrual"] or [asked]
        holder = holders[number % len(holders)]
        figures = sorted(name for name in holder if name in FIGURES and _is_number(holder[name]))
        if figures:
            name = figures[number % len(figures)]
            holder[name] = str(float(holder[name]) + 1)
            wanted.add(f"step {number} {step.get('query') or step['expect']}")
    return changed, wanted


def _is_number(value: object) -> bool:
    return str(value).replace(".", "", 1).isdigit()
