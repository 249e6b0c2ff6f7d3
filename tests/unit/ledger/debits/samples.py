"""A house that collects by direct debit: the books in memory, runs and status reports as the desk plans them."""

from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

from services.ledger.bank.facts import Debit, Known
from services.ledger.bank.pain002 import read_pain002
from services.ledger.bank.pain_parts import Party
from services.ledger.commands.model import NoteDebit
from services.ledger.debits.desk import rejections
from services.ledger.debits.pain008 import amounts_of, direct_debits
from services.ledger.debits.planning import Asking, Skipped, plan
from services.ledger.debits.policy import debit_row
from services.ledger.debits.reading import claims_by
from services.ledger.debits.state import LoanDebits, Runs, fold_loan, fold_runs, run_id_of
from services.ledger.engine.account import ACTIVE
from shared.events import debits as events
from shared.events.debits import DIRECT_DEBITS, DebitItem, Mandate
from shared.events.envelope import Envelope
from shared.money import decimal_text, minor_units
from tests.unit.ledger.bank.samples import House

MADE_AT = "2024-02-28T09:00:00Z"
DEBTOR = Party("Ludmila Vesela", "CZ6508000000192000145399")


class DebitHouse(House):
    """Loans of 1,200.00 in twelve instalments of 100.00, due at month ends from 29 February 2024."""

    def __init__(self) -> None:
        self.log_of: list[tuple[Any, date]] = []
        super().__init__()

    def fold(self, event: Envelope) -> None:
        super().fold(event)
        day = self.books.hosted.book.open_day
        self.log_of.append((event, date.fromordinal(day) if day else date.min))

    def runs(self) -> Runs:
        return fold_runs(event for event, _ in self.log_of if event.subject == DIRECT_DEBITS)

    def debits(self) -> dict[str, LoanDebits]:
        subjects = {event.subject for event, _ in self.log_of}
        return {one: fold_loan((e, on) for e, on in self.log_of if e.subject == one) for one in subjects}

    def known(self) -> Known:
        items = self.runs().by_reference()
        return replace(
            super().known(),
            debits={
                name: Debit(name, item.loan_id, minor_units(item.amount, "EUR")) for name, (_, item) in items.items()
            },
        )

    def note(self, kind: type[Envelope], subject: str, data: Any, what: str, after: str | None = None) -> None:
        self.record(NoteDebit(kind, subject, data, self.id(what), after))

    def sign(self, loan_id: str, reference: str = "M-1", on: str = "2024-01-31") -> None:
        mandate = Mandate(reference=reference, signed_on=date.fromisoformat(on), scheme="CORE")
        self.note(events.MandateSigned, loan_id, mandate, f"sign{loan_id}{reference}")

    def say(self, kind: type[Envelope], loan_id: str, reference: str = "M-1") -> None:
        what = f"{kind.__name__}{loan_id}{reference}{len(self.log_of)}"
        self.note(kind, loan_id, events.MandateWord(reference=reference, reason="told"), what)

    def plan(self, on: str, hindered: dict[str, str] | None = None) -> tuple[list[DebitItem], list[Skipped]]:
        day, stopped = date.fromisoformat(on), hindered or {}
        loans = [
            Asking(loan.loan_id, loan.borrower_id or "", claims_by(loan, day), stopped.get(loan.loan_id))
            for loan in self.books.hosted.book.loans.values()
            if loan.status == ACTIVE
        ]
        return plan(loans, self.debits(), self.runs(), day, "EUR")

    def make(self, on: str) -> list[DebitItem]:
        """Make a run of the day, if there is something to collect; its items."""
        items, _ = self.plan(on)
        if not items:
            return []
        event_id = self.id(f"run{on}{len(self.log_of)}")
        data = events.DebitRun(
            run_id=run_id_of(event_id),
            account="main-eur",
            on=date.fromisoformat(on),
            currency="EUR",
            total=decimal_text(sum(amounts_of(items, "EUR")), "EUR"),
            digest=sha256(self.file(run_id_of(event_id), on, items)).hexdigest(),
            policy=debit_row(date.fromisoformat(on)).version,
            items=tuple(items),
        )
        self.record(NoteDebit(events.DebitRunMade, DIRECT_DEBITS, data, event_id, self.runs().last_event))
        return items

    def file(self, run_id: str, on: str, items: list[DebitItem]) -> bytes:
        known = self.debits()
        mandates = {item.loan_id: known[item.loan_id].mandates[item.mandate] for item in items}
        debtors = {item.loan_id: DEBTOR for item in items}
        return direct_debits(
            run_id,
            items,
            mandates,
            debtors,
            by=self.account.party(),
            creditor_id=self.account.creditor_id or "",
            currency="EUR",
            on=date.fromisoformat(on),
            made_at=MADE_AT,
        )

    def report(self, content: bytes) -> list[Envelope]:
        """Take in a status report, as the desk does."""
        report = read_pain002(content)
        return self.record(*rejections(report, self.runs().runs[report.message_id], self.debits()))

    def void(self, run_id: str) -> None:
        data = events.RunVoid(run_id=run_id, reason="not sent")
        self.note(events.DebitRunVoided, DIRECT_DEBITS, data, f"void{run_id}", self.runs().last_event)

    def reject(self, item: DebitItem, code: str) -> None:
        run, _ = self.runs().by_reference()[item.reference]
        data = events.Rejection(run_id=run.data.run_id, reference=item.reference, code=code)
        self.note(events.DebitRejected, item.loan_id, data, f"rejected{item.reference}")

    def settle(self, item: DebitItem) -> str:
        """The money comes in, as a statement's line says."""
        return self.pay(item.loan_id, item.amount, str(self.guards.open_date), item.reference)

    def give_back(self, item: DebitItem, code: str | None) -> None:
        from services.ledger.commands.model import ReversePayment

        payment = self.debits()[item.loan_id].collected[item.reference]
        event_id = self.id(f"back{item.reference}{payment}")
        self.record(ReversePayment(item.loan_id, payment, "returned by the bank", event_id, code))
