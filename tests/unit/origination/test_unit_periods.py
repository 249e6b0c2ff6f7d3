"""Unit-periods, fractions and rates of 12 CFR 1026 (Regulation Z) Appendix J, on dates of its examples and beyond."""

from datetime import date
from decimal import Decimal

import pytest

from services.origination.annual_rate import (
    NoAnnualRate,
    Payment,
    UnitPeriod,
    all_in_rate,
    annual,
    periodic_rate,
    periodic_rate_of_several,
    time_between,
    unit_period_of_single_payment,
)
from shared.schedules import Instalment

MONTH, YEAR = UnitPeriod(1, "month"), UnitPeriod(12, "month")


@pytest.mark.parametrize(
    ("start", "end", "period", "whole", "fraction"),
    [
        ("1978-02-10", "1978-04-01", MONTH, 1, (19, 30)),
        ("1978-02-23", "1978-03-01", UnitPeriod(1, "semimonth"), 0, (6, 15)),
        ("1978-01-10", "1978-03-01", UnitPeriod(1, "semimonth"), 3, (7, 15)),
        ("1978-05-23", "1978-10-01", UnitPeriod(3, "month"), 1, (39, 90)),
        ("1978-01-10", "1978-03-01", UnitPeriod(2, "month"), 0, (52, 60)),
        ("1978-03-20", "1978-04-21", UnitPeriod(1, "week"), 4, (4, 7)),
        ("1978-04-03", "1978-04-11", UnitPeriod(2, "week"), 0, (8, 14)),
        ("2023-10-26", "2023-11-30", UnitPeriod(1, "day"), 35, (0, 1)),
        ("2023-10-30", "2025-12-30", YEAR, 2, (2, 12)),
        ("2023-10-26", "2025-11-30", YEAR, 2, (35, 365)),
        ("2024-02-29", "2024-03-31", MONTH, 1, (0, 1)),
    ],
)
def test_time_is_whole_unit_periods_back_from_the_payment_and_a_fraction(
    start: str, end: str, period: UnitPeriod, whole: int, fraction: tuple[int, int]
) -> None:
    found = time_between(date.fromisoformat(start), date.fromisoformat(end), period)
    assert found[0] == whole
    assert abs(found[1] * fraction[1] - fraction[0]) < Decimal("1e-30")


def test_payments_on_last_days_are_measured_from_last_day_to_last_day() -> None:
    start, end = date(2025, 1, 31), date(2025, 2, 28)
    assert time_between(start, end, MONTH)[0] == 0
    assert time_between(start, end, MONTH, last_day=True) == (1, 0)


@pytest.mark.parametrize(
    ("end", "per_year"),
    [("1978-09-15", "1.4313725"), ("1978-09-03", "1.5"), ("1979-01-03", "1"), ("1980-03-03", "1")],
)
def test_the_unit_period_of_a_single_payment_is_its_term_a_year_at_most(end: str, per_year: str) -> None:
    period = unit_period_of_single_payment(date(1978, 1, 3), date.fromisoformat(end))
    assert round(period.per_year(), 7) == Decimal(per_year)


def test_a_single_payment_after_255_days_is_the_published_rate() -> None:
    """Source: 12 CFR 1026 Appendix J (c)(5)(i): 1,000 advanced 3 January, 1,080 paid 15 September 1978: 11.45 %."""
    due = (Instalment(date(1978, 1, 3), date(1978, 9, 15), 100_000, 8_000),)
    rate = all_in_rate(100_000, due, disbursed_on=date(1978, 1, 3), every=1, unit="month", method="nominal")
    assert round(rate, 4) == Decimal("0.1145")


def test_several_advances_are_worth_their_payments() -> None:
    advances = [Payment(0, Decimal(0), 300_000), Payment(2, Decimal(0), 200_000)]
    payments = [Payment(number, Decimal(0), 23_000) for number in range(3, 27)]
    rate = periodic_rate_of_several(advances, payments)
    growth = 1 + rate
    gap = sum(p.amount / growth**p.whole for p in payments) - sum(a.amount / growth**a.whole for a in advances)
    assert abs(gap) < Decimal("1e-15")
    one = periodic_rate_of_several(advances[:1], payments)
    assert abs(one - periodic_rate(300_000, payments)) < Decimal("1e-24")
    assert annual(rate, MONTH, "nominal") < annual(one, MONTH, "nominal")


def test_several_advances_that_are_not_paid_back_have_no_rate() -> None:
    advances = [Payment(0, Decimal(0), 100), Payment(1, Decimal(0), 1)]
    with pytest.raises(NoAnnualRate):
        periodic_rate_of_several(advances, [Payment(2, Decimal(0), 100)])
