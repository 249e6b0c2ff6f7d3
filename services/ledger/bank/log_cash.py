"""What the log itself says of cash: each event's movement by its kind, without the books and without their fold."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.ledger.bank.facts import CashFact
from services.ledger.engine.accounts import CASH, NAMES
from services.ledger.fact_reading import taken_back
from services.ledger.reading import PlainPayment, read_to_fold
from shared.events import origination, servicing
from shared.events.entries import JournalEntryApproved
from shared.events.ledger import BookOpened, BusinessDateClosed, PaymentReceived
from shared.events.terms import Terms
from shared.money import code_of, minor_units
from shared.schedules.fees import upfront_fees
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record

CASH_NAME = NAMES[CASH]


class LogCash:
    """Adds up one partition's records in order. `facts`: by event id; `places`: the offset of each."""

    def __init__(self) -> None:
        self.facts: dict[str, CashFact] = {}
        self.places: dict[str, int] = {}
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
            if event.id in self.facts:
                continue
            if (moved := self._moved(event)) is not None:
                self.facts[event.id] = moved
                self.places[event.id] = record.offset

    def _moved(self, event: Any) -> CashFact | None:
        match event:
            case BookOpened():
                self._open = event.data.business_date
            case BusinessDateClosed():
                self._open = date.fromordinal(event.data.business_date.toordinal() + 1)
            case origination.LoanContracted():
                self._terms.setdefault(event.subject, event.data.terms)
            case _ if (gone := taken_back(event)) is not None:
                if (fact := self.facts.get(gone)) is not None:
                    return self._fact(event, fact.currency, -fact.amount, on=fact.on, reverses=gone)
            case _:
                return self._money(event)
        return None

    def _money(self, event: Any) -> CashFact | None:
        """The movement of an event that states money of its own; see the table in engine/postings.py."""
        match event:
            case PlainPayment():
                return self._fact(event, code_of(event.currency), event.amount)
            case PaymentReceived() | servicing.PrincipalPrepaid():
                return self._fact(event, event.data.currency, _minor(event.data))
            case servicing.CreditReceived() if event.data.kind not in ("goodwill-credit", "refinancing"):
                return self._fact(event, event.data.currency, _minor(event.data))
            case servicing.PaymentChargedBack() | servicing.CreditRefunded():
                return self._fact(event, event.data.currency, -_minor(event.data))
            case origination.LoanDisbursed():
                return self._fact(event, event.data.currency, -self._net(event))
            case JournalEntryApproved():
                return self._entry(event)
            case _:
                return None

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

    def _entry(self, event: JournalEntryApproved) -> CashFact | None:
        """What the cash lines of a manual entry move, in the currency of the first of them."""
        lines = [line for line in event.data.lines if CASH_NAME in (line.debit, line.credit)]
        if not lines:
            return None
        code = lines[0].currency
        moved = sum(_minor(line) * (1 if line.debit == CASH_NAME else -1) for line in lines if line.currency == code)
        return self._fact(event, code, moved)

    def _fact(
        self, event: Any, currency: str, amount: int, *, on: date | None = None, reverses: str | None = None
    ) -> CashFact | None:
        day = on or event.effectivedate or self._open
        return CashFact(event.id, event.subject, currency, amount, day, None, reverses) if day is not None else None


def _minor(data: Any) -> int:
    return minor_units(data.amount, data.currency)
