"""How long the engine takes to fold one ordinary repayment: the pure call, without log, database or decoding.

Beside it, as a floor, what CPython takes for the barest double entry of the same amounts: two balances in a dictionary
and a line on a list.
"""

import gc
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import mean, quantiles
from time import perf_counter_ns
from typing import Any

from lendlog.bench.rig import hardware
from services.ledger.engine.account import Loan
from services.ledger.engine.claims import fall_due
from services.ledger.engine.facts import ContractFact, DisbursementFact, PaymentFact
from services.ledger.engine.folding import apply, in_place
from services.ledger.engine.journal import Journal
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.money import currency, minor_units

BEGIN = date(2025, 1, 1)
CODE = "CNY"
PRINCIPAL = "12000.00"


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """What is measured: so many `repayments` of loans of each of these numbers of monthly `instalments`, each of which
    is paid in `parts`."""

    repayments: int = 20_000
    instalments: tuple[int, ...] = (12, 60, 360)
    parts: int = 3


def run_fold(plan: FoldPlan) -> dict[str, Any]:
    """Microseconds a repayment by the loan's number of instalments, and of the floor: mean, median, 99th percentile."""
    gc.disable()  # as workers have it inside a batch
    try:
        folds = {str(n): _figures(_folded(n, plan)) for n in plan.instalments}
        floor = _figures(_barest(plan.repayments))
    finally:
        gc.enable()
    return {"microseconds": folds, "floor": floor, "repayments": plan.repayments, "hardware": hardware()}


def _folded(instalments: int, plan: FoldPlan) -> list[int]:
    """Nanoseconds of each repayment; that an instalment falls due between them is not counted."""
    spent: list[int] = []
    journal: Journal = []
    while len(spent) < plan.repayments:
        loan = _paid_out(instalments)
        for fact in _repayments(loan, plan.parts):
            fall_due(loan, fact.effective, journal)
            journal.clear()
            begun = perf_counter_ns()
            if not in_place(loan, fact):
                raise AssertionError("an ordinary repayment is folded in place")
            apply(loan, fact, journal)
            spent.append(perf_counter_ns() - begun)
            journal.clear()
    return spent[: plan.repayments]


def _paid_out(instalments: int) -> Loan:
    terms = Terms(
        kind="equal-instalment", principal=PRINCIPAL, currency=CODE, annual_rate="0.18", instalments=instalments,
        first_due_date=BEGIN + timedelta(days=31),
    )  # fmt: skip
    loan, journal = Loan(1, "loan"), []  # type: tuple[Loan, Journal]
    apply(loan, ContractFact("contract", Contract(borrower_id="b-1", product="bench@1", terms=terms)), journal)
    money = minor_units(PRINCIPAL, CODE)
    apply(loan, DisbursementFact("paid-out", BEGIN.toordinal(), money, currency(CODE).number), journal)
    return loan


def _repayments(loan: Loan, parts: int) -> Iterator[PaymentFact]:
    """Every instalment in parts of one size and a last one, five days from one to the next, the last when it is due."""
    owed = [sum(column) for column in zip(*loan.asked, strict=True)]
    n = 0
    for due, total in zip(list(loan.due), owed, strict=True):
        for part in range(parts):
            amount = total // parts if part < parts - 1 else total - total // parts * (parts - 1)
            n += 1
            yield PaymentFact(f"payment-{n}", due - 5 * (parts - 1 - part), n, amount, loan.currency)


def _barest(repayments: int) -> list[int]:
    """Nanoseconds of each entry."""
    balances: defaultdict[str, int] = defaultdict(int)
    lines: list[tuple[str, str, int]] = []
    spent = []
    for amount in range(1, repayments + 1):
        begun = perf_counter_ns()
        balances["cash"] += amount
        balances["loans-receivable"] -= amount
        lines.append(("cash", "loans-receivable", amount))
        spent.append(perf_counter_ns() - begun)
    return spent


def _figures(nanoseconds: list[int]) -> dict[str, float]:
    cuts = quantiles(nanoseconds, n=100)
    figures = {"mean": mean(nanoseconds), "median": cuts[49], "p99": cuts[98]}
    return {name: round(value / 1000, 2) for name, value in figures.items()}
