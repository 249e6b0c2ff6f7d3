"""Bands that cover a whole line: half-open intervals that neither overlap nor leave a gap. What decides by bands is
data, so a slip in it is refused by name when it is loaded."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from shared.errors import Refusal


class BandGap(Refusal):
    """Bands leave a gap: some value would belong to none."""


class BandOverlap(Refusal):
    """Bands overlap: some value would belong to two."""


class BandReversed(Refusal):
    """A band ends where it begins, or before."""


def _exact(value: Any) -> Any:
    if isinstance(value, float | bool):
        raise ValueError("write a figure with decimals as a string, so that it stays exact")  # noqa: TRY004
    return value


Exact = Annotated[Decimal, BeforeValidator(_exact)]
"""A figure of a rules file: an integer, or a decimal string."""


class Rule(BaseModel):
    """A part of a rules file: fixed, and with no field that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(Rule):
    """The values v with `at_least` <= v < `below`; None: no end on that side."""

    at_least: Exact | None = None
    below: Exact | None = None

    def holds(self, value: Decimal | int) -> bool:
        """Whether the value lies in this band."""
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)

    def label(self) -> str:
        """The band as people read it."""
        if self.at_least is None:
            return "any" if self.below is None else f"below {self.below}"
        return f"{self.at_least} or more" if self.below is None else f"{self.at_least} to below {self.below}"


BandT = TypeVar("BandT", bound=Band)


def require_whole_line(bands: Sequence[Band], where: str) -> None:
    """Raise BandGap, BandOverlap or BandReversed unless the bands, in this order, cover every value exactly once."""
    if not bands or bands[0].at_least is not None:
        raise BandGap(f"{where}: nothing holds the values below {bands[0].at_least if bands else 'any'}.", field=where)
    for band, after in pairwise(bands):
        if band.below is None or after.at_least is None:
            raise BandOverlap(f"{where}: `{band.label()}` and `{after.label()}` both go on without end.", field=where)
        if band.below < after.at_least:
            raise BandGap(f"{where}: nothing holds {band.below} to {after.at_least}.", field=where)
        if band.below > after.at_least:
            raise BandOverlap(f"{where}: two bands hold {after.at_least} to {band.below}.", field=where)
    if bands[-1].below is not None:
        raise BandGap(f"{where}: nothing holds {bands[-1].below} or more.", field=where)
    for band in bands:
        if band.at_least is not None and band.below is not None and band.at_least >= band.below:
            raise BandReversed(f"{where}: from {band.at_least} to {band.below} there is no value.", field=where)


def band_of(bands: Sequence[BandT], value: Decimal | int) -> BandT:
    """The band that holds the value; the bands cover the whole line."""
    return next(band for band in bands if band.holds(value))
