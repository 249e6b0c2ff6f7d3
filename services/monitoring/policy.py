"""Dated policy rows of monitoring: indicators and their levels, buckets of loans. Data, validated when loaded."""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated_rows import PolicyRefused, covering, in_force
from shared.events.monitoring import Severity
from shared.loan_classes import Days

FOLDER = Path(__file__).with_name("policies")
SEVERITIES: tuple[Severity, ...] = ("yellow", "orange", "red")

Figure = Annotated[Decimal, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Positive = Annotated[Decimal, Field(gt=0, le=10_000, allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bucket(_Row):
    """The days past due from `from_days` to `to_days`, both included; None: no end."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    from_days: Days
    to_days: Days | None = None


class BucketRow(_Row):
    """Delinquency buckets that hold every number of days past due once."""

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    start: date
    through: date | None = None
    source: Annotated[str, Field(min_length=1, max_length=300)]
    buckets: Annotated[tuple[Bucket, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> "BucketRow":
        expected: int | None = 0
        for bucket in self.buckets:
            if expected is None or bucket.from_days != expected:
                raise PolicyRefused(f"{self.version}: {bucket.name} begins at {bucket.from_days}, not at {expected}")
            if bucket.to_days is not None and bucket.to_days < bucket.from_days:
                raise PolicyRefused(f"{self.version}: {bucket.name} ends before it begins")
            expected = None if bucket.to_days is None else bucket.to_days + 1
        if expected is not None:
            raise PolicyRefused(f"{self.version}: no bucket holds {expected} days")
        if len({bucket.name for bucket in self.buckets}) < len(self.buckets):
            raise PolicyRefused(f"{self.version}: two buckets have one name")
        return self


class Soft(_Row):
    """An indicator with one adaptive level a borrower (levels.py says how each number is used)."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z-]{2,18}$")]
    unit: Literal["%", "days", "count"]
    floor: Figure
    ceiling: Figure
    clear: Annotated[Decimal, Field(gt=0, le=1)]
    lam: Annotated[Decimal, Field(gt=0, le=1)]
    width: Positive
    usual_mean: Figure
    usual_sd: Positive
    usual_weight: Positive
    shrink: Positive
    memory: Annotated[int, Field(ge=6, le=60, strict=True)]
    confirm: Annotated[int, Field(ge=1, le=6, strict=True)]
    of: Annotated[int, Field(ge=1, le=6, strict=True)]
    hold: Annotated[int, Field(ge=0, le=6, strict=True)]
    step: Positive
    market: bool = False
    """Whether a market's fall moves its level: its unit is a fall in percent."""

    @model_validator(mode="after")
    def _consistent(self) -> "Soft":
        if self.floor >= self.ceiling:
            raise PolicyRefused(f"{self.code}: the floor {self.floor} is not below the ceiling {self.ceiling}")
        if self.confirm > self.of:
            raise PolicyRefused(f"{self.code}: {self.confirm} of {self.of} can't be confirmed")
        return self


class PastDue(_Row):
    """Days past due: levels that never adapt. An alert is as severe as the worst level that the days exceed."""

    unit: Literal["days"] = "days"
    more_than: dict[Severity, Days]
    clear: Days
    default: Days
    """A loan more than this many days past due is in default; those who stand by its borrower are told."""
    source: Annotated[str, Field(min_length=1, max_length=300)]


class Markets(_Row):
    """Outside indices: a tabular CUSUM with slack and decision interval in standard deviations."""

    slack: Positive
    interval: Positive
    warm_up: Annotated[int, Field(ge=3, le=60, strict=True)]
    worse: dict[str, Literal["up", "down"]]
    """Index → the direction that is bad for borrowers. Others are taken in by nobody."""
    weight: dict[str, Positive]
    """Index → how many points a member's level moves for each percent that the index is off."""


class IndicatorRow(_Row):
    """All that decides on alerts, from one date on."""

    version: Annotated[int, Field(ge=1, le=999_999, strict=True)]
    start: date
    through: date | None = None
    soft: tuple[Soft, ...]
    past_due: PastDue
    records: dict[str, Severity]
    relations: dict[Literal["guarantor", "group-member"], Severity]
    combined: Annotated[int, Field(ge=2, le=20, strict=True)]
    """So many adaptive indicators in alert at once are a red sign; a single one is weak."""
    peers_min: Annotated[int, Field(ge=2, le=1_000, strict=True)]
    peers_width: Positive
    peers_step: Positive
    markets: Markets

    @model_validator(mode="after")
    def _codes_once(self) -> "IndicatorRow":
        codes = [soft.code for soft in self.soft]
        if twice := next((code for code in codes if codes.count(code) > 1), None):
            raise PolicyRefused(f"version {self.version}: the indicator {twice} is there twice")
        return self

    def rule(self, code: str) -> str:
        """The rule's name and version, as it stands in events."""
        return f"{code}@{self.version}"

    def of(self, code: str) -> Soft | None:
        """The adaptive indicator of that code."""
        return next((soft for soft in self.soft if soft.code == code), None)


class BucketFile(_Row):
    """One file of buckets."""

    rows: tuple[BucketRow, ...]


class IndicatorFile(_Row):
    """One file of indicators."""

    rows: tuple[IndicatorRow, ...]


def _read(pattern: str) -> list[object]:
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob(pattern))]


@cache
def bucket_rows() -> tuple[BucketRow, ...]:
    """The delinquency buckets of policies/buckets-*.yaml."""
    return covering([row for file in _read("buckets-*.yaml") for row in BucketFile.model_validate(file).rows])


@cache
def indicator_rows() -> tuple[IndicatorRow, ...]:
    """The indicators of policies/indicators-*.yaml."""
    return covering([row for file in _read("indicators-*.yaml") for row in IndicatorFile.model_validate(file).rows])


def rules_on(day: date) -> IndicatorRow:
    """The indicators in force on that day."""
    return in_force(indicator_rows(), day)
