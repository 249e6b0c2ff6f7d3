"""What every API's requests are made of: a body that refuses unknown fields, and a date that is only a date."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
YEARS = range(1900, 2200)
"""Outside of these a date is a slip of the pen, and the calendar's end is still far away."""


def _iso_date(value: Any) -> date:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError("the calendar has no such date") from None
    if day.year not in YEARS:
        raise ValueError(f"a date lies in the years {YEARS[0]} to {YEARS[-1]}")
    return day


Day = Annotated[date, BeforeValidator(_iso_date, json_schema_input_type=date)]
"""A zoneless business date, YYYY-MM-DD and nothing else."""


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")
