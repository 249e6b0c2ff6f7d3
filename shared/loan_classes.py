"""Five classes of loans by days past due and by how a loan stands, each by the policy row of its date: what monitoring
classes by, and what the ledger provides for."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated_rows import PolicyRefused, covering, in_force
from shared.events.monitoring import Class, Trigger

FOLDER = Path(__file__).with_name("policies")
CLASSES: tuple[Class, ...] = ("normal", "special-mention", "substandard", "doubtful", "loss")

Days = Annotated[int, Field(ge=0, le=3_650, strict=True)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassRow(_Row):
    """Five classes. A loan is in the worst class whose `more_than` its days past due exceed, and in no better one than
    `charged_off` once it is that, or than `restructured_at_least` while it is watched (None: not told apart)."""

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    start: date
    through: date | None = None
    source: Annotated[str, Field(min_length=1, max_length=300)]
    more_than: dict[Class, Days]
    restructured_at_least: Class | None = None
    charged_off: Class = "loss"
    non_performing: tuple[Class, ...]

    @model_validator(mode="after")
    def _ascending(self) -> "ClassRow":
        bounds = [self.more_than[name] for name in CLASSES[1:] if name in self.more_than]
        if set(self.more_than) != set(CLASSES[1:]):
            raise PolicyRefused(f"{self.version}: a boundary for each of {', '.join(CLASSES[1:])}, for no other class")
        if bounds != sorted(set(bounds)):
            raise PolicyRefused(f"{self.version}: the boundaries {bounds} overlap: each class begins after the last")
        return self


class ClassFile(_Row):
    """One file."""

    rows: tuple[ClassRow, ...]


@cache
def class_rows() -> tuple[ClassRow, ...]:
    """The classes of policies/classes-*.yaml."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("classes-*.yaml"))]
    return covering([row for file in files for row in ClassFile.model_validate(file).rows])


def row_on(day: date) -> ClassRow:
    """The classes in force on that day."""
    return in_force(class_rows(), day)


class Marks(NamedTuple):
    """What a loan is classed by besides days past due. `watched_until`: for a restructuring, this date included."""

    watched_until: date | None = None
    charged_off: bool = False


class Classed(NamedTuple):
    """A class, and what gave it if not days past due alone."""

    name: Class
    trigger: Trigger | None = None


def class_of(days: int, row: ClassRow) -> Class:
    """The worst class whose boundary the days past due exceed."""
    found: Class = CLASSES[0]
    for name in CLASSES[1:]:
        if days > row.more_than[name]:
            found = name
    return found


def classed(days: int, row: ClassRow, marks: Marks, day: date) -> Classed:
    """The worst class that days past due or a mark give on `day`; a mark is its trigger if days give a better one."""
    found = Classed(class_of(days, row))
    least = row.restructured_at_least
    if least is not None and marks.watched_until is not None and day <= marks.watched_until:
        found = _worse(found, Classed(least, "restructured"))
    return _worse(found, Classed(row.charged_off, "charged-off")) if marks.charged_off else found


def _worse(one: Classed, other: Classed) -> Classed:
    return other if CLASSES.index(other.name) > CLASSES.index(one.name) else one


def non_performing(name: Class, row: ClassRow) -> bool:
    """Whether a loan of that class counts as non-performing."""
    return name in row.non_performing
