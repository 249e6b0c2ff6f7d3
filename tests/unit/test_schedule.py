"""What a schedule refuses, and how its first period counts."""

from datetime import date
from typing import Any

import pytest

from services.ledger.schedule import FirstDueNotAfterDisbursement, Schedule, UnschedulableTerms, schedule
from shared.events.origination import Terms


def plan(*, disbursed_on: date = date(2024, 1, 1), **changes: Any) -> Schedule:
    terms: dict[str, Any] = {
        "kind": "equal-instalment",
        "principal": "1200.00",
        "currency": "EUR",
        "annual_rate": "0.12",
        "instalments": 12,
        "first_due_date": date(2024, 2, 1),
    }
    return schedule(Terms(**(terms | changes)), disbursed_on=disbursed_on)


@pytest.mark.parametrize("day", [date(2024, 2, 1), date(2024, 2, 2)])
def test_the_first_instalment_falls_due_after_the_disbursement(day: date) -> None:
    with pytest.raises(FirstDueNotAfterDisbursement) as refused:
        plan(disbursed_on=day)
    assert refused.value.field == "first_due_date"


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": "0"},
        {"principal": "0.05", "annual_rate": "0"},
        {"principal": "0.07", "annual_rate": "0", "rounding": "half-up"},
        {"first_due_date": date(2044, 1, 1)},
        {"instalments": 600, "every": 366},
    ],
    ids=["nothing lent", "zero instalments", "last below zero", "first period eats the instalment", "past 9999"],
)
def test_terms_without_a_sound_schedule_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnschedulableTerms):
        plan(**changes)


@pytest.mark.parametrize(
    ("disbursed_on", "first_due", "interest"),
    [
        (date(2024, 1, 1), date(2024, 2, 1), 1200),  # a regular month
        (date(2024, 1, 31), date(2024, 2, 29), 1200),  # regular: the month lacks the day
        (date(2024, 2, 29), date(2024, 3, 31), 1200),  # regular, counted back from the anchor
        (date(2024, 1, 15), date(2024, 2, 1), 640),  # short: 16 days of 360
        (date(2024, 1, 1), date(2024, 2, 16), 1800),  # long: 45 days of 360
    ],
)
def test_under_30_360_only_an_odd_first_period_counts_days(disbursed_on: date, first_due: date, interest: int) -> None:
    assert plan(disbursed_on=disbursed_on, first_due_date=first_due).interest[0] == interest


def test_actual_365_counts_every_period_by_its_days() -> None:
    made = plan(kind="equal-principal", principal="36500.00", annual_rate="0.1", day_count="actual/365", instalments=1)
    assert made.interest == (31000,)


def test_an_odd_last_minor_unit_falls_on_the_last_instalment() -> None:
    assert plan(principal="1000.00", annual_rate="0", instalments=3).principal == (33333, 33333, 33334)
    assert plan(principal="1000", annual_rate="0", instalments=3, currency="JPY").principal == (333, 333, 334)
