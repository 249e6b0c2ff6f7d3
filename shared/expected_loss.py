"""What credit losses are expected, and how much is set aside for them: pure figures, no state.

Expected credit loss (IFRS 9, 5.5.17 and B5.5.44): the sum over periods of the probability of default in the period x
the loss given default x the exposure at default, discounted to the reporting date at the effective rate. Over the next
12 months where credit risk has not risen significantly (5.5.5), over the whole life where it has (5.5.3).
Provision matrix: a share of what is outstanding by days past due (IFRS 9, B5.5.35).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from shared.errors import Refusal

EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
"""34 digits (IEEE 754 decimal128): rounding to money is the caller's."""
ONE = Decimal(1)


class NotAProbability(Refusal):
    """A probability, a loss share or a conversion factor must lie between 0 and 1."""


@dataclass(frozen=True, slots=True)
class LossPeriod:
    """One period of a loan's life.

    default: the probability that it defaults in this period (marginal, seen from today). loss: the share of the
    exposure that is then lost. exposure: what is outstanding then. years: from today to when the loss would come,
    for the discount.
    """

    default: Decimal
    loss: Decimal
    exposure: Decimal
    years: Decimal = Decimal(0)


def exposure_at_default(outstanding: Decimal, undrawn: Decimal, conversion: Decimal) -> Decimal:
    """What is outstanding and the share of the undrawn commitment that will be by then (credit conversion factor)."""
    return EXACT.add(outstanding, EXACT.multiply(undrawn, _share(conversion)))


def expected_loss(periods: Iterable[LossPeriod], annual_rate: Decimal = Decimal(0)) -> Decimal:
    """The sum of marginal PD x LGD x EAD x 1 / (1 + annual_rate)^years, unrounded. Raises NotAProbability."""
    sum_of_losses, growth = Decimal(0), EXACT.add(ONE, annual_rate)
    for period in periods:
        loss = EXACT.multiply(EXACT.multiply(_share(period.default), _share(period.loss)), period.exposure)
        sum_of_losses = EXACT.add(sum_of_losses, EXACT.divide(loss, EXACT.power(growth, period.years)))
    return sum_of_losses


def twelve_month_loss(periods: Sequence[LossPeriod], annual_rate: Decimal = Decimal(0)) -> Decimal:
    """What of it comes from defaults within 12 months: `years` of 1 at most. Raises NotAProbability."""
    return expected_loss((period for period in periods if period.years <= ONE), annual_rate)


def marginal_of_cumulative(cumulative: Sequence[Decimal]) -> list[Decimal]:
    """Probabilities of default in each period, of those up to the end of each. Raises NotAProbability if one falls."""
    return [
        _share(EXACT.subtract(_share(now), before))
        for before, now in zip((Decimal(0), *cumulative), cumulative, strict=False)
    ]


def marginal_of_hazard(hazards: Sequence[Decimal]) -> list[Decimal]:
    """Probabilities of default in each period seen from today, of those of a loan that has survived until then."""
    survival, marginal = ONE, []
    for hazard in hazards:
        marginal.append(EXACT.multiply(survival, _share(hazard)))
        survival = EXACT.multiply(survival, EXACT.subtract(ONE, hazard))
    return marginal


def matrix(buckets: Iterable[tuple[Decimal, Decimal]]) -> list[Decimal]:
    """The provision of each bucket: (outstanding, loss share) pairs, unrounded. Raises NotAProbability."""
    return [EXACT.multiply(outstanding, _share(share)) for outstanding, share in buckets]


def _share(value: Decimal) -> Decimal:
    if not 0 <= value <= 1:
        raise NotAProbability(f"{value} does not lie between 0 and 1.")
    return value
