"""Expected credit loss and provision matrices."""

from decimal import Decimal

import pytest

from shared.expected_loss import (
    LossPeriod,
    NotAProbability,
    expected_loss,
    exposure_at_default,
    marginal_of_cumulative,
    marginal_of_hazard,
    matrix,
    twelve_month_loss,
)

D = Decimal


def year(number: int, default: str, exposure: str = "1000") -> LossPeriod:
    return LossPeriod(D(default), D("0.4"), D(exposure), years=D(number))


def test_a_life_is_the_sum_of_its_years_discounted() -> None:
    life = [year(1, "0.02"), year(2, "0.03", "600"), year(3, "0.01", "200")]
    assert expected_loss(life) == D("8") + D("7.2") + D("0.8")
    discounted = expected_loss(life, D("0.1"))
    by_hand = D(8) / D("1.1") + D("7.2") / D("1.21") + D("0.8") / D("1.331")
    assert abs(discounted - by_hand) < D("1e-24")
    assert twelve_month_loss(life) == D(8)
    assert twelve_month_loss(life, D("0.1")) < discounted


def test_months_within_the_year_are_the_twelve_month_loss() -> None:
    months = [LossPeriod(D("0.001"), D("0.5"), D(1200), years=D(n) / 12) for n in range(1, 25)]
    assert twelve_month_loss(months) == D("7.2")
    assert expected_loss(months) == D("14.4")


def test_marginal_probabilities_come_from_cumulative_ones_and_from_hazards() -> None:
    assert marginal_of_cumulative([D("0.02"), D("0.05"), D("0.05")]) == [D("0.02"), D("0.03"), D(0)]
    assert marginal_of_hazard([D("0.1"), D("0.1"), D("0.5")]) == [D("0.1"), D("0.09"), D("0.405")]
    with pytest.raises(NotAProbability):
        marginal_of_cumulative([D("0.05"), D("0.02")])


def test_undrawn_commitments_count_by_their_conversion() -> None:
    assert exposure_at_default(D(600), D(400), D("0.5")) == D(800)


def test_a_matrix_provides_for_each_bucket() -> None:
    """Source: https://www.faqifrs.com/step-6-apply-the-provision-matrix/, which prints the last one as 112."""
    rows = [("15000", "0.005"), ("7500", "0.022"), ("4000", "0.027"), ("2500", "0.045")]
    assert matrix((D(sum_), D(share)) for sum_, share in rows) == [D(75), D(165), D(108), D("112.5")]


@pytest.mark.parametrize("share", ["-0.01", "1.01"])
def test_what_is_no_probability_is_refused(share: str) -> None:
    with pytest.raises(NotAProbability):
        matrix([(D(100), D(share))])
    with pytest.raises(NotAProbability):
        expected_loss([LossPeriod(D(share), D("0.4"), D(100))])
    with pytest.raises(NotAProbability):
        expected_loss([LossPeriod(D("0.1"), D(share), D(100))])
