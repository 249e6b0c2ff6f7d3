"""The order of the queue, priority@1."""

import pytest

from services.collections.strategy import strategies

STRATEGY = strategies()[0]


def priority(days: int = 10, amount: int = 0, currency: str = "CNY", broken: int = 0, *alerts: str) -> int:
    return STRATEGY.priority_of(
        step=STRATEGY.step(days), past_due={currency: amount}, broken_promises=broken, alerts=alerts
    )


@pytest.mark.parametrize(
    ("minor", "points"), [(0, 0), (99_99, 0), (100_00, 10), (199_99, 10), (200_00, 20), (51_200_00, 100), (10**12, 100)]
)
def test_an_amount_counts_by_its_doublings_up_to_a_limit(minor: int, points: int) -> None:
    assert priority(amount=minor) == 200 + points


def test_each_part_adds_and_none_without_limit() -> None:
    assert priority(broken=1) == 250
    assert priority(10, 0, "CNY", 9, "yellow", "red") == 200 + 100 + 100
    assert priority(amount=10**9, currency="XAU") == 200  # no unit is known
    assert priority(10, 0, "CNY", 0, "purple") == 200  # nor this severity


def test_priority_rises_to_two_months_and_falls_after() -> None:
    by_age = [priority(days) for days in (4, 15, 31, 61, 91, 181, 2000)]
    assert by_age == [200, 300, 400, 350, 200, 100, 100]
