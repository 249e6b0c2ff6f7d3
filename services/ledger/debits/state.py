"""What is known of direct debits: folds of the events of runs, and of one loan, so that a replay gives it again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.ledger.debits.policy import debit_row
from services.ledger.fact_reading import taken_back
from shared.events.debits import (
    DebitItem,
    DebitRejected,
    DebitRun,
    DebitRunMade,
    DebitRunVoided,
    Mandate,
    MandateResumed,
    MandateRevoked,
    MandateSigned,
)
from shared.events.envelope import derived_event_id
from shared.events.ledger import PaymentReceived

PREFIX = "dd-"
"""What the reference of a debit begins with; the payment that it becomes has it, too."""


@dataclass(slots=True)
class Run:
    """A run, and why it was never sent, if it was not."""

    data: DebitRun
    voided: str | None = None

    def loans(self) -> set[str]:
        """The loans that it asks money of."""
        return {item.loan_id for item in self.data.items}


@dataclass(slots=True)
class Runs:
    """All runs by id, in order; `last_event` is the last event of any."""

    runs: dict[str, Run] = field(default_factory=dict)
    last_event: str | None = None

    def live(self) -> Iterator[tuple[Run, DebitItem]]:
        """The items of runs that were not voided, in order."""
        for run in self.runs.values():
            if run.voided is None:
                for item in run.data.items:
                    yield run, item

    def by_reference(self) -> dict[str, tuple[Run, DebitItem]]:
        """Every item with its run; of two by one reference (the first was voided) the later one."""
        return {item.reference: (run, item) for run in self.runs.values() for item in run.data.items}

    def attempts(self) -> dict[str, dict[date, list[tuple[Run, DebitItem]]]]:
        """By loan and due date, the attempts to collect that instalment, in order."""
        found: dict[str, dict[date, list[tuple[Run, DebitItem]]]] = {}
        for run, item in self.live():
            found.setdefault(item.loan_id, {}).setdefault(item.due, []).append((run, item))
        return found


def fold_runs(events: Iterable[Any]) -> Runs:
    """The runs after these events, in order; events of other kinds say nothing of them."""
    state = Runs()
    for event in events:
        match event:
            case DebitRunMade():
                state.runs[event.data.run_id] = Run(event.data)
            case DebitRunVoided() if (run := state.runs.get(event.data.run_id)) is not None:
                run.voided = event.data.reason
            case _:
                continue
        state.last_event = event.id
    return state


@dataclass(slots=True)
class Failure:
    """Why and when (by booking date) a debit failed. `returned`: money had come and went back. `renewed`: when somebody
    signed or resumed a mandate since."""

    reference: str
    on: date
    code: str | None
    returned: bool
    renewed: date | None = None


@dataclass(slots=True)
class LoanDebits:
    """What a loan's own events say of direct debits."""

    mandates: dict[str, Mandate] = field(default_factory=dict)
    """By reference, in the order of their signing; the last one counts."""
    revoked: dict[str, str] = field(default_factory=dict)
    """By reference, with the reason."""
    collected: dict[str, str] = field(default_factory=dict)
    """The payments that stand, by reference of the debit."""
    failures: dict[str, Failure] = field(default_factory=dict)
    """By reference."""

    @property
    def mandate(self) -> Mandate | None:
        """The mandate that counts, revoked or not."""
        return next(reversed(self.mandates.values()), None)

    def renew(self, on: date) -> None:
        """Whatever failed until now is known to a person, who says that debits go on."""
        for failure in self.failures.values():
            failure.renewed = failure.renewed or on


def fold_loan(events: Iterable[tuple[Any, date]]) -> LoanDebits:
    """What these events of one loan say, in order, each with its booking date."""
    state = LoanDebits()
    by_payment: dict[str, str] = {}
    for event, on in events:
        match event:
            case MandateSigned():
                state.mandates.pop(event.data.reference, None)
                state.mandates[event.data.reference] = event.data
                state.renew(on)
            case MandateRevoked():
                state.revoked[event.data.reference] = event.data.reason
            case MandateResumed():
                state.renew(on)
            case DebitRejected():
                said = event.data
                state.failures.setdefault(said.reference, Failure(said.reference, on, said.code, returned=False))
            case PaymentReceived() if (reference := event.data.reference or "").startswith(PREFIX):
                by_payment[event.id] = reference
                state.collected[reference] = event.id
            case _ if reference := by_payment.get(taken_back(event) or "", ""):
                if state.collected.get(reference) == taken_back(event):
                    del state.collected[reference]
                    code = getattr(event.data, "code", None)
                    state.failures[reference] = Failure(reference, on, code, returned=True)
            case _:
                pass
    return state


def suspended_by(debits: LoanDebits, items: dict[str, tuple[Run, DebitItem]]) -> Failure | None:
    """The failure that suspends the loan's mandate until somebody signs or resumes one, if any."""
    if (mandate := debits.mandate) is None:
        return None
    for failure in debits.failures.values():
        if failure.renewed is None and failure.code in debit_row(failure.on).suspended:
            of = items.get(failure.reference)
            if of is not None and of[1].mandate == mandate.reference:
                return failure
    return None


def reference_of(loan_id: str, due: date, attempt: int) -> str:
    """The end-to-end id of an attempt: the same whenever the run is made again."""
    return PREFIX + derived_event_id(f"debit:{due}:{attempt}", 0, loan_id, attempt).replace("-", "")


def run_id_of(event_id: str) -> str:
    """The id of the run that an event makes."""
    return "ddr-" + derived_event_id(event_id, 0, "-", 0).replace("-", "")[:16]


def group_of(run_id: str, item: DebitItem) -> str:
    """The payment information of the file in which the item stands: one for each scheme and sequence."""
    return f"{run_id}-{item.scheme}-{item.sequence}"


def mandate_event_id(loan_id: str, what: str) -> str:
    """The id of the event by which something is said of a loan's mandates: said twice, it is one event."""
    return derived_event_id(f"mandate:{what}", 0, loan_id, 0)
