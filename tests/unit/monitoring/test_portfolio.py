"""Portfolio at risk, classes and their boundaries, concentration; and a policy that does not cover every day."""

from datetime import date, timedelta

import pytest

from services.monitoring.classification import days_past_due
from services.monitoring.policy import indicator_rows
from services.monitoring.portfolio import Position, portfolio, ratio
from shared.dated_rows import PolicyRefused, covering
from shared.loan_classes import CLASSES, ClassRow, class_of, class_rows, row_on

AS_OF = date(2024, 6, 30)


def position(name: str, principal: int, days: int = 0, **more: str) -> Position:
    since = AS_OF - timedelta(days=days) if days else None
    return Position(name, more.pop("borrower", name), "USD", principal, since, **more)


def test_par_counts_the_whole_principal_of_loans_in_arrears_and_not_the_amount_in_arrears() -> None:
    """Source: Zayyad, dev@fineract 03290: 200,000 of 5,000,000 is 4 %, whatever part of it is in arrears."""
    loans = [position("late", 200_000_00, 31), position("well", 4_800_000_00)]
    figures = portfolio(loans, AS_OF)["currencies"]["USD"]
    assert figures["par30"] == {"loans": 1, "amount": "200000.00", "ratio": "0.040000"}
    assert figures["outstanding"] == "5000000.00"


@pytest.mark.parametrize("days", [1, 30, 60, 90])
def test_a_loan_is_at_risk_of_more_than_x_days_from_the_day_after_x(days: int) -> None:
    def at_risk(late: int) -> int:
        found: int = portfolio([position("a", 100, late)], AS_OF)["currencies"]["USD"][f"par{days}"]["loans"]
        return found

    assert (at_risk(days), at_risk(days + 1)) == (0, 1)


def test_the_berka_loan_that_is_past_due_at_the_end_of_march_1994() -> None:
    """Loan 5314 of the PKDD'99 bank data, 231 days past due, within the 4,172,830.20 that 38 loans owe."""
    as_of = date(1994, 3, 31)
    loans = [
        Position("5314", "b", "CZK", 88_362_80, date(1993, 8, 12)),
        Position("others", "c", "CZK", 4_172_830_20 - 88_362_80, None),
    ]
    figures = portfolio(loans, as_of)["currencies"]["CZK"]
    assert figures["par90"] == {"loans": 1, "amount": "88362.80", "ratio": "0.021176"}
    assert figures["npl"]["ratio"] == "0.021176"


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (0, "normal"),
        (1, "special-mention"),
        (90, "special-mention"),
        (91, "substandard"),
        (270, "substandard"),
        (271, "doubtful"),
        (360, "doubtful"),
        (361, "loss"),
    ],
)
def test_a_class_begins_on_the_day_after_its_boundary(days: int, name: str) -> None:
    """Source: order 2023 no. 1, as its row says."""
    assert class_of(days, row_on(AS_OF)) == name
    assert days_past_due(AS_OF - timedelta(days=days), AS_OF) == days


def test_the_class_policy_has_a_row_for_every_day() -> None:
    assert row_on(date(2023, 6, 30)).version == "lender-five-classes@1"
    assert row_on(date(2023, 7, 1)).version == "cn-order-2023-1@1"
    assert row_on(date(1993, 7, 5)) == class_rows()[0]
    assert row_on(date.max) == class_rows()[-1]
    assert indicator_rows()[0].rule("dormancy") == "dormancy@1"


def row(start: str, through: str | None) -> ClassRow:
    bounds = {"special-mention": 0, "substandard": 90, "doubtful": 270, "loss": 360}
    days = [date.fromisoformat(day) if day else None for day in (start, through)]
    return ClassRow.model_validate(
        {
            "version": "a@1",
            "start": days[0],
            "through": days[1],
            "source": "a test",
            "more_than": bounds,
            "non_performing": ("loss",),
        }
    )


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("1900-01-01", "2000-01-01"), ("2000-01-03", None)], "no row covers 2000-01-02"),
        ([("1900-01-01", "2000-01-02"), ("2000-01-02", None)], "overlap"),
        ([("1900-01-01", None), ("2000-01-02", None)], "overlap"),
        ([("1950-01-01", None)], "no row covers 1900-01-01"),
        ([("1900-01-01", "2000-01-01")], "no row covers the days after 2000-01-01"),
    ],
)
def test_policy_rows_with_a_gap_or_an_overlap_are_refused(rows: list[tuple[str, str | None]], why: str) -> None:
    with pytest.raises(PolicyRefused, match=why):
        covering([row(*one) for one in rows])


def test_class_boundaries_that_overlap_are_refused() -> None:
    bounds = {"special-mention": 0, "substandard": 90, "doubtful": 90, "loss": 360}
    with pytest.raises(ValueError, match="overlap"):
        ClassRow.model_validate(class_rows()[0].model_dump() | {"more_than": bounds})


def test_concentration_names_the_largest_and_measures_how_uneven_it_is() -> None:
    loans = [
        position("a", 600, industry="farming", region="north"),
        position("b", 200, borrower="a", industry="farming", region="south"),
        position("c", 200, industry="trade", region="south"),
    ]
    found = portfolio(loans, AS_OF)["currencies"]["USD"]["concentration"]
    assert found["borrower"]["largest"][0] == {"name": "a", "amount": "8.00", "ratio": "0.800000"}
    assert found["borrower"]["herfindahl"] == "0.680000"
    assert found["industry"]["count"] == 2
    assert found["region"]["herfindahl"] == "0.520000"


def test_nothing_outstanding_is_nothing_at_risk() -> None:
    assert portfolio([position("a", 0, 400)], AS_OF)["currencies"] == {}
    assert ratio(0, 0) == "0.000000"
    assert set(portfolio([position("a", 1)], AS_OF)["currencies"]["USD"]["classes"]) == set(CLASSES)
