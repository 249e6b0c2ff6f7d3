"""Restructured, charged-off and written-off loans: their class, its date, and the portfolio; delinquency buckets."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.monitoring.classification import bucket_of, buckets_on, marks_of, next_of_watch
from services.monitoring.policy import BucketRow, bucket_rows
from services.monitoring.portfolio import Position, portfolio
from services.monitoring.queries import _loan_view
from shared.loan_classes import Marks, class_of, class_rows, classed, row_on
from tests.unit.monitoring.bench import BORROWER, LOAN, Bench

AS_OF = date(2024, 6, 30)
OLD, NEW = class_rows()
WATCHED = Marks(watched_until=AS_OF)
LOSS = ("credit-loss", "loans-receivable")


def position(name: str, principal: int, **more: Any) -> Position:
    return Position(name, name, "USD", principal, more.pop("since", None), **more)


@pytest.mark.parametrize(
    ("days", "marks", "day", "found"),
    [
        (0, WATCHED, AS_OF, ("special-mention", "restructured")),
        (0, WATCHED, AS_OF + timedelta(days=1), ("normal", None)),
        (5, WATCHED, AS_OF, ("special-mention", None)),
        (91, WATCHED, AS_OF, ("substandard", None)),
        (0, Marks(charged_off=True), AS_OF, ("loss", "charged-off")),
        (0, Marks(AS_OF, charged_off=True), AS_OF, ("loss", "charged-off")),
        (361, Marks(charged_off=True), AS_OF, ("loss", None)),
        (30, Marks(), AS_OF, ("special-mention", None)),
    ],
)
def test_a_mark_gives_the_class_where_days_past_due_would_give_a_better_one(
    days: int, marks: Marks, day: date, found: tuple[str, str | None]
) -> None:
    """Source: order 2023 no. 1 for restructured assets, as its row says."""
    assert classed(days, NEW, marks, day) == found


def test_before_the_order_a_restructuring_gave_no_class() -> None:
    day = date(2023, 6, 30)
    assert row_on(day) is OLD
    assert classed(0, OLD, WATCHED, day) == ("normal", None)
    assert classed(0, OLD, Marks(charged_off=True), day) == ("loss", "charged-off")


def test_of_a_settled_loan_nothing_is_left_to_class_and_a_written_off_one_is_a_loss() -> None:
    assert marks_of("settled", AS_OF, AS_OF) == Marks()
    assert marks_of("written-off", None, None) == Marks(charged_off=True)
    assert marks_of("active", AS_OF, None) == Marks(AS_OF)


def test_a_watch_may_change_a_class_when_it_is_over_and_when_another_row_comes_into_force() -> None:
    until = date(2023, 7, 20)
    assert next_of_watch(until, date(2023, 6, 1)) == date(2023, 7, 1)
    assert next_of_watch(until, date(2023, 7, 1)) == date(2023, 7, 21)
    assert next_of_watch(until, date(2023, 7, 21)) is None
    assert next_of_watch(date.max, date(2024, 1, 1)) is None


def test_a_restructured_loan_is_watched_by_the_day() -> None:
    bench = Bench("2024-01-01")
    bench.entry(since=None)
    bench.close()
    bench.entry(since=None, restructured=1, watched_until="2024-03-01")
    bench.close_through("2024-03-05")
    changes = [(c.get("old"), c["new"], c["as_of"]) for c in bench.told("LoanClassified")]
    assert changes == [
        (None, "normal", "2024-01-01"),
        ("normal", "special-mention", "2024-01-02"),
        ("special-mention", "normal", "2024-03-02"),
    ]
    assert [c.get("trigger") for c in bench.told("LoanClassified")] == [None, "restructured", None]
    puts = [row for table, row in bench.context.puts if table == "class_event"]
    assert [row[-1] for row in puts] == [None, "restructured", None]


def test_a_loan_restructured_before_the_order_changes_its_class_with_it() -> None:
    bench = Bench("2023-06-01")
    bench.entry(since=None, restructured=1, watched_until="2024-06-01")
    bench.close_through("2023-07-02")
    assert [(c["new"], c["as_of"]) for c in bench.told("LoanClassified")] == [
        ("normal", "2023-06-01"),
        ("special-mention", "2023-07-01"),
    ]


def test_a_restructuring_that_is_undone_gives_no_class() -> None:
    bench = Bench("2024-01-01")
    bench.entry(since=None, restructured=1, watched_until="2025-03-01")
    bench.close()
    bench.entry(since=None)
    bench.close()
    assert [c["new"] for c in bench.told("LoanClassified")] == ["special-mention", "normal"]
    loan = bench.states[BORROWER].loans[LOAN]
    assert (loan.restructured, loan.watched_until) == (0, None)


def test_a_loan_that_is_charged_off_is_a_loss_until_it_is_settled() -> None:
    bench = Bench("2024-01-01")
    bench.entry(since="2024-01-01")
    bench.close()
    bench.entry(since="2024-01-01", charged_off_on="2024-01-02", booked=(*LOSS, "1000.00"))
    bench.close()
    bench.entry(since=None, principal="0", charged_off_on="2024-01-02", booked=("cash", "recoveries", "1000.00"))
    bench.close()
    assert [c["new"] for c in bench.told("LoanClassified")] == ["normal", "loss", "normal"]
    assert bench.states[BORROWER].loans[LOAN].written_off == 1000_00


def test_what_was_written_off_follows_the_postings_and_goes_when_they_are_taken_back() -> None:
    bench = Bench("2024-01-01")
    bench.entry(since="2024-01-01", booked=("fraud-loss", "loans-receivable", "700.00"))
    bench.entry(since="2024-01-01", booked=("credit-loss", "fees-receivable", "9.00"))
    bench.entry(since="2024-01-01", booked=("credit-loss", "loans-receivable", "300.00"))
    assert bench.states[BORROWER].loans[LOAN].written_off == 1000_00
    bench.entry(since="2024-01-01", booked=("loans-receivable", "fraud-loss", "700.00"))
    loan = bench.states[BORROWER].loans[LOAN]
    assert loan.written_off == 300_00
    _, row = [put for put in bench.context.puts if put[0] == "loan_history"][-1]
    columns = ("partition", *bench.fold.history["loan_history"])[1:]
    assert dict(zip(columns, row, strict=True))["written_off"] == 300_00


def test_restructured_loans_are_counted_for_as_long_as_they_are_outstanding() -> None:
    loans = [
        position("watched", 100, restructured=1, watched_until=AS_OF),
        position("over", 200, restructured=2, watched_until=AS_OF - timedelta(days=1)),
        position("well", 700),
        position("settled", 0, restructured=1, status="settled"),
    ]
    figures = portfolio(loans, AS_OF)["currencies"]["USD"]
    assert figures["restructured"] == {"loans": 2, "amount": "3.00", "ratio": "0.300000"}
    assert figures["classes"]["special-mention"]["amount"] == "1.00"
    assert figures["npl"]["loans"] == 0


def test_a_charged_off_loan_does_not_perform_and_is_no_asset() -> None:
    loans = [position("gone", 300, charged_off_on=AS_OF, written_off=300), position("well", 700)]
    figures = portfolio(loans, AS_OF)["currencies"]["USD"]
    assert figures["npl"] == {"loans": 1, "amount": "3.00", "ratio": "0.300000"}
    assert figures["classes"]["loss"]["loans"] == 1
    assert figures["outstanding"] == "10.00"
    assert figures["written_off"] == {"loans": 1, "amount": "3.00", "ratio": "0.300000"}


def test_a_written_off_loan_has_left_the_portfolio_and_its_loss_has_not() -> None:
    gone = position("gone", 0, status="written-off", written_off=400)
    figures = portfolio([gone, position("well", 600)], AS_OF)["currencies"]["USD"]
    assert (figures["loans"], figures["outstanding"], figures["npl"]["loans"]) == (1, "6.00", 0)
    assert figures["written_off"] == {"loans": 1, "amount": "4.00", "ratio": "0.400000"}
    alone = portfolio([gone], AS_OF)["currencies"]["USD"]
    assert (alone["loans"], alone["written_off"]["ratio"]) == (0, "1.000000")
    claim = position("claim", 50, status="written-off", written_off=400)
    assert portfolio([claim], AS_OF)["currencies"]["USD"]["outstanding"] == "0.00"


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (0, "current"),
        (1, "1-30"),
        (30, "1-30"),
        (31, "31-60"),
        (60, "31-60"),
        (61, "61-90"),
        (90, "61-90"),
        (91, "91-180"),
        (180, "91-180"),
        (181, "181-360"),
        (360, "181-360"),
        (361, "over-360"),
        (9999, "over-360"),
    ],
)
def test_every_number_of_days_past_due_has_a_bucket(days: int, name: str) -> None:
    assert bucket_of(days, buckets_on(AS_OF)) == name


def test_the_buckets_of_a_portfolio_sum_to_it() -> None:
    loans = [position(str(days), 100, since=AS_OF - timedelta(days=days)) for days in (1, 30, 31, 95, 400)]
    figures = portfolio([*loans, position("well", 500)], AS_OF)
    found = figures["currencies"]["USD"]["buckets"]
    assert {name: share["loans"] for name, share in found.items()} == {
        "current": 1, "1-30": 2, "31-60": 1, "61-90": 0, "91-180": 1, "181-360": 0, "over-360": 1,
    }  # fmt: skip
    assert figures["buckets"] == "lender-buckets@1"


@pytest.mark.parametrize(
    ("buckets", "why"),
    [
        ([(1, None)], "begins at 1, not at 0"),
        ([(0, 0), (2, None)], "begins at 2, not at 1"),
        ([(0, 5), (5, None)], "begins at 5, not at 6"),
        ([(0, None), (1, None)], "begins at 1, not at None"),
        ([(0, 9)], "no bucket holds 10 days"),
        ([(0, 0), (1, 0), (1, None)], "ends before it begins"),
    ],
)
def test_buckets_with_a_gap_or_an_overlap_are_refused(buckets: list[tuple[int, int | None]], why: str) -> None:
    rows = [{"name": f"b{n}", "from_days": low, "to_days": high} for n, (low, high) in enumerate(buckets)]
    with pytest.raises(ValueError, match=why):
        BucketRow.model_validate(bucket_rows()[0].model_dump() | {"buckets": rows})


def test_two_buckets_of_one_name_are_refused() -> None:
    rows = [{"name": "b", "from_days": 0, "to_days": 0}, {"name": "b", "from_days": 1}]
    with pytest.raises(ValueError, match="two buckets have one name"):
        BucketRow.model_validate(bucket_rows()[0].model_dump() | {"buckets": rows})


def test_a_loan_is_shown_with_its_bucket_and_its_marks() -> None:
    row = {
        "loan": "l", "subject": "b", "currency": "CNY", "principal": 100_00, "past_due": 10_00,
        "past_due_since": date(2024, 5, 30), "next_due_date": None, "status": "active", "parked": False,
        "class": "loss", "policy": NEW.version, "restructured": 1, "watched_until": date(2025, 5, 1),
        "charged_off_on": AS_OF, "written_off": 100_00,
    }  # fmt: skip
    shown = _loan_view(row, AS_OF)
    assert (shown["days_past_due"], shown["bucket"]) == (31, "31-60")
    assert (shown["restructured"], shown["watched_until"]) == (1, "2025-05-01")
    assert (shown["charged_off_on"], shown["written_off"]) == ("2024-06-30", "100.00")
    assert _loan_view(row, None)["bucket"] is None


def test_days_past_due_alone_are_judged_as_before() -> None:
    for days in range(400):
        assert classed(days, NEW, Marks(), AS_OF) == (class_of(days, NEW), None)
