"""What the borrowers of a partition share: how their peer groups usually are, how they were last month, and markets.

A group's peers are those of the same partition: with eight partitions, an eighth of them, chosen by hash of the id.
"""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from services.monitoring.charts import cusum, exact, kept
from services.monitoring.policy import IndicatorRow, Soft
from services.monitoring.state import ZERO, Observed, Party, segment_of

MONTHS_KEPT = 3
"""Judged months whose peers are still known: for borrowers who were parked meanwhile."""
MEMORY_MONTHS = 24
"""Past so many months' worth of values, older ones weigh less."""


class Tally(msgspec.Struct, array_like=True):
    """Values of one month: of all members, and of those who are not in alert."""

    n: int = 0
    total: Decimal = ZERO
    calm: int = 0
    calm_total: Decimal = ZERO
    calm_squares: Decimal = ZERO


class Usual(msgspec.Struct, array_like=True):
    """Mean and sum of squared deviations of calm members' values over the months before."""

    n: int = 0
    mean: Decimal = ZERO
    squares: Decimal = ZERO
    months: int = 0
    shift: Decimal = ZERO
    """By how much the members' levels move this month."""


class Market(msgspec.Struct, array_like=True):
    """One outside index: its usual, its CUSUM, and how far it is off."""

    unit: str
    n: int = 0
    mean: Decimal = ZERO
    squares: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    value: Decimal = ZERO
    observed_on: date | None = None
    shift: Decimal = ZERO
    """By how many points members' levels move; above zero only beyond the decision interval."""


class Season(msgspec.Struct, array_like=True):
    """How many times the mean month members sold in one calendar month."""

    n: int = 0
    total: Decimal = ZERO


class Group(msgspec.Struct):
    """The state that the borrowers of a partition share."""

    tallies: dict[int, dict[str, Tally]] = {}
    """Month → `<indicator>.<segment>` → values."""
    usual: dict[str, Usual] = {}
    judged: dict[int, dict[str, Observed]] = {}
    """Month → `<indicator>.<segment>` → the peers that it was judged by."""
    seasons: dict[str, dict[int, Season]] = {}
    """Segment → calendar month (0 to 11) → season index."""
    markets: dict[str, Market] = {}
    """`<index>.<industry>.<region>` → index."""
    early: list[str] = []
    """Markets' values, as JSON, that came before any date was known to compare their clocks with."""


def tell(group: Group, code: str, segment: str, month: int, x: Decimal, *, calm: bool) -> None:
    """A member's value of a month that ends."""
    tally = group.tallies.setdefault(month, {}).setdefault(f"{code}.{segment}", Tally())
    tally.n, tally.total = tally.n + 1, tally.total + x
    if calm:
        tally.calm, tally.calm_total, tally.calm_squares = (
            tally.calm + 1,
            tally.calm_total + x,
            tally.calm_squares + x * x,
        )


def tell_season(group: Group, segment: str, month: int, index: Decimal) -> None:
    """A member's season index of a month that ends."""
    season = group.seasons.setdefault(segment, {}).setdefault(month % 12, Season())
    season.n, season.total = season.n + 1, season.total + index


def season_of(group: Group, segment: str, month: int) -> Decimal | None:
    """The peers' mean season index of a calendar month."""
    season = group.seasons.get(segment, {}).get(month % 12)
    if season is None:
        return None
    with exact():
        return (season.total / season.n).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def settle(group: Group, month: int, rules: IndicatorRow) -> list[tuple[str, Decimal, Observed, Decimal]]:
    """A month's values are in: fix the peers by which it is judged, and how far each group's mean is beyond its limit.

    Its own values become part of the usual only afterwards. Returns what moved: key, shift before, peers, group's mean.
    """
    moved: list[tuple[str, Decimal, Observed, Decimal]] = []
    judged: dict[str, Observed] = {}
    with exact():
        for key, tally in sorted(group.tallies.pop(month, {}).items()):
            usual = group.usual.setdefault(key, Usual())
            soft = rules.of(key.partition(".")[0])
            if soft is None:
                continue
            mean, before = kept(tally.total / tally.n), usual.shift
            usual.shift = _shift(usual, soft, tally.n, mean, rules)
            variance = kept(usual.squares / usual.n) if usual.n else ZERO
            judged[key] = Observed(month, None, usual.n, usual.mean, variance, usual.shift)
            if usual.shift != before:
                moved.append((key, before, judged[key], mean))
            _learn(usual, tally, rules.peers_min)
    group.judged[month] = judged
    for old in [one for one in group.judged if one <= month - MONTHS_KEPT]:
        del group.judged[old]
    for late in [one for one in group.tallies if one < month]:
        del group.tallies[late]
    return moved


