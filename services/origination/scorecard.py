"""A scorecard as data (scorecards/*.yaml): attributes with bins, each with its log-odds, scaled to points.

score = offset + factor x ln(odds of good to bad), factor = pdo / ln 2, offset = score - factor x ln(odds): `pdo` points
double the odds (domain notes, part 4). An attribute's points are factor x log-odds of its bin, and an equal share of
offset + factor x base. Log-odds here are of good to bad, so more is better and no sign is turned.
"""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from services.origination.bands import Band, Exact, Rule, band_of, require_whole_line
from shared.errors import Refusal
from shared.events.applications import Points
from shared.events.parties import Code

EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)
Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
MISSING = "missing"


class UnknownAttribute(Refusal):
    """The scorecard asks for an attribute that the application is not measured by."""


class Scaling(Rule):
    """Points: `score` at `odds` good to one bad, and `pdo` more points double the odds."""

    score: Exact
    odds: Annotated[Exact, Field(gt=0)]
    pdo: Annotated[Exact, Field(gt=0)]

    @property
    def factor(self) -> Decimal:
        """Points of one unit of log-odds."""
        return EXACT.divide(self.pdo, EXACT.ln(Decimal(2)))

    @property
    def offset(self) -> Decimal:
        """The score at even odds."""
        return EXACT.subtract(self.score, EXACT.multiply(self.factor, EXACT.ln(self.odds)))

    def at(self, log_odds: Decimal) -> Decimal:
        """The score of these log-odds (good to bad), unrounded."""
        return EXACT.add(self.offset, EXACT.multiply(self.factor, log_odds))


class Bin(Band):
    """Values that weigh the same."""

    log_odds: Exact


class Attribute(Rule):
    """One thing that is measured. A number has `bins` over the whole line, a word has `words`; a value that is not
    there, or a word that is not listed, weighs `missing`. `reason`: what is said where it cost points."""

    name: Code
    reason: Text
    bins: tuple[Bin, ...] = ()
    words: dict[Code, Exact] = Field(default_factory=dict)
    missing: Exact

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.bins) == bool(self.words):
            raise ValueError(f"{self.name}: a number has bins, a word has words, and none has both")
        if self.bins:
            require_whole_line(self.bins, f"attribute {self.name}")
        return self

    def weigh(self, value: Decimal | str | None) -> tuple[str, Decimal]:
        """The bin's label and its log-odds."""
        if isinstance(value, Decimal) and self.bins:
            found = band_of(self.bins, value)
            return found.label(), found.log_odds
        if isinstance(value, str) and value in self.words:
            return value, self.words[value]
        return MISSING, self.missing

    def best(self) -> Decimal:
        """The most that a value can weigh."""
        return max(*(one.log_odds for one in self.bins), *self.words.values(), self.missing, self.missing)


class Scorecard(Rule):
    """A card at a version."""

    name: Code
    version: Annotated[int, Field(ge=1)]
    valid_from: date
    kind: Annotated[str, StringConstraints(pattern=r"^(expert|trained)$")]
    scaling: Scaling
    base_log_odds: Exact
    attributes: Annotated[list[Attribute], Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) < len(names):
            raise ValueError("an attribute is there twice")
        return self

    @property
    def named(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def _points(self, log_odds: Decimal) -> int:
        share = EXACT.divide(self.scaling.at(self.base_log_odds), Decimal(len(self.attributes)))
        points = EXACT.add(EXACT.multiply(self.scaling.factor, log_odds), share)
        return int(points.quantize(Decimal(1), context=EXACT))

    def score(self, values: Mapping[str, Decimal | str | None]) -> tuple[int, list[Points]]:
        """The score, and the points of each attribute in the card's order; points are whole and sum to the score.

        `values` holds every attribute that applications are measured by; raises UnknownAttribute otherwise.
        """
        given = []
        for attribute in self.attributes:
            if attribute.name not in values:
                raise UnknownAttribute(f"{self.named} asks for {attribute.name}.", field="attributes")
            value = values[attribute.name]
            label, log_odds = attribute.weigh(value)
            points = self._points(log_odds)
            shown = None if value is None else str(value)
            lost = self._points(attribute.best()) - points
            given.append(Points(attribute=attribute.name, value=shown, bin=label, points=points, lost=lost))
        return sum(one.points for one in given), given

    @property
    def neutral(self) -> int:
        """The points of a bin that weighs nothing either way."""
        return self._points(Decimal(0))

    def reason(self, attribute: str) -> str:
        """What is said of an attribute that cost points."""
        return next(one.reason for one in self.attributes if one.name == attribute)
