"""A borrower's life as events, folded as the host does it: for the tests of case, promises and reminders."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from services.collections.fold import CollectionsFold
from services.collections.state import Borrower, Case
from shared.events import collections, ledger, parties
from shared.events.envelope import Envelope, derived_event_id
from shared.streams.fold import Context

TOPICS = {name: name for name in ("collections.cases.v1", "collections.queues.v1")}
DAY = timedelta(days=1)
BORROWER, LOAN = "b-1", "L1"


@dataclass
class History:
    """One borrower; `today` is the open business date."""

    today: date
    fold: CollectionsFold = field(default_factory=CollectionsFold)
    context: Context = field(default_factory=lambda: Context("collections", 0, 1, TOPICS))
    number: int = 0

    def __post_init__(self) -> None:
        self.state: Borrower = self.fold.new_state(BORROWER)
        self.context.today = self.today

    @property
    def case(self) -> Case:
        assert self.state.case is not None
        return self.state.case

    def take(self, kind: type[Envelope], /, **data: Any) -> list[str]:
        """Fold one event; returns what followed, as told()."""
        self.number += 1
        event = kind.model_validate(
            {
                "id": derived_event_id("a test", 0, "-", self.number),
                "source": "/a-test",
                "type": kind.model_fields["type"].default,
                "subject": BORROWER,
                "time": "2024-01-01T00:00:00Z",
                "data": data,
            }
        )
        self.context.about(BORROWER, event)
        self.context.messages.clear()
        self.fold.apply(self.state, event, self.context)
        return self.told()

    def close_until(self, last: date) -> list[str]:
        """Close every date up to `last` where something is due, as the host does; what followed."""
        told: list[str] = []
        while self.today <= last:
            action = self.fold.next_action(self.state)
            if action is not None and action <= self.today:
                self.number += 1
                cause = ledger.LedgerDateClosed(
                    id=derived_event_id("a closing", 0, "-", self.number),
                    source="/ledger",
                    subject="book",
                    time="2024-01-01T00:00:00Z",
                    data=ledger.PartitionDate(partition=0, partitions=1, business_date=self.today),
                )
                self.context.about(BORROWER, cause)
                self.context.messages.clear()
                self.fold.close(self.state, self.today, self.context)
                told += [f"{self.today} {one}" for one in self.told()]
            self.today += DAY
            self.context.today = self.today
        return told

    def told(self) -> list[str]:
        """Types of the events that the last step gave, snapshots left out."""
        events = [message for message in self.context.messages if message.topic == "collections.cases.v1"]
        return [Envelope.model_validate_json(message.value or b"").type.split(".")[1] for message in events]

    # What happens to a loan of 500.00 CNY an instalment -----------------------------------------------------------

    def account(
        self, kind: type[Envelope], /, *, cash: str | None = None, on: date | None = None, **account: Any
    ) -> list[str]:
        """An entry of the ledger. `cash`: what came in (or out, with a minus) on the value date `on`."""
        lines = []
        if cash is not None:
            sides = ("cash", "loans-receivable") if not cash.startswith("-") else ("loans-receivable", "cash")
            lines.append(
                {
                    "debit": sides[0],
                    "credit": sides[1],
                    "amount": cash.lstrip("-"),
                    "currency": "CNY",
                    "effective_date": str(on or self.today),
                }
            )
        known = {
            "status": "active",
            "principal_outstanding": "6000.00",
            "interest_due": "0.00",
            "past_due": "0.00",
            "overpaid": "0.00",
            "in_suspense": "0.00",
        }
        return self.take(
            kind,
            loan_id=LOAN,
            borrower_id=BORROWER,
            cause=account.pop("cause", "ledger.PaymentReceived.v1"),
            currency="CNY",
            booking_date=str(self.today),
            postings=lines,
            account=known | account,
        )

    def disbursed(self, next_due: date) -> list[str]:
        """The loan is paid out."""
        return self.account(ledger.EntryPosted, next_due_date=str(next_due), cause="origination.LoanDisbursed.v1")

    def fell_due(self, *, past_due: str, since: date | None, next_due: date) -> list[str]:
        """The instalment of today fell due."""
        return self.account(
            ledger.InstalmentFellDue,
            past_due=past_due,
            past_due_since=str(since) if since else None,
            next_due_date=str(next_due),
        )

    def promised(self, amount: str, due: date, plan_id: str | None = None) -> list[str]:
        """A collector recorded a promise."""
        return self.take(
            collections.PromiseRecorded,
            loan_id=LOAN,
            amount=amount,
            currency="CNY",
            due_date=str(due),
            by="a collector",
            plan_id=plan_id,
        )

    def registered(self) -> list[str]:
        """The borrower becomes known."""
        return self.take(
            parties.PartyRegistered,
            kind="person",
            language="zh-CN",
            time_zone="Asia/Shanghai",
            country="CN",
            region="sichuan",
            industry="retail",
            size="person",
            channels=["email", "voice"],
        )
