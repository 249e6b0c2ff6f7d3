"""Control charts in exact decimal arithmetic: the same figures on every machine and in every replay."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

_EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)
KEPT = Decimal("0.000001")
"""States are rounded to this, so that they keep their size."""


@contextmanager
def exact() -> Iterator[None]:
    """28 digits, ties to even, whatever the process is set to."""
    with localcontext(_EXACT):
        yield


def kept(value: Decimal) -> Decimal:
    """As it is stored: six decimals, a tie to the even neighbour."""
    return value.quantize(KEPT, rounding=ROUND_HALF_EVEN)


def ewma(previous: Decimal, x: Decimal, lam: Decimal) -> Decimal:
    """z_i = lam x_i + (1 - lam) z_(i-1). Source: NIST/SEMATECH e-Handbook 6.3.2.4."""
    return lam * x + (1 - lam) * previous


def ewma_half_width(sd: Decimal, *, lam: Decimal, width: Decimal, step: int | None = None) -> Decimal:
    """How far the limits of an EWMA chart stand from its target: width * sd * sqrt(lam/(2-lam) (1 - (1-lam)^(2 step))).

    `step` counts from 1; None: the limit that the steps tend to. Source: NIST/SEMATECH e-Handbook 6.3.2.4.
    """
    share = lam / (2 - lam)
    if step is not None:
        share *= 1 - (1 - lam) ** (2 * step)
    return width * sd * share.sqrt()


def cusum(high: Decimal, low: Decimal, x: Decimal, *, target: Decimal, slack: Decimal) -> tuple[Decimal, Decimal]:
    """The two sums of a tabular CUSUM after `x`: what exceeded target + slack, and what fell short of target - slack.

    Source: NIST/SEMATECH e-Handbook 6.3.2.3. A sum above the decision interval h is an alarm.
    """
    zero = Decimal(0)
    return max(zero, high + x - target - slack), max(zero, low + target - slack - x)
