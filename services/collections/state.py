"""What collections knows of one borrower: compact mutable state that the fold owns and changes in place.

Determinism, not immutability, is the rule here. Amounts are minor units of the currency beside them.
"""

from datetime import date
from typing import Literal

import msgspec

PromiseStatus = Literal["active", "kept", "partly-kept", "broken", "cancelled"]


class Loan(msgspec.Struct):
    """One loan's figures as the ledger told them last."""

    loan_id: str
    currency: str = ""
    status: str = "unknown"
    past_due: int = 0
    past_due_since: date | None = None
    debt: int = 0
    """All that is owed: principal outstanding, and interest that has fallen due."""
    in_suspense: int = 0
    next_due: date | None = None
    fell_due: date | None = None
    """The due date of the last instalment that fell due."""
    parked: bool = False
    reminded: list[str] = []
    """`kind/instalment due` of the reminders that were scheduled, of the last due dates."""


class Party(msgspec.Struct):
    """How to treat the borrower."""

    kind: str
    language: str
    time_zone: str
    country: str
    channels: list[str]


class Stop(msgspec.Struct):
    """What the borrower said that stops contact; `loan_id` None: about all loans."""

    kind: str
    loan_id: str | None
    by: str
    reason: str


class Promise(msgspec.Struct):
    """A promise to pay. Money counts whose value date is from `made_on` to `judged_on`."""

    promise_id: str
    loan_id: str
    amount: int
    currency: str
    made_on: date
    due_date: date
    judged_on: date
    by: str
    plan_id: str | None = None
    paid: int = 0
    status: PromiseStatus = "active"
    reason: str | None = None


class Reminder(msgspec.Struct):
    """A reminder that may be sent from `on_date` to `until`."""

    reminder_id: str
    loan_id: str
    kind: Literal["t-3", "t0", "t+1"]
    instalment_due: date
    on_date: date
    until: date
    amount: int | None
    currency: str


class Case(msgspec.Struct):
    """The borrower's case. `version` counts its changes."""

    case_id: str
    opened_on: date
    status: Literal["open", "parked", "closed"] = "open"
    step: str = ""
    priority: int = 0
    rule: str = "priority@1"
    reason: str = ""
    parked_until: date | None = None
    past_due: dict[str, int] = {}
    loans: list[str] = []
    past_due_since: date | None = None
    days_past_due: int = 0
    as_of: date | None = None
    closed_on: date | None = None
    version: int = 0
    taken_by: str | None = None


class Borrower(msgspec.Struct):
    """The whole of it."""

    borrower_id: str
    party: Party | None = None
    consents: list[str] = []
    flags: list[str] = []
    stops: list[Stop] = []
    loans: dict[str, Loan] = {}
    alerts: dict[str, str] = {}
    """Alerts that stand → severity."""
    promises: list[Promise] = []
    reminders: list[Reminder] = []
    case: Case | None = None
    as_of: date | None = None
    """The last closed date by which case and reminders were looked at."""

    def in_arrears(self) -> list[Loan]:
        """The loans that are past due by more than their materiality, oldest first."""
        late = [loan for loan in self.loans.values() if loan.past_due_since is not None and loan.status == "active"]
        return sorted(late, key=lambda loan: (loan.past_due_since, loan.loan_id))

    def active_promises(self) -> list[Promise]:
        """Those that stand, the next to be judged first."""
        active = [promise for promise in self.promises if promise.status == "active"]
        return sorted(active, key=lambda promise: (promise.judged_on, promise.promise_id))
