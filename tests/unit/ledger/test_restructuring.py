"""The limit on restructured loans: what is refused and how it is told, who may go beyond, whose rows hold."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.commands import model, refusals
from services.ledger.commands.guards import Guards, Stamp, decide
from services.ledger.commands.state import Disbursed, MoneyOut
from services.ledger.engine.account import ACTIVE, SETTLED, STATUS, WRITTEN_OFF, Loan
from services.ledger.reading import read
from services.ledger.restructuring import (
    LimitRow,
    PolicyRefused,
    Restructuring,
    Share,
    counted,
    limit_on,
    limit_rows,
    seamless,
)
from services.monitoring.portfolio import Position, portfolio
from shared.events import servicing
from shared.events.envelope import new_event_id
from shared.events.terms import Terms
from shared.streams.ports import Record

OPEN = date(2024, 3, 10)
TERMS = Terms(
    kind="equal-instalment",
    principal="1200.00",
    currency="EUR",
    annual_rate="0.12",
    instalments=12,
    first_due_date=date(2024, 2, 29),
)
LIMIT = LimitRow(
    version="test@1", start=date(2020, 1, 1), share_max=Decimal("0.1"), times_max=2, authority=("approver",), source="x"
)
DATA = servicing.Reschedule(
    changes=(servicing.TermExtended(from_due=date(2024, 3, 29), instalments=6),), restructure=True, reason="flood"
)


def stated(would: Restructuring | None, override: model.Override | None = None, **changed: Any) -> servicing.Reschedule:
    loan = Disbursed("b-1", TERMS, (MoneyOut(new_event_id(), date(2024, 1, 31), 120_000),))
    guards = Guards(OPEN, loans={"loan-1": loan})
    if would is not None:
        guards.restructuring["loan-1"] = would
    command = model.ServiceLoan("loan-1", DATA.model_copy(update=changed), None, new_event_id(), override)
    event, _ = decide(command, guards, partitions=1, stamp=Stamp("2024-03-10T10:00:00.000000Z"))
    again = read(Record("", 0, 0, 0, b"loan-1", event.to_json()))
    assert isinstance(again, servicing.LoanRescheduled)
    return again.data


def would(outstanding: int, *, before: int = 0, times: int = 0) -> Restructuring:
    return Restructuring(Share(before, 1_000_000), outstanding, times, LIMIT)


def test_up_to_the_limit_a_restructuring_is_stated_as_it_was_asked_for() -> None:
    assert stated(would(100_000)) == DATA
    assert stated(would(40_000, before=60_000)) == DATA


def test_a_loan_that_would_take_the_share_over_the_limit_is_refused_with_the_figures() -> None:
    with pytest.raises(refusals.RestructuredShareAboveLimit) as refused:
        stated(would(40_001, before=60_000))
    assert refused.value.detail == (
        "0.060000 of outstanding principal is restructured, it would be 0.100001, and test@1 allows 0.100000."
    )


def test_a_loan_in_the_share_already_takes_it_nowhere_but_its_count_has_an_end() -> None:
    assert stated(would(500_000, before=500_000, times=1)) == DATA
    with pytest.raises(refusals.RestructuredTooOften, match=r"2 times so far, of 2 that test@1 allows"):
        stated(would(10, before=10, times=2))


def test_what_is_no_restructuring_asks_for_no_share() -> None:
    assert not stated(None, restructure=False).restructure


def test_the_share_of_a_loan_that_the_books_dont_have_is_not_guessed() -> None:
    with pytest.raises(refusals.LoanIsParked):
        stated(None)


@pytest.mark.parametrize("over", [would(200_000), would(1, before=1, times=2)], ids=["share", "count"])
def test_the_authority_goes_beyond_with_a_reason_that_the_event_keeps(over: Restructuring) -> None:
    with pytest.raises(refusals.OverrideNotAllowed, match="test@1 lets approver do it"):
        stated(over, model.Override("the whole valley", "o-1", "officer"))
    override = stated(over, model.Override("the whole valley", "a-1", "approver")).override
    assert override is not None
    assert override.model_dump() == {"reason": "the whole valley", "by": "a-1"} | over.figures()


def test_a_reason_that_no_limit_asked_for_is_not_stated() -> None:
    assert stated(would(1), model.Override("just in case", "a-1", "approver")) == DATA


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ACTIVE, SETTLED, WRITTEN_OFF]),
            st.integers(min_value=0, max_value=10**12),
            st.integers(min_value=0, max_value=3),
        ),
        max_size=8,
    )
)
def test_the_share_is_that_of_the_portfolio(loans: list[tuple[int, int, int]]) -> None:
    states = [
        Loan(
            n, f"l{n}", status, currency=978, principal_outstanding=owed if status != SETTLED else 0, restructured=often
        )
        for n, (status, owed, often) in enumerate(loans)
    ]
    positions = [
        Position(
            loan.loan_id, "b", "EUR", loan.principal_outstanding, None,
            status=STATUS[loan.status], restructured=loan.restructured,
        )
        for loan in states
    ]  # fmt: skip
    told = portfolio(positions, OPEN)["currencies"].get("EUR", {"restructured": {"ratio": "0.000000"}})
    assert reduce(counted, states, Share()).text() == told["restructured"]["ratio"]


def test_a_lenders_own_row_goes_before_that_of_its_currency_and_that_before_the_rest() -> None:
    rows = [
        LIMIT,
        LIMIT.model_copy(update={"version": "eur@1", "currency": "EUR"}),
        LIMIT.model_copy(update={"version": "mine@1", "lender": "mine", "through": OPEN}),
        LIMIT.model_copy(update={"version": "mine@2", "lender": "mine", "start": OPEN + timedelta(days=1)}),
    ]

    def of(lender: str, code: str, day: date = OPEN) -> str:
        return limit_on(day, lender=lender, currency=code, rows=seamless(rows)).version

    assert [of("other", "CZK"), of("other", "EUR"), of("mine", "EUR")] == ["test@1", "eur@1", "mine@1"]
    assert of("mine", "EUR", OPEN + timedelta(days=1)) == "mine@2"
    with pytest.raises(PolicyRefused):
        of("mine", "EUR", date(2019, 12, 31))


def test_rows_that_leave_a_gap_are_refused() -> None:
    first = LIMIT.model_copy(update={"through": OPEN})
    later = LIMIT.model_copy(update={"start": OPEN + timedelta(days=2)})
    for rows in ([first, later], [LIMIT, later]):
        with pytest.raises(PolicyRefused):
            seamless(rows)


def test_the_shipped_rows_cover_every_business_date_of_any_lender() -> None:
    for day in (date(1990, 1, 1), date(2026, 1, 1), date.max):
        assert limit_on(day, lender="", currency="CNY").times_max >= 1
    assert replace(would(1), limit=limit_rows()[0]).figures()["policy"] == limit_rows()[0].version
