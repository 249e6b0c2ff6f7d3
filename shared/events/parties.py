"""What origination states about borrowers for others, on `borrowers.parties.v1`: no name, no address, no identifier.

Key and subject are the random borrower id. Personal data stands in origination's vault alone.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import BorrowerId, Data, Envelope

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")]
"""BCP 47: language, script, region; for example zh-CN."""
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)]
"""An IANA name, for example Asia/Shanghai."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A word of a list that the lender keeps: an industry, a region, a kind of document."""
Channel = Literal["email", "sms", "voice", "letter", "visit", "app"]
Purpose = Literal["telemetry", "bureau", "automated-decision", "contact-at-night", "third-party-contact"]
Flag = Literal["deceased", "bankruptcy", "legal-representation", "cease-contact", "hardship", "fraud-victim"]


class Party(Data):
    """How to treat a borrower. `channels`: those for which the vault holds an address."""

    kind: Literal["person", "business"]
    language: Language
    time_zone: TimeZone
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    region: Code
    industry: Code
    size: Literal["person", "micro", "small", "medium"]
    channels: list[Channel]


class Consent(Data):
    """A separate consent; `evidence` refers to where its proof is kept, and holds no personal data."""

    purpose: Purpose
    evidence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")]


class Relation(Data):
    """Another borrower who stands by this one: a guarantor, or a member of the same joint-liability group."""

    other: BorrowerId
    kind: Literal["guarantor", "group-member"]
    group: BorrowerId | None = None
    """The group's own id, where `kind` is group-member."""


class Flagging(Data):
    """A circumstance that stops or changes contact."""

    flag: Flag
    by: Annotated[str, Field(max_length=100)]


class Erasure(Data):
    """The key of a borrower's personal data was destroyed."""

    by: Annotated[str, Field(max_length=100)]


class PartyRegistered(Envelope):
    """A borrower became known."""

    type: Literal["origination.PartyRegistered.v1"] = "origination.PartyRegistered.v1"
    data: Party


class PartyAmended(Envelope):
    """What is known of a borrower changed; the data is whole."""

    type: Literal["origination.PartyAmended.v1"] = "origination.PartyAmended.v1"
    data: Party


class ConsentGiven(Envelope):
    """A borrower agreed to one purpose."""

    type: Literal["origination.ConsentGiven.v1"] = "origination.ConsentGiven.v1"
    data: Consent


class ConsentWithdrawn(Envelope):
    """A borrower took a consent back."""

    type: Literal["origination.ConsentWithdrawn.v1"] = "origination.ConsentWithdrawn.v1"
    data: Consent


class RelationStated(Envelope):
    """Another borrower stands by this one."""

    type: Literal["origination.RelationStated.v1"] = "origination.RelationStated.v1"
    data: Relation


class RelationEnded(Envelope):
    """Another borrower no longer stands by this one."""

    type: Literal["origination.RelationEnded.v1"] = "origination.RelationEnded.v1"
    data: Relation


class FlagRaised(Envelope):
    """A circumstance holds."""

    type: Literal["origination.FlagRaised.v1"] = "origination.FlagRaised.v1"
    data: Flagging


class FlagCleared(Envelope):
    """A circumstance no longer holds."""

    type: Literal["origination.FlagCleared.v1"] = "origination.FlagCleared.v1"
    data: Flagging


class PersonalDataErased(Envelope):
    """A borrower's personal data can't be read any more, by anyone."""

    type: Literal["origination.PersonalDataErased.v1"] = "origination.PersonalDataErased.v1"
    data: Erasure
