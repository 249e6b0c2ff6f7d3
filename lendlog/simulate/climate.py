"""What befalls whole trades and regions: seasons, a slow trend, shocks; and the indices that tell of it a month later.

Everything is a factor on a borrower's usual month: 1.0 is a month as any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from lendlog.simulate.chance import chance
from shared.calendar import add_months

REGIONS = ("north", "river", "coast", "hills")
SEASONS: dict[str, tuple[float, ...]] = {
    "crops": (0.3, 0.3, 0.4, 0.5, 0.6, 1.6, 1.2, 0.6, 1.6, 2.6, 1.7, 0.6),
    "livestock": (1.5, 1.0, 0.8, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.1, 1.2),
    "orchards": (0.4, 0.3, 0.3, 0.4, 0.7, 1.3, 1.5, 1.5, 2.0, 1.9, 1.1, 0.6),
    "retail": (1.3, 1.1, 0.9, 0.9, 1.0, 1.0, 0.9, 0.9, 1.0, 1.1, 1.0, 0.9),
    "food-service": (0.9, 1.1, 0.9, 1.0, 1.1, 1.1, 1.1, 1.1, 1.0, 1.1, 0.9, 0.7),
    "construction": (0.5, 0.4, 0.9, 1.1, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.1, 0.8),
    "transport": (1.0, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.1, 1.0, 1.0),
    "manufacture": (0.9, 0.7, 1.0, 1.0, 1.1, 1.1, 1.0, 1.0, 1.1, 1.1, 1.1, 0.9),
    "services": (1.0, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.1),
    "employed": (1.0,) * 12,
}
"""Trade → what each calendar month is of a mean month. Each line adds up to 12."""
SHOCKS_A_YEAR = 3
STRUCK = 0.75
"""Below this part of a usual month a trade is in trouble, the season left aside."""


@dataclass(frozen=True, slots=True)
class Shock:
    """A trade in one region (None: in all) has less for some months: a drought, a closed road, a fallen price."""

    trade: str
    region: str | None
    begins: date
    ends: date
    left: float
    """How much of a usual month is left."""


@dataclass(frozen=True, slots=True)
class Index:
    """One value of a market's index, 100 being usual, and the first day on which it is known."""

    trade: str
    region: str
    value: str
    observed_on: date


class Climate:
    """Seasons, trends and shocks of one seed."""

    def __init__(self, seed: int, first: date, months: int) -> None:
        self._seed = seed
        self.shocks = tuple(_shocks(seed, first, months))
        draw = chance(seed, "trends")
        self._trends = {trade: draw.uniform(-0.06, 0.08) / 365 for trade in SEASONS}
        self._first = first

    def season(self, trade: str, day: date) -> float:
        """What the calendar month is of a mean month."""
        return SEASONS[trade][day.month - 1]

    def weather(self, trade: str, region: str, day: date) -> float:
        """Everything but the season."""
        left = 1.0 + self._trends[trade] * (day - self._first).days
        for shock in self.shocks:
            if shock.trade == trade and shock.region in (None, region) and shock.begins <= day < shock.ends:
                left *= shock.left
        return left

    def is_struck(self, trade: str, region: str, day: date) -> bool:
        """Whether the trade is in trouble there."""
        return self.weather(trade, region, day) < STRUCK

    def indices(self, month: date) -> Iterator[Index]:
        """The sales index of every trade and region of the month that ended before `month`; known on its fifth day."""
        over = add_months(month.replace(day=1), -1)
        for trade in SEASONS:
            for region in REGIONS:
                noise = chance(self._seed, "index", trade, region, over.isoformat()).gauss(0, 1.5)
                value = 100 * self.weather(trade, region, over.replace(day=15)) + noise
                yield Index(trade, region, f"{max(value, 1):.1f}", month.replace(day=5))


def _shocks(seed: int, first: date, months: int) -> Iterator[Shock]:
    draw = chance(seed, "shocks")
    trades = [trade for trade in SEASONS if trade != "employed"]
    for _ in range(max(1, round(SHOCKS_A_YEAR * months / 12))):
        begins = add_months(first, draw.randrange(2, max(3, months)))
        region = draw.choice((None, *REGIONS))
        yield Shock(
            draw.choice(trades), region, begins, add_months(begins, draw.randrange(2, 6)), draw.uniform(0.35, 0.7)
        )
