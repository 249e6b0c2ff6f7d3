"""Control charts give the figures that others published."""

from decimal import Decimal

from services.monitoring.charts import cusum, ewma, ewma_half_width, exact


def test_ewma_and_its_limits_are_those_of_the_nist_handbook() -> None:
    """Source: NIST/SEMATECH e-Handbook 6.3.2.4, target 50, sd 2.0539, lam 0.3, width 3."""
    values = "52.0 47.0 53.0 49.3 50.1 47.0 51.0 50.1 51.2 50.5 49.6 47.6 49.9 51.3 47.8 51.2 52.6 52.4 53.6 52.1"
    published = (
        "50.6 49.52 50.56 50.18 50.16 49.21 49.75 49.85 50.26 50.33 50.11 49.36 49.52 50.05 49.38 49.92 50.73 51.23"
        " 51.94 51.99"
    )
    z = Decimal(50)
    with exact():
        for x, expected in zip(values.split(), published.split(), strict=True):
            z = ewma(z, Decimal(x), Decimal("0.3"))
            assert abs(z - Decimal(expected)) <= Decimal("0.005")
        width = ewma_half_width(Decimal("2.0539"), lam=Decimal("0.3"), width=Decimal(3))
    assert round(50 + width, 4) == Decimal("52.5884")
    assert round(50 - width, 4) == Decimal("47.4116")


def test_ewma_limits_widen_step_by_step_to_those_of_the_long_run() -> None:
    lam, width, sd = Decimal("0.3"), Decimal(3), Decimal(2)
    with exact():
        first = ewma_half_width(sd, lam=lam, width=width, step=1)
        steps = [ewma_half_width(sd, lam=lam, width=width, step=n) for n in range(1, 40)]
        last = ewma_half_width(sd, lam=lam, width=width)
    assert round(first, 9) == width * sd * lam
    assert steps == sorted(steps)
    assert last - steps[-1] < Decimal("0.00001")


def test_cusum_is_that_of_the_nist_handbook() -> None:
    """Source: NIST/SEMATECH e-Handbook 6.3.2.3, target 325, k 0.3175, h 4.1959: the alarm comes at the 14th value."""
    values = (
        "324.925 324.675 324.725 324.35 325.35 325.225 324.125 324.525 325.225 324.6 324.625 325.15 328.325 327.25"
        " 327.825 328.5 326.675 327.775 326.875 328.35"
    )
    high = [0, 0, 0, 0, "0.03", 0, 0, 0, 0, 0, 0, 0, "3.01", "4.94", "7.45", "10.63", "11.99", "14.44", 16, "19.04"]
    low = [0, "0.01", 0, "0.33", 0, 0, "0.56", "0.72", "0.17", "0.25", "0.31", *[0] * 9]
    sums = Decimal(0), Decimal(0)
    alarms = []
    for n, x in enumerate(values.split()):
        sums = cusum(*sums, Decimal(x), target=Decimal(325), slack=Decimal("0.3175"))
        assert abs(sums[0] - Decimal(high[n])) <= Decimal("0.006")
        assert abs(sums[1] - Decimal(low[n])) <= Decimal("0.006")
        alarms += [n + 1] if max(sums) > Decimal("4.1959") else []
    assert alarms[0] == 14
