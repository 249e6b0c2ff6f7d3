"""Monitoring's fold on a bench: events in, a date closed, and what came out. A stand-in for the kit's host."""

import json
import uuid
from datetime import date, timedelta
from typing import Any

import msgspec

from services.monitoring.fold import MonitoringFold
from services.monitoring.state import Alert, Borrower
from shared.events import ledger, monitoring, parties, signals
from shared.events.envelope import Envelope
from shared.streams.fold import Context
from shared.topics import TOPICS

BORROWER, LOAN = "borrower-1", "loan-1"


class Bench:
    """One partition. The states go through their encoding after every step, as between two transactions."""

    def __init__(self, opened: str = "2024-01-01", *, partitions: int = 1) -> None:
        self.fold = MonitoringFold()
        self.context = Context("monitoring", 0, partitions, {topic.name: topic.name for topic in TOPICS})
        self.context.group = self.fold.new_group()
        self.context.today: date | None = date.fromisoformat(opened)
        self.states: dict[str, Borrower] = {}
        self.count = 0

    # In -----------------------------------------------------------------------------------------------------------

    def take(self, kind: type[Envelope], data: Any, subject: str = BORROWER) -> str:
        """Fold an event; returns its id."""
        self.count += 1
        event = kind(
            id=str(uuid.UUID(int=self.count)),
            source="/test",
            subject=subject,
            time="2026-01-01T00:00:00Z",
            data=data,  # type: ignore[call-arg]
        )
        event = type(event).model_validate_json(event.to_json())
        if self.fold.concerns_group(event):
            self.context.about("book", event)
            self.fold.apply_to_group(event, self.context)
            return event.id
        state = self.states.get(subject) or self.fold.new_state(subject)
        self.context.about(subject, event)
        self.fold.apply(state, event, self.context)
        self.states[subject] = _stored(state)
        return event.id

    def close_through(self, last: str) -> None:
        """Close every date up to `last`, for those whom each concerns."""
        end = date.fromisoformat(last)
        while self.context.today is not None and self.context.today <= end:
            self.close()

    def close(self) -> None:
        """Close the open date."""
        day = self.context.today
        assert day is not None
        data = ledger.PartitionDate(partition=0, partitions=1, business_date=day)
        self.count += 1
        cause = ledger.LedgerDateClosed(
            id=str(uuid.UUID(int=self.count)), source="/ledger", subject="book", time="2026-01-01T00:00:00Z", data=data
        )
        self.context.about("book", cause)
        self.fold.close_group(day, self.context)
        for subject in sorted(self.states):
            action = self.fold.next_action(self.states[subject])
            if action is not None and action <= day:
                self.context.about(subject, cause)
                self.fold.close(self.states[subject], day, self.context)
                self.states[subject] = _stored(self.states[subject])
        self.context.today = day + timedelta(days=1)
        assert all(len(row) == len(self.fold.history[table]) for table, row in self.context.puts[-50:])
        self.context.group = msgspec.msgpack.decode(
            msgspec.msgpack.encode(self.context.group), type=self.fold.group_type
        )

    # What is taken in ---------------------------------------------------------------------------------------------

    def party(self, borrower: str = BORROWER, *, industry: str = "farming", region: str = "north") -> None:
        """Where a borrower belongs."""
        party = parties.Party(
            kind="business",
            language="en",
            time_zone="Asia/Shanghai",
            country="CN",
            region=region,
            industry=industry,
            size="micro",
            channels=[],
        )
        self.take(parties.PartyRegistered, party, borrower)

    def consent(self, *, given: bool = True) -> None:
        """To telemetry."""
        data = parties.Consent(purpose="telemetry", evidence="form-1")
        self.take(parties.ConsentGiven if given else parties.ConsentWithdrawn, data)

    def moved(self, day: str, amount: str, balance: str = "1000", borrower: str = BORROWER, **more: Any) -> str:
        """A movement on the account."""
        fields = {"direction": "in", "kind": "ordinary", "currency": "CNY"} | more
        data = signals.Movement(amount=amount, balance=balance, observed_on=date.fromisoformat(day), **fields)
        return self.take(signals.AccountMoved, data, borrower)

    def figure(self, name: str, month: str, value: str, **more: Any) -> str:
        """A month's figure."""
        start = date.fromisoformat(f"{month}-01")
        fields = {"unit": "CNY", "observed_on": start + timedelta(days=27)} | more
        return self.take(signals.FigureReported, signals.Figures(name=name, value=value, period_start=start, **fields))

    def market(self, index: str, day: str, value: str, unit: str = "index") -> None:
        """A market's value for farming in the north."""
        data = signals.Indicator(
            indicator=index,
            industry="farming",
            region="north",
            value=value,
            unit=unit,
            observed_on=date.fromisoformat(day),
        )
        self.take(signals.IndicatorPublished, data, "farming.north")

    def entry(
        self,
        *,
        since: str | None,
        principal: str = "1000.00",
        effective: str | None = None,
        borrower: str = BORROWER,
        booked: tuple[str, str, str] = ("cash", "loans-receivable", "100.00"),
        returned: str | None = None,
        **account_too: Any,
    ) -> None:
        """The loan as the ledger tells it on the open date; `booked`: debit, credit and amount; `returned`: a code."""
        today = self.context.today
        assert today is not None
        fields: dict[str, Any] = {
            "status": "active" if principal != "0" else "settled",
            "principal_outstanding": principal,
            "interest_due": "0",
            "past_due": "100.00" if since else "0",
            "past_due_since": date.fromisoformat(since) if since else None,
            "overpaid": "0",
            "in_suspense": "0",
        }
        account = ledger.Account.model_validate(fields | account_too)
        value_date = date.fromisoformat(effective) if effective else today
        debit, credit, amount = booked
        posting = ledger.Posting(debit=debit, credit=credit, amount=amount, currency="CNY", effective_date=value_date)
        data = ledger.Entry(
            loan_id=LOAN,
            borrower_id=borrower,
            cause="payment",
            currency="CNY",
            booking_date=today,
            postings=[posting],
            returned=returned,
            account=account,
        )
        self.take(ledger.EntryPosted, data, borrower)

    def act(self, alert: Alert, action: str, *, by: str = "Li Wei", until: str | None = None) -> None:
        """A person acts on an alert."""
        data = monitoring.Action(
            alert_id=alert.alert_id,
            action=action,  # type: ignore[arg-type]
            by=by,
            reason="seen",
            until=date.fromisoformat(until) if until else None,
        )
        self.take(monitoring.AlertActionTaken, data)

    # Out ----------------------------------------------------------------------------------------------------------

    def told(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The data of all events that were derived, of one type's last word if given."""
        messages = [json.loads(message.value or b"") for message in self.context.messages]
        return [m["data"] for m in messages if kind is None or m["type"] == f"monitoring.{kind}.v1"]

    def puts_of(self, table: str, indicator: str) -> list[Any]:
        """Values that were written for an indicator."""
        return [row[3] for name, row in self.context.puts if name == table and row[1] == indicator]

    def alert(self, indicator: str, borrower: str = BORROWER) -> Alert | None:
        """The open alert of an indicator."""
        found = (a for a in self.states[borrower].alerts.values() if a.indicator == indicator)
        return next(found, None)


def _stored(state: Borrower) -> Borrower:
    for table, rows in MonitoringFold().rows(state).items():
        assert all(len(row) == len(MonitoringFold.tables[table]) for row in rows), table
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=Borrower)
