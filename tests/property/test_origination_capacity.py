"""Laws of capacity: what is stated decides, month by month."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.origination.capacity import Capacity, capacity
from shared.events.applications import Statement
from shared.events.terms import Terms
from shared.money import decimal_text
from shared.schedules import paid_out_whole
from tests.unit.origination.examples import RULES, TODAY, months, statement

STRESS = RULES.policies["credit@1"].capacity.sales_stress


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    amounts = st.integers(0, 10**8).map(lambda minor: decimal_text(minor, "CNY"))
    stated: list[Any] = [
        month | {"inflows": draw(amounts), "outflows": draw(amounts), "household": draw(amounts)}
        for month in months(draw(st.integers(1, 24)))
    ]
    balance = statement().balance.model_copy(update={"cash": draw(amounts)})
    debts = [
        {"kind": "bank-loan", "outstanding": draw(amounts), "monthly_service": draw(amounts)}
        for _ in range(draw(st.integers(0, 2)))
    ]
    return statement(months=stated, balance=balance.model_dump(mode="json"), debts=debts)


def planned(stated: Statement, principal: int, count: int) -> Capacity:
    terms = Terms(
        kind="equal-instalment",
        principal=decimal_text(principal, "CNY"),
        currency="CNY",
        annual_rate="0.18",
        instalments=count,
        first_due_date=date(2024, 7, 10),
    )
    made = paid_out_whole(terms, disbursed_on=TODAY).instalments
    return capacity(stated, made, today=TODAY, stress=STRESS, months_max=60)


@given(statements(), st.integers(10**5, 10**9), st.integers(1, 60))
def test_cash_is_neither_made_nor_lost_and_stress_never_helps(stated: Statement, principal: int, count: int) -> None:
    found = planned(stated, principal, count)
    assert len(found.months) == count
    left = int(stated.balance.cash.replace(".", ""))
    for month in found.months:
        left += month.cash - month.service
        assert month.cumulative == left
        assert month.cumulative_stressed <= month.cumulative
    assert found.coverage_stressed is None or found.coverage is None or found.coverage_stressed <= found.coverage


@given(statements(), st.integers(10**5, 10**8), st.integers(1, 60))
def test_more_principal_never_leaves_more_cash(stated: Statement, principal: int, count: int) -> None:
    less, more = planned(stated, principal, count), planned(stated, 2 * principal, count)
    assert more.lowest <= less.lowest
    assert more.lowest_stressed <= less.lowest_stressed
