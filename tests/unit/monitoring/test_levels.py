"""Levels: shrinkage, limits, clamp, hysteresis, confirmation, freezing, and what late data changes."""

from decimal import Decimal

import pytest

from services.monitoring import levels
from services.monitoring.policy import Soft, rules_on
from services.monitoring.state import Chart, Observed, Standing, month_of
from tests.unit.monitoring.test_portfolio import AS_OF

FALL = rules_on(AS_OF).of("inflow-fall")
DORMANCY = rules_on(AS_OF).of("dormancy")
assert FALL is not None
assert DORMANCY is not None


def months(*values: float | str | None, peers: int = 0, mean: str = "0", variance: str = "0") -> list[Observed]:
    """Consecutive months with these values."""
    start = month_of(AS_OF)
    return [
        Observed(start + n, None if x is None else Decimal(str(x)), peers, Decimal(mean), Decimal(variance))
        for n, x in enumerate(values)
    ]


def ups(rule: Soft, observed: list[Observed]) -> list[bool]:
    """Whether the indicator is in alert after each month."""
    return [levels.run(rule, Standing(), observed[: n + 1]).now.up for n in range(len(observed))]


def test_own_values_count_more_the_more_there_are_of_them() -> None:
    """Shrinkage n/(n+k), with k = 6 twice: own to peers, peers to the policy's usual."""
    peers = Observed(0, None, 6, Decimal(10), Decimal(4))
    mean, _ = levels.usual(DORMANCY, Standing(), peers)
    assert mean == Decimal(7)  # half of the peers' 10, half of the policy's 4
    mean, _ = levels.usual(DORMANCY, Standing(n=6, mean=Decimal(21)), peers)
    assert mean == Decimal(14)
    mean, sd = levels.usual(DORMANCY, Standing(n=6, squares=Decimal(24)), Observed(0, None))
    assert round(sd * sd, 9) == Decimal("14.5")  # half of the own 4, half of the policy's 25


def test_a_level_stays_within_floor_and_ceiling() -> None:
    calm = levels.run(FALL, Standing(), months(*[0] * 24, peers=1000))
    assert calm.last is not None
    assert calm.last.level == FALL.floor
    wild = levels.run(FALL, Standing(), months(0, peers=1000, mean="60", variance="1600"))
    assert wild.last is not None
    assert wild.last.level == FALL.ceiling


def test_a_level_follows_the_borrower() -> None:
    """One whose account rests for two weeks every month is asked about later than one who moves it daily."""
    daily = levels.run(DORMANCY, Standing(), months(*[1] * 12)).last
    slow = levels.run(DORMANCY, Standing(), months(*[19, 21] * 12)).last
    assert daily is not None
    assert slow is not None
    assert daily.level < slow.level


def test_a_small_shift_takes_two_of_three_months_to_be_confirmed() -> None:
    assert ups(FALL, months(0, 0, 70, 0, 0, 0)) == [False] * 6
    assert ups(FALL, months(0, 0, 70, 70)) == [False, False, False, True]
    assert ups(FALL, months(0, 0, 70, 0, 0, 70)) == [False] * 6


def test_beyond_the_ceiling_one_month_is_enough() -> None:
    assert ups(FALL, months(0, 0, int(FALL.ceiling) + 1)) == [False, False, True]
    assert ups(FALL, months(0, 0, int(FALL.ceiling))) == [False, False, False]


def test_an_alert_clears_only_well_below_its_level() -> None:
    """Hysteresis: dormancy raises above the level and clears at half of it."""
    level = levels.run(DORMANCY, Standing(), months(5)).last
    assert level is not None
    high, between, low = level.level + 1, level.level - 1, level.level / 2
    assert ups(DORMANCY, months(high, between, between, low)) == [True, True, True, False]


def test_what_is_well_again_is_seen_within_months_however_bad_it_was() -> None:
    trend = rules_on(AS_OF).of("late-trend")
    assert trend is not None
    assert ups(trend, months(0, 31, 62, 93, 240, *[0] * 6))[4:] == [True] * 5 + [False] * 2


def test_an_alert_stays_for_its_minimum_time() -> None:
    negative = rules_on(AS_OF).of("negative-balance")
    assert negative is not None
    assert ups(negative, months(14, 0, 0)) == [True, False, False]
    patient = negative.model_copy(update={"hold": 2})
    assert ups(patient, months(14, 0, 0)) == [True, True, False]
    assert ups(patient, months(14, 0, 0, 14, 14, 14))[3:] == [False, False, True]


@pytest.mark.parametrize("fall", [70, 45])
def test_a_decline_that_lasts_does_not_become_the_usual(fall: int) -> None:
    """While in alert nothing is learned: after two years the alert stands, and the level with it."""
    observed = months(*[0] * 12, *[fall] * 24)
    result = levels.run(FALL, Standing(), observed)
    assert result.now.up
    raised = next(verdict for verdict in result.verdicts if verdict.crossed)
    assert result.verdicts[-1].level == raised.level
    assert result.now.mean < 10


def test_a_slow_decline_is_seen_before_it_has_taught_itself() -> None:
    observed = months(*[0] * 12, *[4 * n for n in range(1, 21)])
    assert levels.run(FALL, Standing(), observed).now.up


def test_what_all_peers_share_is_no_alert_of_a_member() -> None:
    observed = months(*[0] * 6, 60, 60, 60, peers=50, variance="100")
    assert levels.run(FALL, Standing(), observed).now.up
    for one in observed[6:]:
        one.shift = Decimal(58)
    result = levels.run(FALL, Standing(), observed)
    assert not result.now.up
    assert result.verdicts[-1].level > 60


def test_a_chart_run_again_is_the_chart_that_was_stepped() -> None:
    chart = Chart(Standing())
    values = [0, 10, 40, None, 70, 70, 70, 20, 0, 0, 30]
    for one in months(*values):
        levels.append(FALL, chart, one)
    stepped = chart.now
    assert levels.again(FALL, chart).now == stepped
    assert stepped == levels.run(FALL, Standing(), months(*values)).now
