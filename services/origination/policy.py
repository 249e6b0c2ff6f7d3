"""The written credit policy as data (policies/credit-*.yaml): bands, limits, capacity, authority. A decision names the
policy's version, and that version never changes."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from services.origination.bands import Band, Exact, Rule, band_of, require_whole_line
from shared.events.applications import Outcome
from shared.events.envelope import Amount, CurrencyCode
from shared.events.parties import Code, Flag, Purpose
from shared.money import minor_units

Action = Literal["pass", "refer", "decline"]
Decider = Literal["officer", "approver", "risk"]
"""Roles that may be given the last word on a referral."""


class ScoreBand(Band):
    """What a score means: the outcome at best, the rate on top of the product's, the share of the largest amount."""

    outcome: Outcome
    rate_add: Exact = Decimal(0)
    limit_share: Annotated[Exact, Field(ge=0, le=1)]


class ActionBand(Band):
    """What a figure means for the outcome."""

    action: Action


class Capacity(Rule):
    """Whether the debts can be borne. sales_stress: the fall of inflows that must be survived, 0.20 for -20 %.

    coverage: bands of (cash before debt service / debt service) over the loan's life, as planned; coverage_stressed:
    the same with the fall. A month whose cumulative cash is negative declines as planned, and refers under stress.
    """

    sales_stress: Annotated[Exact, Field(ge=0, lt=1)]
    coverage: list[ActionBand]
    coverage_stressed: list[ActionBand]
    negative_month: Action
    negative_month_stressed: Action
    months_max: Annotated[int, Field(ge=12, le=120)]
    """So far ahead months are looked at."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        require_whole_line(self.coverage, "capacity coverage")
        require_whole_line(self.coverage_stressed, "capacity coverage_stressed")
        return self


class Exposure(Rule):
    """How much one borrower, and one with those who stand by, may owe in all. Of one currency."""

    borrower_max: Amount
    group_max: Amount


class AuthorityBand(Band):
    """Who may decide a referral of such an amount; every role named may."""

    roles: Annotated[list[Decider], Field(min_length=1)]
    name: Code


class Arrears(Rule):
    """What days past due mean: the borrower's own now, the worst ever, and now of those who stand by."""

    now: list[ActionBand]
    worst: list[ActionBand]
    group_now: list[ActionBand]
    elsewhere: list[ActionBand]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in ("now", "worst", "group_now", "elsewhere"):
            require_whole_line(getattr(self, name), f"arrears {name}")
        return self


class Policy(Rule):
    """A policy at a version."""

    name: Code
    version: Annotated[int, Field(ge=1)]
    valid_from: date
    lender_kind: Annotated[str, StringConstraints(min_length=1)]
    scorecard: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    score_bands: list[ScoreBand]
    capacity: Capacity
    exposure: Annotated[dict[CurrencyCode, Exposure], Field(min_length=1)]
    arrears: Arrears
    open_loans: list[ActionBand]
    blocks: Action
    """What an open red alert means for a new loan."""
    flags: dict[Flag, Action]
    """What a circumstance means; one that is not named passes."""
    consents: dict[Purpose, Action]
    """What a missing consent means. Without the one to automated decisions a person must decide (PIPL art. 24)."""
    rate_above_cap: Action
    authority: Annotated[dict[CurrencyCode, list[AuthorityBand]], Field(min_length=1)]
    offer_days: Annotated[int, Field(ge=1, le=90)]
    """So many days after it was made an offer can be accepted."""
    statement_age_days_max: Annotated[int, Field(ge=31)]
    """The last month of a statement may be over for so long."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        require_whole_line(self.score_bands, "score_bands")
        require_whole_line(self.open_loans, "open_loans")
        for code, bands in self.authority.items():
            require_whole_line(bands, f"authority {code}")
        if missing := self.exposure.keys() ^ self.authority.keys():
            raise ValueError(f"exposure and authority differ in {', '.join(sorted(missing))}")
        return self

    @property
    def named(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def authority_for(self, amount: int, currency: str) -> AuthorityBand:
        """Who may decide a referral of `amount` minor units. Bands are in whole units of the currency."""
        whole = minor_units("1", currency)
        return band_of(self.authority[currency], Decimal(amount) / whole)
