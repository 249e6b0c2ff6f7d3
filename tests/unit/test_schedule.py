"""What a schedule refuses, what each field of the terms does, and how changes move it."""

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from shared.errors import Refusal
from shared.events.servicing import DueDateMoved, GraceGranted, RateChanged, TermExtended
from shared.events.terms import Terms
from shared.schedules import (
    DisbursedAfterLastDue,
    DueDateNotAhead,
    FirstDueNotAfterDisbursement,
    GapTooShort,
    GraceTooLong,
    Instalment,
    NoSuchInstalment,
    PaidOut,
    PlanDoesNotSumToPrincipal,
    Schedule,
    SeasonNotInTerm,
    SharesDoNotSumToOne,
    TermsContradict,
    TranchesDoNotSumToPrincipal,
    UnknownHolidayCalendar,
    UnschedulableTerms,
    check,
    paid_out_whole,
    schedule,
)

START = date(2024, 1, 1)


def terms(**changes: Any) -> Terms:
    given: dict[str, Any] = {
        "kind": "equal-instalment",
        "principal": "1200.00",
        "currency": "EUR",
        "annual_rate": "0.12",
        "instalments": 12,
        "first_due_date": date(2024, 2, 1),
    }
    return Terms(**(given | changes))


def plan(*, disbursed_on: date = START, **changes: Any) -> Schedule:
    return paid_out_whole(terms(**changes), disbursed_on=disbursed_on)


def totals(made: Schedule) -> list[int]:
    return [one.total for one in made.instalments]


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
        {"principal": "5.00", "instalment_multiple": "10.00"},
        {"down_payment": "1"},
    ],
    ids=[
        "nothing lent",
        "zero instalments",
        "last below zero",
        "first period eats the instalment",
        "past 9999",
        "a multiple too large",
        "all of it due at once",
    ],
)
def test_terms_without_a_sound_schedule_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnschedulableTerms):
        plan(**changes)


PLAN = [{"due": date(2024, 2, 1), "principal": "200.00"}, {"due": date(2024, 6, 1), "principal": "1000.00"}]
BY_HAND = {"kind": "irregular", "instalments": 2, "plan": PLAN}
SEASON = {"kind": "seasonal", "shares": {6: "0.2", 10: "0.8"}}


