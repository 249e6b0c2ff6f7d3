"""Rules as data: a file's rows are valid on dates, and a slip in them is refused by name when the file is loaded."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from importlib import resources
from itertools import groupby, pairwise
from typing import Any, Protocol, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

from shared.errors import Refusal

PACKAGE = "services.collections"


class PolicyOverlap(Refusal):
    """Two rows of one name are valid on the same date."""


class PolicyGap(Refusal):
    """Between two rows of one name there are dates on which none is valid."""


class PolicyReversed(Refusal):
    """A row ends before it begins."""


class PolicyMissing(Refusal):
    """No row is valid on the date."""


class Rule(BaseModel):
    """A part of a rules file: fixed, and with no field that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Dated(Protocol):
    """A row of a name, valid from a date and, if told, until one (both included)."""

    @property
    def name(self) -> str: ...

    @property
    def valid_from(self) -> date: ...

    @property
    def valid_until(self) -> date | None: ...


RowT = TypeVar("RowT", bound=Dated)


def in_force(rows: Iterable[RowT], day: date) -> list[RowT]:
    """The rows that are valid on the date, in their order."""
    return [row for row in rows if row.valid_from <= day and (row.valid_until is None or day <= row.valid_until)]


def require_in_force(rows: Iterable[RowT], day: date) -> RowT:
    """The only row that is valid on the date; raises PolicyMissing."""
    found = in_force(rows, day)
    if not found:
        raise PolicyMissing(f"No row is valid on {day}.")
    return found[0]


def next_change(rows: Iterable[Dated], day: date) -> date | None:
    """The first date after `day` on which a row begins or no longer holds."""
    changes = [row.valid_from for row in rows]
    changes += [row.valid_until + timedelta(days=1) for row in rows if row.valid_until is not None]
    return min((change for change in changes if change > day), default=None)


def require_seamless(rows: Sequence[Dated], where: str) -> None:
    """Raise PolicyReversed, PolicyOverlap or PolicyGap unless the rows of each name follow each other day by day."""
    for row in rows:
        if row.valid_until is not None and row.valid_until < row.valid_from:
            raise PolicyReversed(f"{where}: {row.name} ends on {row.valid_until}, before it begins.", field=row.name)
    ordered = sorted(rows, key=lambda row: (row.name, row.valid_from))
    for name, same in groupby(ordered, key=lambda row: row.name):
        versions = list(same)
        for before, after in pairwise(versions):
            if before.valid_until is None or before.valid_until >= after.valid_from:
                raise PolicyOverlap(f"{where}: {name} has two rows on {after.valid_from}.", field=name)
            if before.valid_until + timedelta(days=1) < after.valid_from:
                raise PolicyGap(f"{where}: {name} has no row on the day after {before.valid_until}.", field=name)


def documents(prefix: str, folder: str = "policies") -> list[tuple[str, Any]]:
    """(file name, content) of the package's YAML files whose names begin with `prefix`, in order of name."""
    files = [file for file in (resources.files(PACKAGE) / folder).iterdir() if file.name.startswith(prefix)]
    found = sorted((file for file in files if file.name.endswith(".yaml")), key=lambda file: file.name)
    return [(file.name, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in found]
