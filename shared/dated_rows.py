"""Policy rows with dates: each day has exactly one that is in force."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Protocol, TypeVar

FIRST_DAY = date(1900, 1, 1)
"""Rows reach back to here, so that no business date is without one."""


class PolicyRefused(ValueError):
    """The policy rows do not cover every date once, or contradict themselves."""


class Dated(Protocol):
    """A row with the days on which it is in force, both included; `through` None: until further notice."""

    @property
    def start(self) -> date: ...

    @property
    def through(self) -> date | None: ...


RowT = TypeVar("RowT", bound=Dated)


def covering(rows: Sequence[RowT]) -> tuple[RowT, ...]:
    """The rows in order of date. Raises PolicyRefused on a gap, an overlap, or an end that nothing follows."""
    ordered = sorted(rows, key=lambda row: row.start)
    if not ordered or ordered[0].start > FIRST_DAY:
        raise PolicyRefused(f"no row covers {FIRST_DAY}")
    for row, following in pairwise(ordered):
        if row.through is None or row.through >= following.start:
            raise PolicyRefused(f"the rows of {row.start} and {following.start} overlap")
        if row.through + timedelta(days=1) < following.start:
            raise PolicyRefused(f"no row covers {row.through + timedelta(days=1)}: a gap before {following.start}")
    if ordered[-1].through is not None:
        raise PolicyRefused(f"no row covers the days after {ordered[-1].through}")
    return tuple(ordered)


def in_force(rows: Sequence[RowT], day: date) -> RowT:
    """The row of that day; rows as `covering` gives them."""
    return next(row for row in reversed(rows) if row.start <= day)
