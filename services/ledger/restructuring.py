"""How much of its running loans a lender restructures: a limit on the share of their outstanding principal, and on how
often one loan is restructured. Dated rows of policies/restructuring*.yaml; a rule of commands, never of the fold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.ledger.engine.account import WRITTEN_OFF, Loan
from shared.events.envelope import CurrencyCode
from shared.money import divide

FOLDER = Path(__file__).with_name("policies")
SHARE_DECIMALS = 6


class PolicyRefused(ValueError):
    """The rows of one lender and currency do not follow each other day by day, or one is missing."""


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError("write a share as a string, so that it stays exact")  # noqa: TRY004 - pydantic's
    return value


class LimitRow(BaseModel):
    """The limits of a lender and currency (None: of each that has no row of its own) from `start` to `through`, both
    included. `share_max`: of outstanding principal; `times_max`: of one loan; `authority`: roles that may go beyond."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    lender: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] | None = None
    currency: CurrencyCode | None = None
    start: date
    through: date | None = None
    share_max: Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=1, decimal_places=SHARE_DECIMALS)]
    times_max: Annotated[int, Field(ge=1, le=100, strict=True)]
    authority: tuple[Literal["officer", "approver"], ...]
    source: Annotated[str, Field(min_length=1, max_length=300)]


class LimitFile(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[LimitRow, ...]


@cache
def limit_rows() -> tuple[LimitRow, ...]:
    """Every row of policies/restructuring*.yaml. Raises PolicyRefused."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("restructuring*.yaml"))]
    return seamless([row for file in files for row in LimitFile.model_validate(file).rows])


def seamless(rows: Sequence[LimitRow]) -> tuple[LimitRow, ...]:
    """The rows in order of lender, currency and date. Raises PolicyRefused on a gap or an overlap."""
    ordered = sorted(rows, key=lambda row: (*_whose(row), row.start))
    for _, same in groupby(ordered, key=_whose):
        for row, following in pairwise(same):
            if row.through is None or row.through + timedelta(days=1) != following.start:
                raise PolicyRefused(f"{following.version} does not begin on the day after {row.version} ends")
    return tuple(ordered)


def _whose(row: LimitRow) -> tuple[str, str]:
    return row.lender or "", row.currency or ""


def limit_on(day: date, *, lender: str, currency: str, rows: Iterable[LimitRow] | None = None) -> LimitRow:
    """The row of a date: the lender's own for the currency, else its own for all, else every lender's. Raises
    PolicyRefused where none covers the date."""
    found = [
        row
        for row in (limit_rows() if rows is None else rows)
        if row.lender in (lender, None)
        and row.currency in (currency, None)
        and row.start <= day
        and (row.through is None or day <= row.through)
    ]
    if not found:
        raise PolicyRefused(f"no limit on restructuring of {currency} covers {day}")
    return max(found, key=lambda row: (row.lender is not None, row.currency is not None))


@dataclass(frozen=True, slots=True)
class Share:
    """Outstanding principal of a currency's running loans, and the part of it whose loans were restructured."""

    restructured: int = 0
    outstanding: int = 0

    def exceeds(self, most: Decimal) -> bool:
        """Whether it is more than this share; of nothing outstanding nothing is."""
        return self.restructured > most * self.outstanding

    def text(self) -> str:
        """The ratio with six decimals, a tie to the even neighbour, as the portfolio tells it."""
        if not self.outstanding:
            return f"0.{'0' * SHARE_DECIMALS}"
        digits = str(divide(self.restructured * 10**SHARE_DECIMALS, self.outstanding, "half-even"))
        digits = digits.rjust(SHARE_DECIMALS + 1, "0")
        return f"{digits[:-SHARE_DECIMALS]}.{digits[-SHARE_DECIMALS:]}"


def counted(share: Share, loan: Loan) -> Share:
    """The share with one more loan; what was written off has left the portfolio, as it has in monitoring's figures."""
    principal = loan.principal_outstanding if loan.status != WRITTEN_OFF else 0
    return Share(share.restructured + (principal if loan.restructured else 0), share.outstanding + principal)


@dataclass(frozen=True, slots=True)
class Restructuring:
    """What one more restructuring of a loan means: the lender's share before, the loan's outstanding principal in minor
    units, how often it was restructured, and the limits of the day."""

    before: Share
    outstanding: int
    times: int
    limit: LimitRow

    @property
    def after(self) -> Share:
        """The share afterwards: a loan that was restructured before is in it already."""
        more = self.outstanding if not self.times else 0
        return Share(self.before.restructured + more, self.before.outstanding)

    def too_much(self) -> bool:
        """Whether it would take the share over the limit; one that leaves the share as it is does not."""
        return self.after != self.before and self.after.exceeds(self.limit.share_max)

    def too_often(self) -> bool:
        """Whether the loan was restructured as often as it may be."""
        return self.times >= self.limit.times_max

    def figures(self) -> dict[str, Any]:
        """Shares with six decimals and how often, before and after, beside the limits: for events and previews."""
        return {
            "policy": self.limit.version,
            "share_before": self.before.text(),
            "share_after": self.after.text(),
            "share_max": f"{self.limit.share_max:.{SHARE_DECIMALS}f}",
            "times": self.times + 1,
            "times_max": self.limit.times_max,
        }
