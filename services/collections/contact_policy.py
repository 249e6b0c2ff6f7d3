"""The dated rows that say who may be contacted when, how often and what for: `policies/contact-*.yaml`.

A row carries jurisdiction (its file's), product kind, who contacts, purposes, channels, dates, whether it binds, and
its source. A contact needs a `permit` row; `window`, `count` and `rest` rows hold it back, `freshness` asks that the
ledger's figures are new enough.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from services.collections.dated import Rule, documents, require_seamless
from shared.errors import Refusal
from shared.events.collections import ContactPurpose
from shared.events.parties import Channel, Purpose

Actor = Literal["lender", "agency"]
ProductKind = Literal["personal", "business"]
"""By the kind of borrower: a person's loan falls under the rules for consumers, a company's does not."""
Counted = Literal["attempts", "conversations"]
Scope = Literal["borrower", "number", "debt"]
DAY_BEGINS, DAY_ENDS = time(5), time(23)
"""Clocks change at night, in every zone of the tz database since 1970 but for whole days that were skipped."""
_READ_MARK = re.compile(r" \[[SXM]\]")
"""How well a source was read: for those who keep the files."""


class WindowAtNight(Refusal):
    """A window lies between 05:00 and 23:00, outside of the hours in which clocks change."""


class Row(Rule):
    """What every row has."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
    valid_from: date
    valid_until: date | None = None
    product_kinds: Annotated[list[ProductKind], Field(min_length=1)]
    by: Annotated[list[Actor], Field(min_length=1)]
    purposes: Annotated[list[ContactPurpose], Field(min_length=1)]
    channels: Annotated[list[Channel], Field(min_length=1)]
    force: Literal["binding", "advisory", "own"]
    """`own`: the lender's choice. Advisory rows are followed as well; the word tells what breaking one would mean."""
    source: Annotated[str, StringConstraints(min_length=1)]

    @property
    def basis(self) -> str:
        """Whose rule it is, in a sentence for people; with the source where it is not the lender's."""
        source = _READ_MARK.sub("", self.source)
        match self.force:
            case "own":
                return "This is the lender's own rule."
            case "binding":
                return f"The rule binds: {source}."
            case "advisory":
                return f"The rule is a recommendation, and followed: {source}."


class Permit(Row):
    """These contacts are possible at all."""

    kind: Literal["permit"]


class Window(Row):
    """From `opens` until before `closes` by the borrower's clock, unless the borrower consented to other hours."""

    kind: Literal["window"]
    opens: time
    closes: time
    unless_consent: Purpose | None = None

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _clock(cls, value: object) -> object:
        if isinstance(value, int):  # YAML 1.1 reads 08:00 without quotes as a number to base 60
            raise ValueError("write a time in quotes, as in '08:00'")  # noqa: TRY004 - pydantic's way to refuse
        return value

    @model_validator(mode="after")
    def _by_day(self) -> "Window":
        if not DAY_BEGINS <= self.opens < self.closes <= DAY_ENDS:
            raise WindowAtNight(f"{self.name}: {self.opens:%H:%M} to {self.closes:%H:%M}.", field=self.name)
        return self


class Count(Row):
    """At most `most` in any `days` consecutive local days, of what `counts` says, about one of what `scope` says.

    What counts are contacts on the row's channels for its purposes. An attempt whose outcome is not known yet counts as
    a conversation, too.
    """

    kind: Literal["count"]
    counts: Counted
    scope: Scope
    days: Annotated[int, Field(ge=1, le=366)]
    most: Annotated[int, Field(ge=1)]


class Rest(Row):
    """After a conversation, no contact until `days` local days have passed; its own day is the first of them."""

    kind: Literal["rest"]
    scope: Scope
    days: Annotated[int, Field(ge=1, le=366)]


class Freshness(Row):
    """The ledger has closed the date that is at most `days` before yesterday."""

    kind: Literal["freshness"]
    days: Annotated[int, Field(ge=0, le=366)]


AnyRow = Annotated[Permit | Window | Count | Rest | Freshness, Field(discriminator="kind")]


class ContactPolicy(Rule):
    """One file: the rows of one jurisdiction. `name@version` is kept with every contact that they allowed."""

    jurisdiction: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    version: Annotated[int, Field(ge=1)]
    rows: Annotated[list[AnyRow], Field(min_length=1)]

    @model_validator(mode="after")
    def _seamless(self) -> "ContactPolicy":
        require_seamless(self.rows, f"contact policy {self.jurisdiction}")
        return self

    @property
    def reference(self) -> str:
        """As it is kept with a contact, for example contact-cn@1."""
        return f"contact-{self.jurisdiction.lower()}@{self.version}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a contact is, apart from its time: by which the rows that concern it are found."""

    product_kind: ProductKind
    by: Actor
    purpose: ContactPurpose
    channel: Channel

    def rows(self, policy: ContactPolicy) -> list[Permit | Window | Count | Rest | Freshness]:
        """The policy's rows that concern such a contact, of whatever dates."""
        return [
            row
            for row in policy.rows
            if self.product_kind in row.product_kinds
            and self.by in row.by
            and self.purpose in row.purposes
            and self.channel in row.channels
        ]


@lru_cache(maxsize=1)
def contact_policies() -> dict[str, ContactPolicy]:
    """The package's policies by jurisdiction; raises what a slip in a file is called."""
    found = (ContactPolicy.model_validate(content) for _, content in documents("contact-"))
    return {policy.jurisdiction: policy for policy in found}


def permitted(rows: Iterable[Row]) -> bool:
    """Whether one of the rows is a permit."""
    return any(isinstance(row, Permit) for row in rows)
