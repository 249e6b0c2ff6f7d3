"""One adaptive level per borrower and indicator: a chart that is stepped a month at a time, or run again from events.

1. The usual: the borrower's own mean and variance, shrunk to the peers' (n/(n+k)), theirs to the policy's.
2. EWMA of x less the market's shift, from the usual mean, with the exact limits of each step. Source: domain rule
   "small shift": z_i = lam x + (1-lam) z, limit = mean + L sd sqrt(lam/(2-lam) (1-(1-lam)^(2i))).
3. The level = clamp(floor, limit + shift, ceiling). A value above the ceiling counts at once, whatever was usual, and
   as no more than the ceiling in the EWMA.
4. k of the last n months above the level raise; below `clear` x level for `hold` months clears: hysteresis.
5. What crossed teaches nothing, and while in alert nothing is learned: a slow decline must not become the usual. What
   is learned counts as no more than two standard deviations from the usual: one wild month must not widen the limits.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from services.monitoring.charts import ewma, ewma_half_width, exact, kept
from services.monitoring.policy import Soft
from services.monitoring.state import ZERO, Chart, Observed, Standing

OBSERVED_MAX = 6
"""Months that late data can still change; older ones are one standing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a month's value came to."""

    month: int
    x: Decimal
    figure: Decimal
    """What is compared with the level: the EWMA, with the market's shift."""
    level: Decimal
    crossed: bool
    mean: Decimal
    sd: Decimal


@dataclass(frozen=True, slots=True)
class Run:
    """Where a chart was led, and by which verdicts."""

    now: Standing
    verdicts: tuple[Verdict, ...]

    @property
    def last(self) -> Verdict | None:
        """The latest."""
        return self.verdicts[-1] if self.verdicts else None


def usual(rule: Soft, own: Standing, peers: Observed) -> tuple[Decimal, Decimal]:
    """Mean and standard deviation that are usual for the borrower: own values count n/(n+k), the peers' the rest; of
    the peers' likewise against the policy's. Call within `exact`."""
    peer_mean, peer_variance = _shrunk(
        peers.peers, peers.mean, peers.variance, rule.usual_weight, rule.usual_mean, rule.usual_sd**2
    )
    own_variance = own.squares / own.n if own.n else ZERO
    mean, variance = _shrunk(own.n, own.mean, own_variance, rule.shrink, peer_mean, peer_variance)
    return mean, variance.sqrt()


def _shrunk(
    n: int, mean: Decimal, variance: Decimal, k: Decimal, to_mean: Decimal, to_variance: Decimal
) -> tuple[Decimal, Decimal]:
    share = n / (n + k)
    return share * mean + (1 - share) * to_mean, share * variance + (1 - share) * to_variance


def clamp(rule: Soft, adaptive: Decimal) -> Decimal:
    """The level as it is published: within floor and ceiling, rounded up to the rule's step."""
    steps = (adaptive / rule.step).to_integral_value(rounding=ROUND_CEILING)
    return min(rule.ceiling, max(rule.floor, steps * rule.step))


def run(rule: Soft, before: Standing, observed: list[Observed]) -> Run:
    """Step a chart through months, in order."""
    standing, verdicts = before, []
    with exact():
        for one in observed:
            if one.x is not None:
                standing, verdict = _step(rule, standing, one, one.x)
                verdicts.append(verdict)
    return Run(standing, tuple(verdicts))


def _step(rule: Soft, old: Standing, peers: Observed, x: Decimal) -> tuple[Standing, Verdict]:
    mean, sd = usual(rule, old, peers)
    steps = old.steps + 1
    counted = min(x, rule.ceiling) - peers.shift  # more would only keep the alert up when all is well again
    z = kept(ewma(old.z if old.steps else mean, counted, rule.lam))
    limit = mean + ewma_half_width(sd, lam=rule.lam, width=rule.width, step=steps)
    adaptive = old.adaptive if old.up else kept(limit)
    level, figure = clamp(rule, adaptive + peers.shift), kept(z + peers.shift)
    sudden = x > rule.ceiling
    crossed = sudden or figure > level
    up, held = _decide(rule, old, crossed=crossed, sudden=sudden, calm=figure <= level * rule.clear)
    changed = up != old.up
    recent = [*old.recent, int(crossed)][-rule.of :] if not changed else []
    n, own_mean, squares = old.n, old.mean, old.squares
    if not crossed and not old.up:
        n, own_mean, squares = _learn(rule, old, max(mean - 2 * sd, min(mean + 2 * sd, counted)))
    now = Standing(
        n=n,
        mean=own_mean,
        squares=squares,
        z=z,
        steps=steps,
        up=up,
        held=held,
        recent=recent,
        adaptive=adaptive,
        raised=(peers.month if changed else old.raised) if up else None,
    )
    return now, Verdict(peers.month, x, figure, level, crossed, kept(mean), kept(sd))


def _decide(rule: Soft, old: Standing, *, crossed: bool, sudden: bool, calm: bool) -> tuple[bool, int]:
    """Whether the indicator is in alert now, and for how many months that has been so."""
    held = min(99, old.held + 1)
    if old.up:
        clears = calm and held >= rule.hold
        return not clears, 0 if clears else held
    confirmed = sum([*old.recent, int(crossed)][-rule.of :]) >= rule.confirm
    raises = crossed and (sudden or (confirmed and held > rule.hold))
    return raises, 0 if raises else held


def _learn(rule: Soft, old: Standing, x: Decimal) -> tuple[int, Decimal, Decimal]:
    """Welford's update; past `memory` months the oldest weigh less and less."""
    n, squares = old.n + 1, old.squares
    if n > rule.memory:
        n, squares = rule.memory, old.squares * (rule.memory - 1) / rule.memory
    mean = old.mean + (x - old.mean) / n
    return n, kept(mean), kept(squares + (x - old.mean) * (x - mean))


def append(rule: Soft, chart: Chart, observed: Observed) -> Run:
    """Step a chart by one month; months that late data can't change any more become its beginning."""
    chart.observed.append(observed)
    while len(chart.observed) > OBSERVED_MAX:
        chart.before = run(rule, chart.before, [chart.observed.pop(0)]).now
    result = run(rule, chart.now, [observed])
    chart.now = result.now
    return result


def again(rule: Soft, chart: Chart) -> Run:
    """Run a chart again from its beginning, after its months changed."""
    result = run(rule, chart.before, chart.observed)
    chart.now = result.now
    return result


def begin_anew(chart: Chart) -> None:
    """A person accepted what is now as the usual: own values are learned from the next month on."""
    chart.usual_since = chart.now.raised
    chart.before, chart.observed, chart.now = Standing(), [], Standing()
