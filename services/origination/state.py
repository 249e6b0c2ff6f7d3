"""What the worker knows of one borrower: the party, applications, loans and what blocks them. Compact mutable state, as
`shared.streams.fold` asks for; it holds no set, and dictionaries in the order of the inbox."""

from datetime import date
from typing import Literal

import msgspec

Status = Literal[
    "draft",
    "submitted",
    "approved",
    "referred",
    "recommended",
    "declined",
    "offered",
    "lapsed",
    "accepted",
    "agreed",
    "paid-out",
    "withdrawn",
]


class PartyState(msgspec.Struct):
    """How to treat the borrower."""

    kind: str
    language: str
    time_zone: str
    country: str
    region: str
    industry: str
    size: str
    channels: list[str]


class ApplicationState(msgspec.Struct):
    """An application as far as readings and dates need it; its events have the rest."""

    status: Status
    product: str
    amount: str
    currency: str
    events: int = 0
    outcome: str | None = None
    score: int | None = None
    offer_id: str | None = None
    valid_until: date | None = None
    loan_id: str | None = None


class LoanState(msgspec.Struct):
    """A loan as the ledger told last. days_past_due_max: the longest that has ended, or been told of, so far. undone:
    how often what was paid out was taken back whole, as after a bank's rejection."""

    status: str
    currency: str
    outstanding: str
    past_due_since: date | None = None
    days_past_due_max: int = 0
    undone: int = 0


class BlockState(msgspec.Struct):
    """An open red alert."""

    indicator: str
    since: date
    reason: str


class Borrower(msgspec.Struct):
    """Everything of one borrower."""

    party: PartyState | None = None
    erased: bool = False
    consents: dict[str, str] = {}
    """Purpose → where the proof is kept."""
    flags: dict[str, str] = {}
    """Circumstance → who raised it."""
    relations: dict[str, tuple[str, str, str | None]] = {}
    """`kind/other` → (other, kind, group)."""
    applications: dict[str, ApplicationState] = {}
    loans: dict[str, LoanState] = {}
    blocks: dict[str, BlockState] = {}


class Nothing(msgspec.Struct):
    """The borrowers of a partition share nothing here."""
