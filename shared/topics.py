"""The map of topics: key, events, the single writer of each event type, readers, and settings (D2, D5).

`lendlog run` creates these topics; services verify them and refuse to start on a difference.
"""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter

from shared.events import (
    applications,
    bank,
    checkpoints,
    collections,
    debits,
    entries,
    inbox,
    ledger,
    monitoring,
    origination,
    parties,
    payment_files,
    servicing,
    signals,
    take_over,
    valuation,
)
from shared.events.envelope import Data, Envelope

PARTITIONS = 8
FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
COMPACTED = {"cleanup.policy": "compact"}
NINETY_DAYS = {"cleanup.policy": "delete", "retention.ms": str(90 * 24 * 3600 * 1000)}
COMMON = {"min.insync.replicas": "1", "message.timestamp.type": "CreateTime", "max.message.bytes": "8388608"}

LifecycleEvent = Annotated[
    origination.LoanContracted
    | origination.LoanDisbursed
    | take_over.LoanTakenOver
    | ledger.PaymentReceived
    | ledger.PaymentReversed
    | ledger.BookOpened
    | ledger.BusinessDateClosed
    | ledger.ReferenceRatePublished
    | ledger.ParkedLoanReleased
    | ledger.DeadLetterRetried
    | servicing.ChargeLevied
    | servicing.ChargeWaived
    | servicing.ChargeAdjusted
    | servicing.CreditReceived
    | servicing.PaymentChargedBack
    | servicing.CreditRefunded
    | servicing.LoanChargedOff
    | servicing.LoanWrittenOff
    | servicing.LoanRescheduled
    | servicing.LoanReAged
    | servicing.LoanReAmortised
    | servicing.PrincipalPrepaid
    | servicing.LoanAccelerated
    | servicing.DelinquencyPaused
    | servicing.DelinquencyResumed
    | servicing.EventUndone
    | valuation.LoanValued
    | entries.JournalEntryProposed
    | entries.JournalEntryApproved
    | entries.JournalEntryDeclined
    | entries.PeriodClosed
    | entries.YearClosed
    | bank.BankStatementTaken
    | bank.BankLineAssigned
    | debits.MandateSigned
    | debits.MandateRevoked
    | debits.MandateResumed
    | debits.DebitRunMade
    | debits.DebitRunVoided
    | debits.DebitRejected
    | payment_files.PaymentFileMade
    | payment_files.PaymentFileVoided
    | payment_files.PaymentStatusTaken
    | collections.PlanAgreed,
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
    writers: dict[type[Envelope] | type[Data], str]
    readers: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS
    copies: tuple["Topic", ...] = ()
    """Topics whose records the reading service copies here."""

    def config(self) -> dict[str, str]:
        """Every broker setting of this topic, explicit."""
        return COMMON | self.settings


def _written_by(service: str, *events: type[Envelope]) -> dict[type[Envelope] | type[Data], str]:
    return dict.fromkeys(events, service)


LIFECYCLE = Topic(
    name="loans.lifecycle.v1",
    key="loan id (or `bank.<account>`, `payment-files`, `direct-debits`, `general-ledger` or `book`)",
    writers=_written_by("origination", origination.LoanContracted, origination.LoanDisbursed)
    | _written_by(
        "ledger",
        take_over.LoanTakenOver,
        ledger.PaymentReceived,
        ledger.PaymentReversed,
        ledger.BookOpened,
        ledger.BusinessDateClosed,
        ledger.ReferenceRatePublished,
        ledger.ParkedLoanReleased,
        ledger.DeadLetterRetried,
        servicing.ChargeLevied,
        servicing.ChargeWaived,
        servicing.ChargeAdjusted,
        servicing.CreditReceived,
        servicing.PaymentChargedBack,
        servicing.CreditRefunded,
        servicing.LoanChargedOff,
        servicing.LoanWrittenOff,
        servicing.LoanRescheduled,
        servicing.LoanReAged,
        servicing.LoanReAmortised,
        servicing.PrincipalPrepaid,
        servicing.LoanAccelerated,
        servicing.DelinquencyPaused,
        servicing.DelinquencyResumed,
        servicing.EventUndone,
        valuation.LoanValued,
        entries.JournalEntryProposed,
        entries.JournalEntryApproved,
        entries.JournalEntryDeclined,
        entries.PeriodClosed,
        entries.YearClosed,
        bank.BankStatementTaken,
        bank.BankLineAssigned,
        debits.MandateSigned,
        debits.MandateRevoked,
        debits.MandateResumed,
        debits.DebitRunMade,
        debits.DebitRunVoided,
        debits.DebitRejected,
        payment_files.PaymentFileMade,
        payment_files.PaymentFileVoided,
        payment_files.PaymentStatusTaken,
    )
    | _written_by("collections", collections.PlanAgreed),
    readers=("ledger",),
    settings=FOREVER,
)
LEDGER_EVENTS = Topic(
    name="ledger.events.v1",
    key="borrower id (a loan without a readable contract: loan id; a closed date: `book`)",
    writers=_written_by(
        "ledger",
        ledger.EntryPosted,
        ledger.InstalmentFellDue,
        ledger.LoanParked,
        ledger.LoanUnparked,
        ledger.LedgerDateClosed,
    ),
    readers=("origination", "monitoring", "collections", "others"),
    settings=FOREVER,
)
LEDGER_ACCOUNTS = Topic(
    name="ledger.accounts.v1",
    key="loan id",
    writers={ledger.AccountSnapshot: "ledger"},
    readers=("anyone",),
    settings=COMPACTED,
)
CHECKPOINTS = Topic(
    name="ledger.checkpoints.v1",
    key="`p<partition>`, on the partition of that number",
    writers={checkpoints.CheckpointSigned: "ledger", checkpoints.CheckpointCosigned: "witness"},
    readers=("witnesses", "origination", "anyone"),
    settings=FOREVER,
)
PARTIES = Topic(
    name="borrowers.parties.v1",
    key="borrower id",
    writers=_written_by(
        "origination",
        parties.PartyRegistered,
        parties.PartyAmended,
        parties.ConsentGiven,
        parties.ConsentWithdrawn,
        parties.RelationStated,
        parties.RelationEnded,
        parties.FlagRaised,
        parties.FlagCleared,
        parties.PersonalDataErased,
    ),
    readers=("origination", "monitoring", "collections"),
    settings=FOREVER,
)
APPLICATIONS = Topic(
    name="origination.applications.v1",
    key="borrower id",
    writers=_written_by(
        "origination",
        applications.ApplicationStarted,
        applications.ApplicationAmended,
        applications.StatementProvided,
        applications.DocumentReceived,
        applications.GuaranteeOffered,
        applications.ApplicationSubmitted,
        applications.ApplicationApproved,
        applications.ApplicationReferred,
        applications.ApplicationDeclined,
        applications.ReviewRequested,
        applications.ReferralRecommended,
        applications.ReferralApproved,
        applications.ReferralDeclined,
        applications.OfferMade,
        applications.OfferAccepted,
        applications.OfferLapsed,
        applications.ApplicationWithdrawn,
        applications.LoanAgreed,
        applications.DisbursementOrdered,
        applications.DisbursementRefused,
    ),
    readers=("origination", "monitoring", "portal"),
    settings=FOREVER,
)
SIGNALS = Topic(
    name="borrowers.signals.v1",
    key="borrower id",
    writers=_written_by("outside", signals.AccountMoved, signals.FigureReported, signals.RecordFound),
    readers=("monitoring",),
    settings=FOREVER,
)
MARKET = Topic(
    name="market.indicators.v1",
    key="`<industry>.<region>`",
    writers=_written_by("outside", signals.IndicatorPublished),
    readers=("monitoring",),
    settings=FOREVER,
)
ALERTS = Topic(
    name="monitoring.alerts.v1",
    key="borrower id",
    writers=_written_by(
        "monitoring",
        monitoring.AlertRaised,
        monitoring.AlertEscalated,
        monitoring.AlertAcknowledged,
        monitoring.AlertSnoozed,
        monitoring.AlertReleased,
        monitoring.AlertResolved,
        monitoring.AlertSuperseded,
        monitoring.LoanClassified,
        monitoring.SignalSetAside,
    ),
    readers=("origination", "collections", "others"),
    settings=FOREVER,
)
THRESHOLDS = Topic(
    name="monitoring.thresholds.v1",
    key="`<indicator>.<segment>`",
    writers=_written_by("monitoring", monitoring.LevelChanged),
    readers=("anyone",),
    settings=FOREVER,
)
CASES = Topic(
    name="collections.cases.v1",
    key="borrower id",
    writers=_written_by(
        "collections",
        collections.CaseOpened,
        collections.CaseReopened,
        collections.CaseChanged,
        collections.CaseParked,
        collections.CaseResumed,
        collections.CaseClosed,
        collections.PromiseMade,
        collections.PromiseKept,
        collections.PromisePartlyKept,
        collections.PromiseBroken,
        collections.PromiseCancelled,
        collections.ReminderScheduled,
    ),
    readers=("others",),
    settings=FOREVER,
)
QUEUES = Topic(
    name="collections.queues.v1",
    key="case id",
    writers={collections.CaseSnapshot: "collections"},
    readers=("anyone",),
    settings=COMPACTED,
)


def _inbox(service: str, *events: type[Envelope], copies: tuple[Topic, ...]) -> Topic:
    """The one order in which a service takes in what it reads (decision 0014)."""
    return Topic(
        name=f"{service}.inbox.v1",
        key="borrower id (a market: `<industry>.<region>`; a closed date: `book`)",
        writers=_written_by(service, inbox.ParkedSubjectReleased, *events),
        readers=(service,),
        settings=FOREVER,
        copies=copies,
    )


ORIGINATION_INBOX = _inbox("origination", copies=(PARTIES, APPLICATIONS, ALERTS, LEDGER_EVENTS))
MONITORING_INBOX = _inbox(
    "monitoring",
    monitoring.AlertActionTaken,
    monitoring.MemberDefaulted,
    copies=(LEDGER_EVENTS, SIGNALS, MARKET, PARTIES, APPLICATIONS),
)
COLLECTIONS_INBOX = _inbox(
    "collections",
    collections.PromiseRecorded,
    collections.PromiseWithdrawn,
    collections.StopSet,
    collections.StopLifted,
    collections.CaseTaken,
    collections.CaseGivenBack,
    collections.ContactReserved,
    collections.ContactConcluded,
    copies=(LEDGER_EVENTS, ALERTS, PARTIES),
)


def dead_letters_of(topic: Topic) -> Topic:
    """Where what could not be read goes."""
    return Topic(
        name=f"{topic.name}.dlq", key="as the source", writers={}, readers=("operators",), settings=NINETY_DAYS
    )


LIFECYCLE_DEAD_LETTERS = dead_letters_of(LIFECYCLE)
INBOXES = (ORIGINATION_INBOX, MONITORING_INBOX, COLLECTIONS_INBOX)
LEDGER_TOPICS = (LIFECYCLE, LEDGER_EVENTS, LEDGER_ACCOUNTS, CHECKPOINTS, LIFECYCLE_DEAD_LETTERS)
"""All that the ledger reads and writes."""
TOPICS = (
    *LEDGER_TOPICS,
    PARTIES,
    APPLICATIONS,
    SIGNALS,
    MARKET,
    ALERTS,
    THRESHOLDS,
    CASES,
    QUEUES,
    *(topic for one in INBOXES for topic in (one, dead_letters_of(one))),
)


def topics_of(service: str) -> tuple[Topic, ...]:
    """What a service reads and writes, its inbox and dead letters included."""
    if service == "ledger":
        return LEDGER_TOPICS
    own = next(topic for topic in INBOXES if topic.name.startswith(f"{service}."))
    written = [topic for topic in TOPICS if service in topic.writers.values()]
    return tuple({topic.name: topic for topic in (own, *own.copies, *written, dead_letters_of(own))}.values())