@pytest.mark.parametrize(
    ("changes", "refusal", "field"),
    [
        ({"shares": {6: "1"}}, TermsContradict, "shares"),
        ({"plan": PLAN}, TermsContradict, "plan"),
        ({"minimum_gap": 5}, TermsContradict, "minimum_gap"),
        (SEASON | {"grace_principal": 1}, TermsContradict, "grace_principal"),
        ({"kind": "interest-only", "balloon": "100"}, TermsContradict, "balloon"),
        ({"kind": "interest-only", "instalment_multiple": "1"}, TermsContradict, "instalment_multiple"),
        ({"principal_multiple": "1", "instalment_multiple": "1"}, TermsContradict, "instalment_multiple"),
        ({"principal_multiple": "0"}, TermsContradict, "principal_multiple"),
        ({"balloon": "1200.00"}, TermsContradict, "balloon"),
        (BY_HAND | {"down_payment": "0.1"}, TermsContradict, "down_payment"),
        ({"kind": "flat", "annuity": "nominal-month"}, TermsContradict, "annuity"),
        ({"year_rule": "disbursement-year"}, TermsContradict, "year_rule"),
        ({"kind": "flat", "recalculation": {}}, TermsContradict, "recalculation"),
        ({"month_end": "last-day"}, TermsContradict, "first_due_date"),
        ({"month_end": "last-day", "unit": "week"}, TermsContradict, "month_end"),
        (BY_HAND | {"instalments": 3}, TermsContradict, "instalments"),
        (BY_HAND | {"first_due_date": date(2024, 3, 1)}, TermsContradict, "first_due_date"),
        (BY_HAND | {"principal": "1200.01"}, PlanDoesNotSumToPrincipal, "plan"),
        (BY_HAND | {"minimum_gap": 122}, GapTooShort, "plan"),
        (BY_HAND | {"plan": [PLAN[0], PLAN[0] | {"principal": "1000.00"}]}, GapTooShort, "plan"),
        ({"kind": "seasonal"}, SharesDoNotSumToOne, "shares"),
        ({"kind": "seasonal", "shares": {6: "0.2", 10: "0.7"}}, SharesDoNotSumToOne, "shares"),
        ({"grace_principal": 12}, GraceTooLong, "grace_principal"),
        ({"grace_interest_payment": 12}, GraceTooLong, "grace_interest_payment"),
        ({"grace_interest_charge": 13}, GraceTooLong, "grace_interest_charge"),
        ({"tranches": [{"on": START, "amount": "1000.00"}]}, TranchesDoNotSumToPrincipal, "tranches"),
        ({"tranches": [{"on": date(2024, 2, 1), "amount": "1200"}]}, FirstDueNotAfterDisbursement, "first_due_date"),
        ({"holidays": {"country": "XX"}}, UnknownHolidayCalendar, "holidays"),
        (
            {"rate_changes": [{"from_date": date(2024, 5, 1), "annual_rate": "0.1"}] * 2},
            TermsContradict,
            "rate_changes",
        ),
    ],
)
def test_terms_that_break_a_rule_are_refused_by_its_name(
    changes: dict[str, Any], refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        check(terms(**changes))
    assert refused.value.field == field


def test_a_season_outside_of_the_term_is_refused() -> None:
    with pytest.raises(SeasonNotInTerm, match="Month 10"):
        plan(**SEASON, instalments=6)


def test_a_plan_keeps_its_gap_from_the_disbursement() -> None:
    with pytest.raises(GapTooShort):
        plan(**BY_HAND, minimum_gap=32)


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


@pytest.mark.parametrize(
    ("day_count", "disbursed_on", "interest"),
    [
        ("equal-periods", date(2024, 1, 1), 1200),  # a twelfth of a year
        ("equal-periods", date(2024, 1, 16), 619),  # 16 of its 31 days
        ("equal-periods", date(2023, 12, 1), 2400),  # two of them
        ("actual/360", date(2024, 1, 1), 1240),
        ("actual/364", date(2024, 1, 1), 1226),
        ("actual/365", date(2024, 1, 1), 1223),
        ("actual/actual", date(2024, 1, 1), 1220),
        ("actual/actual", date(2023, 12, 1), 2443),  # 31 days of 365 and 31 of 366
    ],
)
def test_days_count_as_the_terms_say(day_count: str, disbursed_on: date, interest: int) -> None:
    assert plan(disbursed_on=disbursed_on, day_count=day_count).interest[0] == interest


def test_the_disbursements_year_may_hold_for_all_days() -> None:
    made = plan(
        kind="interest-only",
        principal="36500.00",
        day_count="actual/actual",
        year_rule="disbursement-year",
        disbursed_on=date(2023, 12, 1),
        first_due_date=date(2024, 1, 1),
    )
    assert made.interest[:3] == (37200, 37200, 34800)


def test_an_odd_last_minor_unit_falls_on_the_last_instalment() -> None:
    assert plan(principal="1000.00", annual_rate="0", instalments=3).principal == (33333, 33333, 33334)
    assert plan(principal="1000", annual_rate="0", instalments=3, currency="JPY").principal == (333, 333, 334)


def test_interest_only_repays_with_the_last_instalment() -> None:
    made = plan(kind="interest-only", instalments=3)
    assert made.principal == (0, 0, 120000)
    assert made.interest == (1200, 1200, 1200)


def test_flat_interest_is_on_the_whole_principal() -> None:
    made = plan(kind="flat", instalments=3)
    assert made.principal == (40000, 40000, 40000)
    assert made.interest == (1200, 1200, 1200)


def test_a_season_repays_its_share_in_its_months() -> None:
    made = plan(**SEASON)
    assert [(one.due.month, one.principal) for one in made.instalments if one.principal] == [(6, 24000), (10, 96000)]
    assert made.interest[0] == 1200
    assert made.interest[5] == 960


def test_a_season_of_several_years_repays_a_part_each_year() -> None:
    made = plan(**SEASON, instalments=18)
    assert [one.principal for one in made.instalments if one.principal] == [12000, 96000, 12000]


def test_the_last_month_of_a_season_takes_what_rounding_left() -> None:
    made = plan(kind="seasonal", principal="1000.00", shares={6: "0.3", 10: "0.7"}, instalments=84)
    assert [one.principal for one in made.instalments if one.principal] == [4286, 10000] * 6 + [4286, 9998]
    assert made.instalments[-1].total == 0, "nothing is left after the last harvest"


def test_what_a_season_has_repaid_stays_when_more_is_paid_out() -> None:
    season = terms(kind="seasonal", principal="1000.00", shares={6: "0.3", 10: "0.7"}, instalments=84)
    paid = [PaidOut(START, 100000), PaidOut(date(2030, 11, 15), 50000)]
    made = schedule(season, paid)
    assert [one.principal for one in made.instalments if one.principal] == [4286, 10000] * 6 + [4286, 9998, 50000]


def test_a_month_named_without_a_share_puts_its_interest_off() -> None:
    made = plan(kind="seasonal", shares={2: "0", 3: "0", 10: "1"})
    assert made.interest[:3] == (0, 0, 3600)
    assert made.principal[8] == 120000


def test_a_plan_by_hand_bears_interest_on_what_is_left() -> None:
    made = plan(**BY_HAND, minimum_gap=31)
    assert made.due == (date(2024, 2, 1), date(2024, 6, 1))
    assert made.principal == (20000, 100000)
    assert made.interest == (1200, 4000)


def test_a_balloon_is_left_for_the_last_instalment() -> None:
    level = totals(plan(balloon="600.00"))
    assert len(set(level[:-1])) == 1
    assert abs(level[-1] - level[0] - 60000) < 12
    assert plan(kind="equal-principal", balloon="600.00").principal == (5000,) * 11 + (65000,)
    assert plan(kind="flat", balloon="600.00").principal == (5000,) * 11 + (65000,)


def test_multiples_leave_the_rest_to_the_last_instalment() -> None:
    assert totals(plan(instalment_multiple="1.00"))[:-1] == [10700] * 11
    assert plan(kind="equal-principal", principal_multiple="30.00").principal == (9000,) * 11 + (21000,)
    whole = totals(plan(kind="equal-principal", instalment_multiple="1.00"))
    assert all(total % 100 == 0 for total in whole)


def test_graces_ask_for_less_at_first() -> None:
    made = plan(grace_principal=3)
    assert made.principal[:3] == (0, 0, 0)
    assert len(set(totals(made)[3:-1])) == 1
    put_off = plan(grace_principal=3, grace_interest_payment=3)
    assert put_off.interest[:4] == (0, 0, 0, 4800)
    assert totals(put_off)[0] == 0
    free = plan(grace_interest_charge=3)
    assert free.interest[:3] == (0, 0, 0)
    assert len(set(totals(free)[:-1])) == 1, "the instalment solves for the interest that will be charged"


def test_a_down_payment_is_an_instalment_of_its_own() -> None:
    made = plan(annual_rate="0", down_payment="0.25", instalments=3)
    assert made.instalments[0] == Instalment(START, START, 30000, 0, down_payment=True)
    assert made.principal == (30000, 30000, 30000, 30000)


def test_month_ends_do_not_drift() -> None:
    clamped = plan(first_due_date=date(2024, 1, 31), disbursed_on=date(2023, 12, 31), instalments=4)
    assert [day.day for day in clamped.due] == [31, 29, 31, 30]
    last = plan(first_due_date=date(2024, 2, 29), month_end="last-day", instalments=3)
    assert [day.day for day in last.due] == [29, 31, 30]


def test_known_rate_changes_are_in_the_level_instalment() -> None:
    made = plan(rate_changes=[{"from_date": date(2024, 7, 1), "annual_rate": "0.24"}])
    assert len(set(totals(made)[:-1])) == 1
    assert abs(totals(made)[-1] - totals(made)[0]) < 12
    simple = plan(kind="interest-only", rate_changes=[{"from_date": date(2024, 1, 16), "annual_rate": "0.24"}])
    assert simple.interest[:2] == (600 + 1200, 2400)


def test_progressive_instalments_level_the_last_one() -> None:
    made = totals(plan(principal="1000.00", annual_rate="0.0999", instalments=36, schedule="progressive"))
    assert abs(made[-1] - made[0]) <= 18


HOLIDAY = {"first_due_date": date(2025, 10, 1), "disbursed_on": date(2025, 9, 1), "day_count": "actual/365"}


def test_a_due_date_moves_off_holidays_with_or_without_its_interest() -> None:
    """2025-10-01 to 10-08 were holidays in China; Saturday 10-11 was a working day in exchange."""
    still = plan(**HOLIDAY, instalments=2, kind="interest-only", holidays={"country": "CN"})
    assert still.due == (date(2025, 10, 9), date(2025, 11, 3))
    assert still.interest == (1184, 1223)
    with_it = plan(**HOLIDAY, instalments=2, kind="interest-only", holidays={"country": "CN", "with_interest": True})
    assert with_it.interest == (1499, 986)
    back = plan(**HOLIDAY, instalments=2, holidays={"country": "CN", "roll": "preceding"})
    assert back.due == (date(2025, 9, 30), date(2025, 10, 31))
    exchanged = plan(**(HOLIDAY | {"first_due_date": date(2025, 10, 11)}), instalments=1, holidays={"country": "CN"})
    assert exchanged.due == (date(2025, 10, 11),)
    month_end = date(2026, 1, 31)
    modified = plan(
        first_due_date=month_end,
        disbursed_on=date(2026, 1, 1),
        instalments=1,
        holidays={"country": "DE", "roll": "modified-following"},
    )
    assert modified.due == (date(2026, 1, 30),)


def test_a_year_that_the_holiday_calendar_does_not_know_is_flagged() -> None:
    made = plan(**HOLIDAY, instalments=36, holidays={"country": "CN"})
    assert made.flagged == (2027, 2028)
    assert plan(**HOLIDAY, instalments=3, holidays={"country": "CN"}).flagged == ()


def test_tranches_spread_over_what_is_left() -> None:
    paid = [PaidOut(START, 60000), PaidOut(date(2024, 3, 15), 60000)]
    made = schedule(terms(annual_rate="0", instalments=6), paid)
    assert made.principal == (10000, 10000, 20000, 20000, 20000, 40000)
    progressive = schedule(terms(annual_rate="0", instalments=6, schedule="progressive"), paid)
    assert progressive.principal == (10000, 10000, 25000, 25000, 25000, 25000)
    with pytest.raises(DisbursedAfterLastDue):
        schedule(terms(instalments=2), [PaidOut(START, 60000), PaidOut(date(2024, 3, 2), 60000)])


def changed(change: Any, **fields: Any) -> Schedule:
    paid = [PaidOut(START, 120000)]
    return schedule(terms(**fields), paid, [(date(2024, 3, 15), change)])


def test_a_moved_due_date_moves_those_after_it() -> None:
    made = changed(DueDateMoved(due=date(2024, 4, 1), to=date(2024, 4, 20)), instalments=5)
    assert made.due[1:] == (date(2024, 3, 1), date(2024, 4, 20), date(2024, 5, 20), date(2024, 6, 20))
    assert made.interest[2] > made.interest[1]
    assert made.instalments[:2] == plan(instalments=5).instalments[:2]


def test_a_new_rate_holds_from_its_instalment_on() -> None:
    made = changed(RateChanged(from_due=date(2024, 4, 1), annual_rate="0.06"), kind="interest-only", instalments=4)
    assert made.interest == (1200, 1200, 600, 600)
    level = totals(changed(RateChanged(from_due=date(2024, 4, 1), annual_rate="0.06")))
    assert level[:2] == totals(plan())[:2]
    assert len(set(level[2:-1])) == 1
    assert level[2] < level[1]


def test_more_instalments_spread_what_is_left() -> None:
    made = changed(TermExtended(from_due=date(2024, 4, 1), instalments=2), annual_rate="0", instalments=4)
    assert made.principal == (30000, 30000, 15000, 15000, 15000, 15000)


def test_a_grace_is_granted_in_the_middle() -> None:
    grace = GraceGranted(from_due=date(2024, 4, 1), principal=2, interest=1)
    made = changed(grace, kind="equal-principal", instalments=6)
    assert made.principal == (20000, 20000, 0, 0, 40000, 40000)
    assert made.interest == (1200, 1000, 0, 1600, 800, 400)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (DueDateMoved(due=date(2024, 4, 2), to=date(2024, 5, 1)), NoSuchInstalment),
        (DueDateMoved(due=date(2024, 4, 1), to=date(2024, 3, 1)), DueDateNotAhead),
        (RateChanged(from_due=date(2026, 4, 1), annual_rate="0.06"), NoSuchInstalment),
        (GraceGranted(from_due=date(2024, 11, 1), principal=3), GraceTooLong),
    ],
)
def test_a_change_that_cannot_be_is_refused(change: Any, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        changed(change)


def test_a_plan_by_hand_is_not_extended() -> None:
    with pytest.raises(TermsContradict):
        changed(TermExtended(from_due=date(2024, 6, 1), instalments=1), **BY_HAND)


def test_what_has_fallen_due_is_not_changed_by_what_happens_later() -> None:
    paid = [PaidOut(START, 60000), PaidOut(date(2024, 6, 15), 30000), PaidOut(date(2024, 8, 15), 30000)]
    changes = [
        (date(2024, 5, 3), RateChanged(from_due=date(2024, 6, 1), annual_rate="0.18")),
        (date(2024, 7, 3), TermExtended(from_due=date(2024, 8, 1), instalments=3)),
        (date(2024, 9, 3), GraceGranted(from_due=date(2024, 10, 1), principal=2, interest=2)),
        (date(2024, 11, 3), DueDateMoved(due=date(2024, 12, 1), to=date(2024, 12, 20))),
    ]
    for kind in ("equal-instalment", "equal-principal", "flat", "interest-only"):
        for plan_kind in ("cumulative", "progressive"):
            made = [
                (changes[k - 1][0] if k else START, schedule(terms(kind=kind, schedule=plan_kind), paid, changes[:k]))
                for k in range(5)
            ]
            for (_, before), (day, after) in pairwise(made):
                due = [one for one in before.instalments if one.due <= day]
                assert list(after.instalments[: len(due)]) == due