def _shift(usual: Usual, soft: Soft, n: int, mean: Decimal, rules: IndicatorRow) -> Decimal:
    """By how much the members' levels move: the group's mean less its usual, where that is beyond width x sd / sqrt(n).

    Only upwards: that all peers do better is no reason to be stricter with one.
    """
    if n < rules.peers_min:
        return ZERO
    centre = usual.mean if usual.n else soft.usual_mean
    variance = usual.squares / usual.n if usual.n >= rules.peers_min else soft.usual_sd**2
    limit = rules.peers_width * (variance / n).sqrt()
    return _rounded(mean - centre, rules.peers_step) if mean - centre > max(limit, rules.peers_step) else ZERO


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step


def _learn(usual: Usual, tally: Tally, few: int) -> None:
    """Take the calm members' values of the month into the usual (Chan's pairwise update).

    Not while the market moves them; and not those of a few, where one member would be its own peer.
    """
    if tally.calm < few or usual.shift:
        return
    usual.months += 1
    if usual.months > MEMORY_MONTHS:
        usual.n = usual.n * (MEMORY_MONTHS - 1) // MEMORY_MONTHS
        usual.squares = kept(usual.squares * (MEMORY_MONTHS - 1) / MEMORY_MONTHS)
    mean = tally.calm_total / tally.calm
    squares = max(ZERO, tally.calm_squares - tally.calm_total * mean)
    n, delta = usual.n + tally.calm, mean - usual.mean
    usual.squares = kept(usual.squares + squares + delta * delta * usual.n * tally.calm / n)
    usual.mean = kept(usual.mean + delta * tally.calm / n)
    usual.n = n


def peers_of(group: Group, soft: Soft, party: Party, month: int) -> Observed:
    """The peers by which a member's month is judged; their shift is the larger of peers' and outside markets'."""
    found = group.judged.get(month, {}).get(f"{soft.code}.{party.segment}")
    one = found if found is not None else _as_usual(group, soft, party, month)
    if not soft.market:
        return one
    shift = max([one.shift, *(market.shift for market in _markets_of(group, party))])
    return Observed(month, None, one.peers, one.mean, one.variance, shift)


def _as_usual(group: Group, soft: Soft, party: Party, month: int) -> Observed:
    usual = group.usual.get(f"{soft.code}.{party.segment}")
    if usual is None or not usual.n:
        return Observed(month, None)
    with exact():
        return Observed(month, None, usual.n, usual.mean, kept(usual.squares / usual.n))


def _markets_of(group: Group, party: Party) -> list[Market]:
    """Indices of the borrower's industry and region, and of all industries or all regions."""
    places = {(i, r) for i in (party.industry, "all") for r in (party.region, "all")}
    names = {segment_of(*place) for place in places}
    return [market for key, market in sorted(group.markets.items()) if key.partition(".")[2] in names]


def take_market(
    group: Group, index: str, place: str, value: Decimal, *, unit: str, day: date, rules: IndicatorRow
) -> tuple[Decimal, Market] | None:
    """Step an index's CUSUM; an index older than the last one known changes nothing. None, or (shift before, market).

    The usual is learned while the index is within its interval, so that a slump does not teach itself as normal.
    """
    key = f"{index}.{place}"
    market = group.markets.setdefault(key, Market(unit))
    if index not in rules.markets.worse or (market.observed_on is not None and day <= market.observed_on):
        return None
    before = market.shift
    market.value, market.observed_on = value, day
    with exact():
        if market.n >= rules.markets.warm_up:
            _step_market(market, index, value, rules)
        if not market.shift:
            market.n += 1
            delta = value - market.mean
            market.mean = kept(market.mean + delta / market.n)
            market.squares = kept(market.squares + delta * (value - market.mean))
    return (before, market) if market.shift != before else None


def _step_market(market: Market, index: str, value: Decimal, rules: IndicatorRow) -> None:
    sd = max((market.squares / market.n).sqrt(), abs(market.mean) / 100, Decimal("0.000001"))
    slack, interval = rules.markets.slack * sd, rules.markets.interval * sd
    high, low = cusum(market.high, market.low, value, target=market.mean, slack=slack)
    market.high, market.low = kept(high), kept(low)
    down = rules.markets.worse[index] == "down"
    beyond = (market.low if down else market.high) > interval
    off = (market.mean - value) if down else (value - market.mean)
    points = off / abs(market.mean) * 100 * rules.markets.weight[index] if market.mean else ZERO
    market.shift = _rounded(points, rules.peers_step) if beyond and off > 0 else ZERO
    if off <= 0:  # recovered: what was added up before says nothing of the next slump
        market.high, market.low = (market.high, ZERO) if down else (ZERO, market.low)
