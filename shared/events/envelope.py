"""CloudEvents 1.0 in structured mode: one JSON object is the whole event (D4).

Source: CloudEvents 1.0.2 and its Kafka protocol binding. Extensions: correlationid, causationid, traceparent (W3C Trace
Context) and effectivedate, the value date of the fact (absent: the open business date).
"""

import hashlib
import uuid
from datetime import date
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
SCHEMA_BASE = "https://lendlog.dev/schemas/"
BOOK = "book"
"""Subject and key of what concerns a whole partition (opening, closing, retries) and no single loan."""

EventId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
LoanId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
BorrowerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Amount = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
"""A positive or zero decimal string; the currency beside it says how many decimals count. At most 15 + 4 digits."""
Total = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,4})?$")]
"""A sum of amounts, which one event's pattern is too narrow for."""
SignedAmount = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,4})?$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Timestamp = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$")
]


class Data(BaseModel):
    """The facts of one event. Frozen; readers ignore fields that they don't know, the ledger forbids them (D5)."""

    model_config = ConfigDict(frozen=True)


class Attributes(Protocol):
    """What a fold and what follows from an event need of it, however it was read."""

    @property
    def id(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def time(self) -> str: ...

    @property
    def correlationid(self) -> str | None: ...

    @property
    def traceparent(self) -> str | None: ...

    @property
    def effectivedate(self) -> date | None: ...


class Envelope(BaseModel):
    """The CloudEvents attributes. `subject` is the loan id (or `book`, or `bank.<account>`) and equals the key."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: EventId
    source: Annotated[str, Field(min_length=1, max_length=200)]
    type: Annotated[str, Field(min_length=1, max_length=200)]
    subject: LoanId
    time: Timestamp
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(max_length=300)] | None = None
    correlationid: Annotated[str, Field(max_length=100)] | None = None
    causationid: Annotated[str, Field(max_length=100)] | None = None
    traceparent: Annotated[str, Field(max_length=100)] | None = None
    effectivedate: date | None = None

    def to_json(self) -> bytes:
        """The event as it stands on the topic: UTF-8 JSON, absent attributes left out."""
        return self.model_dump_json(exclude_none=True).encode()


def new_event_id() -> str:
    """A UUIDv7 (RFC 9562): a first-hand event's id, ordered by time so that the index that guards it stays local."""
    import os
    import time

    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def derived_event_id(cause: str, partition: int, loan: str, index: int) -> str:
    """The id of an event that follows from another: a hash of (causing id, source partition, loan id or `-`, index), so
    that a relay that publishes again after a crash, and a replay, give the same id. A UUIDv8 (RFC 9562) in form."""
    digest = hashlib.sha256(f"{cause}\x00{partition}\x00{loan}\x00{index}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
