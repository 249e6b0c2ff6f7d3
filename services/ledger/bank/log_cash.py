"""What the log itself says of cash: each event's movement by its kind, without the books and without their fold."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.ledger.bank.facts import CashFact
from services.ledger.engine.accounts import CASH, NAMES
from services.ledger.engine.methods import METHODS, NONE
from services.ledger.fact_reading import taken_back
from services.ledger.reading import PlainPayment, read_to_fold
from shared.events import origination, servicing
from shared.events.entries import JournalEntryApproved
from shared.events.ledger import BookOpened, BusinessDateClosed, PaymentReceived
from shared.events.take_over import LoanTakenOver
from shared.events.terms import Terms
from shared.money import code_of, minor_units
from shared.schedules.fees import upfront_fees
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record

CASH_NAME = NAMES[CASH]


@dataclass(slots=True)
class Unbooked:
    """A loan of accounting method `none`: of its cash the books have only what waits in suspense. `began`: what paid it
    out or took it over, by event id, with the event that took that back."""

    currency: str
    began: dict[str, str | None] = field(default_factory=dict)

    def runs(self, aside: Collection[str]) -> bool:
        """Whether it has begun for the books, which hold back the events `aside`."""
        return any(
            event_id not in aside and (undone is None or undone in aside) for event_id, undone in self.began.items()
        )


class LogCash:
    """Adds up one partition's records in order. `facts`: by event id, one for each currency; `places`: the offset of
    each; `unbooked`: the loans of which no cash is booked."""

    def __init__(self) -> None:
        self.facts: dict[str, tuple[CashFact, ...]] = {}
        self.places: dict[str, int] = {}
        self.unbooked: dict[str, Unbooked] = {}
        self._open: date | None = None
        self._terms: dict[str, Terms] = {}
        self._paid_out: set[str] = set()

    def take(self, records: Iterable[Record]) -> None:
        """The next records; one that can't be read moves nothing, and one that comes again nothing more."""
        for record in records:
            try:
                event: Any = read_to_fold(record)
            except (Unreadable, NotUnderstood):
                continue
            self.add(event, record.offset)

    def add(self, event: Any, offset: int, on: date | None = None) -> None:
        """The next event; `on`: its value date, where that is known otherwise."""
        if event.id not in self.facts and (moved := self._moved(event, on or event.effectivedate)):
            self.facts[event.id] = moved
            self.places[event.id] = offset

    def _moved(self, event: Any, on: date | None) -> tuple[CashFact, ...]:
        match event:
            case BookOpened():
                self._open = event.data.business_date
            case BusinessDateClosed():
                self._open = date.fromordinal(event.data.business_date.toordinal() + 1)
            case origination.LoanContracted():
                self._terms.setdefault(event.subject, event.data.terms)
                if METHODS[event.data.terms.accounting] == NONE:
                    self.unbooked.setdefault(event.subject, Unbooked(event.data.terms.currency))
            case _ if (gone := taken_back(event)) is not None:
                if (loan := self.unbooked.get(event.subject)) is not None and gone in loan.began:
                    loan.began[gone] = event.id
                return tuple(
                    CashFact(event.id, event.subject, one.currency, -one.amount, one.on, None, gone)
                    for one in self.facts.get(gone, ())
                )
            case _:
                if isinstance(event, origination.LoanDisbursed | LoanTakenOver) and event.subject in self.unbooked:
                    self.unbooked[event.subject].began[event.id] = None
                if (day := on or self._open) is not None:
                    return tuple(self._facts(event, day))
        return ()

    def _facts(self, event: Any, on: date) -> Iterable[CashFact]:
        said = getattr(getattr(event, "data", None), "reference", None)
        manual = isinstance(event, JournalEntryApproved)
        for code, amount in self._money(event).items():
            yield CashFact(event.id, event.subject, code, amount, on, said, None, manual)

    def _money(self, event: Any) -> dict[str, int]:
        """The movement of an event that states money of its own, by currency; see the table in engine/postings.py."""
        match event:
            case PlainPayment():
                return {code_of(event.currency): event.amount}
            case PaymentReceived() | servicing.PrincipalPrepaid():
                return {event.data.currency: _minor(event.data)}
            case servicing.CreditReceived() if event.data.kind not in ("goodwill-credit", "refinancing"):
                return {event.data.currency: _minor(event.data)}
            case servicing.PaymentChargedBack() | servicing.CreditRefunded():
                return {event.data.currency: -_minor(event.data)}
            case origination.LoanDisbursed():
                return {event.data.currency: -self._net(event)}
            case JournalEntryApproved():
                return _of_entry(event)
            case _:
                return {}

    def _net(self, event: origination.LoanDisbursed) -> int:
        """What leaves at a disbursement: the amount without what pays off another loan, and without the fees that are
        withheld of it."""
        amount, terms, settles = _minor(event.data), self._terms.get(event.subject), event.data.settles
        settled = minor_units(settles.amount, event.data.currency) if settles is not None else 0
        if terms is None:
            return amount - settled
        first = event.subject not in self._paid_out
        self._paid_out.add(event.subject)
        return amount - settled - sum(fee for _, fee in upfront_fees(terms, amount, first=first))


def _of_entry(event: JournalEntryApproved) -> dict[str, int]:
    """What the cash lines of a manual entry move, in each of their currencies."""
    found: dict[str, int] = {}
    for line in event.data.lines:
        if CASH_NAME in (line.debit, line.credit):
            sign = 1 if line.debit == CASH_NAME else -1
            found[line.currency] = found.get(line.currency, 0) + sign * _minor(line)
    return found


def _minor(data: Any) -> int:
    return minor_units(data.amount, data.currency)
