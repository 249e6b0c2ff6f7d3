"""A lender's valuation policies as dated rows: data, validated when loaded.

A policy has a name, and the lender chooses one (LENDLOG_VALUATION_POLICY). Of each pair of rules it names exactly one:
provisions by a matrix or by expected credit losses; unpaid interest of a non-performing loan in suspense whole or by
its share that is expected to be lost; upfront fees earned by the effective interest rate or at once.
"""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated_rows import PolicyRefused, covering, in_force
from shared.errors import Refusal
from shared.events.monitoring import Class
from shared.events.origination import Security
from shared.loan_classes import CLASSES, Days
from shared.money import Rounding

FOLDER = Path(__file__).parent.with_name("policies")
SECURITIES: tuple[Security, ...] = ("unsecured", "guaranteed", "secured")
Share = Annotated[Decimal, Field(ge=0, le=1, allow_inf_nan=False, decimal_places=12)]
BySecurity = dict[Security, Share]


class UnknownValuationPolicy(Refusal):
    """There is no valuation policy of that name."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Matrix(_Row):
    """The share of the exposure that is set aside, by class (shared/loan_classes.py) and by what stands behind the
    loan. Non-performing is what that class row says."""

    method: Literal["matrix"]
    exposure: Literal["principal", "claims"]
    rates: dict[Class, BySecurity]

    @model_validator(mode="after")
    def _whole(self) -> "Matrix":
        if set(self.rates) != set(CLASSES) or any(set(row) != set(SECURITIES) for row in self.rates.values()):
            raise PolicyRefused("a matrix has a rate for each class and each kind of security")
        return self


class StageBucket(_Row):
    """Days past due from `from_days` on: the stage, and how likely a default within 12 months is."""

    from_days: Days
    stage: Literal[1, 2, 3]
    default_probability: Share


class ExpectedLoss(_Row):
    """Expected credit losses of IFRS 9: over 12 months in stage 1, over the remaining life in stage 2; in stage 3 the
    default has happened, and the loss is the share given default.

    A watched loan is in no bucket before the first of the stage `watched_at_least`. life_days_min: a loan past its last
    due date is still some days from its end.
    """

    method: Literal["expected-loss"]
    exposure: Literal["principal", "claims"]
    buckets: Annotated[tuple[StageBucket, ...], Field(min_length=1)]
    watched_at_least: Literal[1, 2, 3]
    loss_given_default: BySecurity
    life_days_min: Annotated[int, Field(ge=1, le=366, strict=True)]

    @model_validator(mode="after")
    def _whole(self) -> "ExpectedLoss":
        days = [bucket.from_days for bucket in self.buckets]
        stages = [bucket.stage for bucket in self.buckets]
        if days[0] != 0 or days != sorted(set(days)) or stages != sorted(stages) or set(stages) != {1, 2, 3}:
            raise PolicyRefused("buckets begin at 0 days, ascend, and have all three stages in order")
        if set(self.loss_given_default) != set(SECURITIES):
            raise PolicyRefused("a loss given default for each kind of security")
        return self


class PolicyRow(_Row):
    """All that a valuation is made by, from one date on."""

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    start: date
    through: date | None = None
    source: Annotated[str, Field(min_length=1, max_length=400)]
    provisioning: Annotated[Matrix | ExpectedLoss, Field(discriminator="method")]
    interest: Literal["suspense", "net-of-allowance"]
    fees: Literal["effective-rate", "at-once"]
    rounding: Rounding


class ValuationFile(_Row):
    """One file: the rows of one policy."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    rows: tuple[PolicyRow, ...]


@cache
def policies() -> dict[str, tuple[PolicyRow, ...]]:
    """The rows of policies/valuation-*.yaml by the policy's name."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("valuation-*.yaml"))]
    files = [ValuationFile.model_validate(yaml.safe_load(text)) for text in texts]
    return {file.name: covering(file.rows) for file in files}


def policy_on(name: str, day: date) -> PolicyRow:
    """The row of a policy that is in force on `day`. Raises UnknownValuationPolicy."""
    rows = policies().get(name)
    if rows is None:
        known = ", ".join(sorted(policies()))
        raise UnknownValuationPolicy(f"LENDLOG_VALUATION_POLICY is {name[:40]!r}; there are {known}.")
    return in_force(rows, day)
