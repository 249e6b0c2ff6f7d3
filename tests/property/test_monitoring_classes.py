"""A loan's class: whatever happens to it, the portfolio as of any closed date has the class that was given on it."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.monitoring.classification import bucket_of, buckets_on
from services.monitoring.portfolio import Position, class_on, portfolio
from shared.loan_classes import row_on
from tests.unit.monitoring.bench import BORROWER, LOAN, Bench

START = date(2023, 6, 1)
"""A month before another row of classes comes into force."""
DAYS = st.none() | st.integers(0, 400)
STEPS = st.one_of(
    st.tuples(st.just("close"), st.integers(1, 40)),
    st.tuples(
        st.just("entry"),
        DAYS,
        st.none() | st.integers(-5, 60),
        st.booleans(),
        st.sampled_from(["active", "active", "active", "settled", "written-off"]),
    ),
)


def _entry(bench: Bench, late: int | None, watched: int | None, charged_off: bool, status: str) -> None:
    today = bench.context.today
    assert today is not None
    marks: dict[str, Any] = {"status": status}
    if watched is not None:
        marks |= {"restructured": 1, "watched_until": today + timedelta(days=watched)}
    if charged_off:
        marks["charged_off_on"] = today
    since = None if late is None or status != "active" else (today - timedelta(days=late)).isoformat()
    bench.entry(since=since, principal="1000.00" if status == "active" else "0", **marks)


def _as_of(bench: Bench, day: date) -> Position:
    """What the portfolio reads: the latest row that is not after the date."""
    names = bench.fold.history["loan_history"]
    rows = [dict(zip(names, row, strict=True)) for table, row in bench.context.puts if table == "loan_history"]
    (*_, last) = [row for row in rows if row["as_of"] <= day]
    return Position(
        last["loan"], last["subject"], last["currency"], last["principal"], last["past_due_since"],
        status=last["status"], restructured=last["restructured"], watched_until=last["watched_until"],
        charged_off_on=last["charged_off_on"], written_off=last["written_off"],
    )  # fmt: skip


@given(st.lists(STEPS, max_size=12))
def test_the_portfolio_of_a_date_has_the_class_that_its_closing_gave(steps: list[Any]) -> None:
    bench = Bench(START.isoformat())
    bench.entry(since=None)
    for what, *arguments in [*steps, ("close", 3)]:
        if what == "entry":
            _entry(bench, *arguments)
            continue
        for _ in range(arguments[0]):
            day = bench.context.today
            assert day is not None
            bench.close()
            loan, position = bench.states[BORROWER].loans[LOAN], _as_of(bench, day)
            assert loan.classed == class_on(position, day, row_on(day))
            if position.principal:
                figures = portfolio([position], day)["currencies"]["CNY"]
                assert figures["classes"][loan.classed]["loans"] == 1


@given(st.integers(0, 3000), st.dates(date(1900, 1, 1)))
def test_a_bucket_holds_the_days_that_its_ends_say(days: int, day: date) -> None:
    row = buckets_on(day)
    (bucket,) = [one for one in row.buckets if one.name == bucket_of(days, row)]
    assert bucket.from_days <= days
    assert bucket.to_days is None or days <= bucket.to_days
