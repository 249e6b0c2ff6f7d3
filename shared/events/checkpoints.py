"""Heads of the log's trees, as the ledger signed them and as witnesses cosigned them (D14, decision 0019)."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Data, Envelope

Size = Annotated[int, Field(ge=0, le=(1 << 63) - 1, strict=True)]
Partition = Annotated[int, Field(ge=0, le=(1 << 15) - 1, strict=True)]
NoteText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
"""A signed note (https://c2sp.org/signed-note), whole."""
Origin = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Hash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""32 bytes in base64."""


class SignedHead(Data):
    """A signed head of one partition's tree. The note is what counts: the rest is in it, or proved against it."""

    origin: Origin
    partition: Partition
    size: Size
    root: Hash
    note: NoteText
    previous_size: Size
    """Of the head that was published before this one; 0 for the first."""
    consistency: list[Hash]
    """The RFC 6962 consistency proof from that head to this one."""
    rotations: list[NoteText]
    """Every rotation of the book's key, oldest first."""
    open_date: date | None = None
    """The open business date when the head was signed. Not part of what is signed."""


class CosignedHead(Data):
    """A head with a witness's signature and time below the ledger's."""

    origin: Origin
    partition: Partition
    size: Size
    note: NoteText
    witness: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    """The public key of the witness (a C2SP verifier key)."""


class CheckpointSigned(Envelope):
    """The ledger signed the head of a partition. Subject and key: `p<partition>`."""

    type: Literal["ledger.CheckpointSigned.v1"] = "ledger.CheckpointSigned.v1"
    data: SignedHead


class CheckpointCosigned(Envelope):
    """A witness saw that a head continues the last one that it knew. Subject and key: `p<partition>`."""

    type: Literal["witness.CheckpointCosigned.v1"] = "witness.CheckpointCosigned.v1"
    data: CosignedHead
