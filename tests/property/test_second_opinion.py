"""A calculator that shares no code with the engine agrees with it, whatever the loan and whatever is paid when."""

from copy import deepcopy
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.engine.account import FEE, INTEREST, PRINCIPAL
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact, key_of
from services.ledger.engine.folding import fold
from shared.errors import InvariantBroken
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.money import currency, decimal_text
from tests import second_opinion

CODE = "CZK"
NUMBER = currency(CODE).number
PARTS = (INTEREST, PRINCIPAL, FEE)
Money = list[tuple[date, int]]
Happened = list[tuple[str, date, int]]
"""What happened in order of arrival: `disbursement` or `payment`, value date, minor units."""


fees = st.tuples(
    st.sampled_from([0, 1, 500]),
    st.sampled_from(["0.0123", "0.5"]),
    st.sampled_from(["principal", "interest", "instalment", "outstanding", "contract"]),
)
"""A fee of each instalment: amount, share, base."""


@st.composite
def loans(draw: st.DrawFn) -> tuple[dict[str, Any], date]:
    """The words of a contract, and the day of the first disbursement."""
    unit = draw(st.sampled_from(["month", "month", "week", "day"]))
    start = draw(st.dates(date(2023, 1, 1), date(2029, 1, 31)))
    count = draw(st.integers(1, 12))
    kind = draw(st.sampled_from(["equal-instalment", "equal-instalment", "equal-principal", "interest-only", "flat"]))
    loan = {
        "kind": kind,
        "rate": draw(st.sampled_from(["0", "0.0001", "0.049", "0.12", "0.1899", "0.365", "1.5"])),
        "count": count,
        "every": draw(st.integers(1, 3) if unit != "day" else st.integers(1, 40)),
        "unit": unit,
        "first_due": start + timedelta(days=draw(st.integers(1, 60) | st.sampled_from([28, 30, 31]))),
        "day_count": draw(st.sampled_from(
            ["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"]
        )),
        "rounding": draw(st.sampled_from(["half-even", "half-up"])),
        "grace": draw(st.integers(0, count - 1)) if kind != "interest-only" else 0,
        "order": draw(st.sampled_from(
            ["instalment-interest-principal", "due-interest-principal", "due-penalty-interest-principal-fee",
             "civil-code-561"]
        )),
        "fee": draw(st.none() | fees),
    }  # fmt: skip
    return loan, start


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, Any], Happened]:
    """A loan and what happens in order of arrival: payments may be backdated, and come before the first disbursement;
    they fall on due dates more often than not."""
    loan, start = draw(loans())
    due = second_opinion.dues(loan)
    lent = [(start, draw(st.integers(1_000, 10**7)))]
    # Three things that the calculator leaves out: what more money does to what was paid under an order of cells, to
    # fees that lapsed, and to a first period that is longer than the others where periods are counted.
    if loan["order"] != "civil-code-561" and loan["fee"] is None:
        for offset, amount in draw(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10**6)), max_size=2)):
            if (day := start + timedelta(days=offset)) <= due[-1]:
                lent.append((day, amount))
    size = sum(amount for _, amount in lent) // loan["count"] + 1
    days = st.sampled_from(due) | st.integers(-5, (due[-1] - start).days + 40).map(lambda n: start + timedelta(days=n))
    sizes = st.integers(1, size) | st.integers(1, 4 * size)
    if loan["fee"] is not None:  # often enough to end it early
        sizes |= st.integers(size * loan["count"] // 2, size * loan["count"] * 2)
    paid = draw(st.lists(st.tuples(days, sizes), max_size=6))
    happened = [("disbursement", day, amount) for day, amount in sorted(lent[1:])]
    happened += [("payment", day, amount) for day, amount in paid]
    happened = draw(st.permutations(happened))
    at = draw(st.integers(0, len(happened)))
    early = [one for one in happened[:at] if one[0] == "payment"]
    return loan, [*early, ("disbursement", *lent[0]), *[one for one in happened if one not in early]]


def facts_of(loan: dict[str, Any], happened: Happened) -> list[Fact]:
    """As the engine takes them."""
    lent = sum(amount for what, _, amount in happened if what == "disbursement")
    amount, share, base = loan["fee"] or (0, "0", "contract")
    fee = {"name": "a", "amount": decimal_text(amount, CODE), "share": share, "base": base}
    terms = Terms(
        kind=loan["kind"], principal=decimal_text(lent, CODE), currency=CODE, annual_rate=loan["rate"],
        instalments=loan["count"], every=loan["every"], unit=loan["unit"], first_due_date=loan["first_due"],
        day_count=loan["day_count"], rounding=loan["rounding"], grace_principal=loan["grace"], allocation=loan["order"],
        instalment_fees=[fee] if loan["fee"] else [],
    )  # fmt: skip
    found: list[Fact] = [ContractFact("contract", Contract(borrower_id="B1", product="p@1", terms=terms))]
    for n, (what, day, amount) in enumerate(happened):
        if what == "disbursement":
            found.append(DisbursementFact(str(n), day.toordinal(), amount, NUMBER))
        else:
            found.append(PaymentFact(str(n), day.toordinal(), n, amount, NUMBER))
    return found


def opinion(loan: dict[str, Any], happened: Happened) -> tuple[list[list[int]], list[list[int]], int]:
    """(asked, left, overpaid) by the calculator, for what happened in any order."""
    fee = loan["fee"] and (loan["fee"][0], Fraction(loan["fee"][1]), loan["fee"][2])
    loan = loan | {"rate": Fraction(loan["rate"]), "fee": fee}
    lent = sorted((day, amount) for what, day, amount in happened if what == "disbursement")
    paid = sorted(((day, amount) for what, day, amount in happened if what == "payment"), key=lambda one: one[0])
    asked = second_opinion.with_fees(loan, second_opinion.instalments(loan, lent), lent)
    left, overpaid = deepcopy(asked), 0
    for day, amount in paid:
        overpaid += second_opinion.pay(loan, asked, left, max(day, lent[0][0]), amount)
    return asked, left, overpaid


def agree(loan: dict[str, Any], happened: Happened) -> None:
    """The engine says of each instalment, and after each payment, what the calculator says."""
    facts = facts_of(loan, happened)
    for n in range(1, len(facts)):
        known = happened[:n]
        if not any(what == "disbursement" for what, _, _ in known):
            continue
        asked, left, overpaid = opinion(loan, known)
        try:
            state, _ = fold(0, "L", facts[: n + 1], before=max(key_of(fact) // 2 for fact in facts))
        except InvariantBroken:
            assert any(part < 0 or (interest + part == 0 and loan["kind"] != "interest-only")
                       for interest, part, _ in asked[loan["grace"]:]) , "refused without a cause"  # fmt: skip
            return
        assert [list(row) for row in zip(*(state.asked[part] for part in PARTS), strict=True)] == asked
        assert [list(row) for row in zip(*(state.left[part] for part in PARTS), strict=True)] == left
        assert state.principal_outstanding == sum(part for _, part, _ in left)
        assert state.overpaid == overpaid


@settings(max_examples=400)
@given(histories())
def test_an_independent_calculator_agrees(history: tuple[dict[str, Any], Happened]) -> None:
    agree(*history)


@pytest.mark.ops
@pytest.mark.timeout(1200)
@settings(max_examples=10_000, derandomize=True)
@given(histories())
def test_an_independent_calculator_agrees_over_ten_thousand_histories(history: tuple[dict[str, Any], Happened]) -> None:
    agree(*history)
