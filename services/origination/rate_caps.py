"""How dear a loan may be: dated rows by country, kind of lender and kind of product (policies/rate-caps.yaml)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.origination.annual_rate import Method
from services.origination.bands import Exact, Rule
from shared.errors import Refusal
from shared.events.applications import Versioned

ProductKind = Literal["consumer", "business", "farm", "group"]


class NoRateCapRow(Refusal):
    """No row says how dear such a loan may be on this date; without one no loan is priced."""


class RateCapRowsOverlap(Refusal):
    """Two rows say how dear the same loan may be on the same date."""


class NoReferenceRate(Refusal):
    """The row is a multiple of a reference rate that has no value on this date."""


class RateAboveCap(Refusal):
    """The loan would cost more in a year than the cap allows."""


class ReferenceValue(Rule):
    """A reference rate's value from a date on."""

    valid_from: date
    rate: Exact


class CapRow(Rule):
    """One rule. Of `fixed` and `multiple_of` one is given, or none where no statute sets a number.

    method: how the year's rate is reckoned before it is compared. compared_decimals: rounding to minor units moves a
    rate in its last digits; it is compared after rounding to so many decimals of a fraction.
    """

    name: Versioned
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    lender_kind: str
    product_kinds: Annotated[list[ProductKind], Field(min_length=1)]
    valid_from: date
    valid_until: date | None = None
    """The last day, included."""
    method: Method
    fixed: Exact | None = None
    multiple: Exact | None = None
    multiple_of: str | None = None
    compared_decimals: Annotated[int, Field(ge=2, le=6)] = 4
    counts: Annotated[str, StringConstraints(min_length=1)]
    source: Annotated[str, StringConstraints(min_length=1)]

    def in_force(self, day: date) -> bool:
        """Whether the row rules contracts of this date."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class RateCaps(Rule):
    """All rows, and the reference rates that they multiply."""

    references: dict[str, list[ReferenceValue]]
    rows: list[CapRow]


@dataclass(frozen=True, slots=True)
class Cap:
    """The row in force for a contract, and its limit in figures; None: the row knows none."""

    row: CapRow
    limit: Decimal | None

    def allows(self, rate: Decimal) -> bool:
        """Whether a loan may cost this much in a year, reckoned by the row's method."""
        if self.limit is None:
            return True
        unit = Decimal(1).scaleb(-self.row.compared_decimals)
        return rate.quantize(unit) <= self.limit


def check(caps: RateCaps) -> None:
    """Raise RateCapRowsOverlap if two rows rule the same loan on the same date."""
    for number, row in enumerate(caps.rows):
        for other in caps.rows[:number]:
            same = (row.country, row.lender_kind) == (other.country, other.lender_kind)
            kinds = set(row.product_kinds) & set(other.product_kinds)
            if same and kinds and _overlap(row, other):
                both = f"{row.name} and {other.name} both rule {', '.join(sorted(kinds))}."
                raise RateCapRowsOverlap(both, field=row.name)


def _overlap(row: CapRow, other: CapRow) -> bool:
    return row.valid_from <= (other.valid_until or date.max) and other.valid_from <= (row.valid_until or date.max)


def cap_for(caps: RateCaps, *, country: str, lender_kind: str, product_kind: ProductKind, day: date) -> Cap:
    """The cap for a contract concluded on `day`. Raises NoRateCapRow or NoReferenceRate."""
    for row in caps.rows:
        ours = (row.country, row.lender_kind) == (country, lender_kind) and product_kind in row.product_kinds
        if ours and row.in_force(day):
            return Cap(row, _limit(caps, row, day))
    raise NoRateCapRow(f"{country}, {lender_kind}, {product_kind} on {day}: no row.", field="country")


def _limit(caps: RateCaps, row: CapRow, day: date) -> Decimal | None:
    if row.multiple is None or row.multiple_of is None:
        return row.fixed
    reference = reference_on(caps.references.get(row.multiple_of, ()), day)
    if reference is None:
        raise NoReferenceRate(f"{row.name} needs {row.multiple_of} on {day}.", field="country")
    return row.multiple * reference


def reference_on(values: Sequence[ReferenceValue], day: date) -> Decimal | None:
    """A reference rate on a date: its last value not after it."""
    known = [value for value in values if value.valid_from <= day]
    return max(known, key=lambda value: value.valid_from).rate if known else None
