"""The map of topics: key, events, the single writer of each event type, readers, and settings (D2, D5).

`lendlog run` creates these topics; services verify them and refuse to start on a difference.
"""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter

from shared.events import ledger, origination
from shared.events.envelope import Envelope

PARTITIONS = 8
FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
COMPACTED = {"cleanup.policy": "compact"}
NINETY_DAYS = {"cleanup.policy": "delete", "retention.ms": str(90 * 24 * 3600 * 1000)}
COMMON = {"min.insync.replicas": "1", "message.timestamp.type": "CreateTime", "max.message.bytes": "8388608"}

LifecycleEvent = Annotated[
    origination.LoanContracted
    | origination.LoanDisbursed
    | ledger.PaymentReceived
    | ledger.PaymentReversed
    | ledger.BookOpened
    | ledger.BusinessDateClosed
    | ledger.ParkedLoanReleased
    | ledger.DeadLetterRetried,
    Field(discriminator="type"),
]
LedgerEvent = Annotated[
    ledger.EntryPosted | ledger.InstalmentFellDue | ledger.LoanParked | ledger.LoanUnparked | ledger.LedgerDateClosed,
    Field(discriminator="type"),
]
lifecycle_events: TypeAdapter[LifecycleEvent] = TypeAdapter(LifecycleEvent)
ledger_events: TypeAdapter[LedgerEvent] = TypeAdapter(LedgerEvent)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `writers` names, per event type, the only service that may write it."""

    name: str
    key: str
    writers: dict[type[Envelope] | type[ledger.AccountSnapshot], str]
    readers: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS

    def config(self) -> dict[str, str]:
        """Every broker setting of this topic, explicit."""
        return COMMON | self.settings


LIFECYCLE = Topic(
    name="loans.lifecycle.v1",
    key="loan id (or `book`)",
    writers={
        origination.LoanContracted: "origination",
        origination.LoanDisbursed: "origination",
        ledger.PaymentReceived: "ledger",
        ledger.PaymentReversed: "ledger",
        ledger.BookOpened: "ledger",
        ledger.BusinessDateClosed: "ledger",
        ledger.ParkedLoanReleased: "ledger",
        ledger.DeadLetterRetried: "ledger",
    },
    readers=("ledger",),
    settings=FOREVER,
)
LEDGER_EVENTS = Topic(
    name="ledger.events.v1",
    key="borrower id (a loan without a readable contract: loan id; a closed date: `book`)",
    writers={
        ledger.EntryPosted: "ledger",
        ledger.InstalmentFellDue: "ledger",
        ledger.LoanParked: "ledger",
        ledger.LoanUnparked: "ledger",
        ledger.LedgerDateClosed: "ledger",
    },
    readers=("monitoring", "collections", "others"),
    settings=FOREVER,
)
LEDGER_ACCOUNTS = Topic(
    name="ledger.accounts.v1",
    key="loan id",
    writers={ledger.AccountSnapshot: "ledger"},
    readers=("anyone",),
    settings=COMPACTED,
)
LIFECYCLE_DEAD_LETTERS = Topic(
    name="loans.lifecycle.v1.dlq", key="as the source", writers={}, readers=("operators",), settings=NINETY_DAYS
)
TOPICS = (LIFECYCLE, LEDGER_EVENTS, LEDGER_ACCOUNTS, LIFECYCLE_DEAD_LETTERS)
