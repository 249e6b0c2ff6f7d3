"""What the gate is asked, what it knows, and what it says."""

from dataclasses import dataclass
from datetime import datetime

from services.collections.contact_policy import Actor
from shared.events.collections import ContactPurpose
from shared.events.parties import Channel


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """What parties' events say."""

    kind: str
    language: str
    time_zone: str
    country: str
    channels: frozenset[str]
    consents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LoanFacts:
    """One loan, as far as contact depends on it."""

    loan_id: str
    past_due: bool
    in_suspense: bool = False
    parked: bool = False


@dataclass(frozen=True, slots=True)
class BorrowerFacts:
    """What is known of a borrower. `party` is None until one is stated, and after the personal data were erased."""

    party: PartyFacts | None = None
    flags: frozenset[str] = frozenset()
    stops: frozenset[tuple[str, str | None]] = frozenset()
    """(kind, loan id or None for all): what the borrower said to collectors."""
    loans: tuple[LoanFacts, ...] = ()
    promise_active: bool = False


@dataclass(frozen=True, slots=True)
class PastContact:
    """One contact of the log, whoever made it."""

    contact_id: str
    at: datetime
    channel: str
    purpose: str
    outcome: str
    loan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is asked for. `loan_id` None: it is about all of the borrower's loans."""

    at: datetime
    channel: Channel
    purpose: ContactPurpose
    by: Actor = "lender"
    loan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Go ahead. `policy` names the rows' file and version."""

    policy: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Don't. `earliest`: the first minute at which it would be allowed if nothing else happens; None: none. `policy`
    names the rows' file and version where they deny; None: what is known of the borrower does."""

    rule: str
    reason: str
    earliest: datetime | None = None
    policy: str | None = None


Verdict = Allowed | Denied
