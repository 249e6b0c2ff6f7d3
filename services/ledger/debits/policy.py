"""What becomes of a direct debit that came back: dated rows of policies/direct-debit.yaml."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated_rows import covering, in_force
from shared.events.ledger import ReasonCode
from shared.schedules.working_days import is_working_day, require_calendar

FILE = Path(__file__).parents[1] / "policies" / "direct-debit.yaml"
Days = Annotated[int, Field(ge=0, le=400, strict=True)]


class DebitRow(BaseModel):
    """The rules from `start` to `through`, both included; the YAML file says what each figure is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    start: date
    through: date | None = None
    calendar: Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]
    late_days: Days
    attempts_max: Annotated[int, Field(ge=1, le=99, strict=True)]
    within_days: Days
    after_business_days: Days
    unused_months_max: Annotated[int, Field(ge=1, le=600, strict=True)]
    retried: frozenset[ReasonCode]
    suspended: frozenset[ReasonCode]
    source: Annotated[str, Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _sound(self) -> "DebitRow":
        require_calendar(self.calendar)
        if both := self.retried & self.suspended:
            raise ValueError(f"{', '.join(sorted(both))} can't be tried again by a mandate that it suspends")
        return self

    def business_day(self, day: date) -> date:
        """`day`, or the first business day after it."""
        while not is_working_day(day, self.calendar):
            day += timedelta(days=1)
        return day

    def again_on(self, day: date) -> date:
        """The first day for another attempt at what came back on `day`."""
        for _ in range(self.after_business_days):
            day = self.business_day(day + timedelta(days=1))
        return self.business_day(day)


class DebitFile(BaseModel):
    """The file: rows that cover every date once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[DebitRow, ...]


@cache
def debit_rows() -> tuple[DebitRow, ...]:
    """Every row, in order. Raises PolicyRefused where a date has none or two."""
    return covering(DebitFile.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8"))).rows)


def debit_row(day: date) -> DebitRow:
    """The row in force on a date."""
    return in_force(debit_rows(), day)
