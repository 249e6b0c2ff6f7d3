"""The books of one partition: the ledger's fold over its log (D10). No clock, no I/O, no randomness.

What is not in memory is asked for by `needs` before an event is applied; the host (worker, replay, test) supplies it.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from services.ledger import messages
from services.ledger.book_rows import Rows
from services.ledger.engine import resets
from services.ledger.engine.account import GENERAL_NUMBER, INTEREST, UNKNOWN, AccrualGroup, Loan
from services.ledger.engine.accounts import ACCRUED_INTEREST, INTEREST_INCOME
from services.ledger.engine.accrual import earn, leave, move
from services.ledger.engine.claims import backdated_due, fall_due
from services.ledger.engine.entries import entry_lines, year_lines
from services.ledger.engine.facts import DisbursementFact, Fact, PaymentFact
from services.ledger.engine.folding import apply, begins_in_place, fold, in_place
from services.ledger.engine.journal import Journal, JournalLine, difference
from services.ledger.engine.methods import in_books
from services.ledger.engine.valued import valued_in_place
from services.ledger.fact_reading import fact_of, stored_facts, taken_back, without
from services.ledger.reading import PlainPayment, read_to_fold
from shared.errors import InvariantBroken
from shared.events.bank import SUBJECT, BankLineAssigned, BankStatementTaken
from shared.events.collections import PlanAgreed
from shared.events.debits import (
    DIRECT_DEBITS,
    DebitRejected,
    DebitRunMade,
    DebitRunVoided,
    MandateResumed,
    MandateRevoked,
    MandateSigned,
)
from shared.events.entries import (
    GENERAL_LEDGER,
    JournalEntryApproved,
    JournalEntryDeclined,
    JournalEntryProposed,
    PeriodClosed,
    YearClosed,
)
from shared.events.envelope import Attributes
from shared.events.ledger import (
    BookOpened,
    BusinessDateClosed,
    DeadLetterRetried,
    ParkedLoanReleased,
    PaymentReceived,
    PublishedRate,
    ReferenceRatePublished,
)
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.events.payment_files import PAYMENT_FILES, PaymentFileMade, PaymentFileVoided, PaymentStatusTaken
from shared.events.valuation import LoanValued
from shared.schedules.resets import Published
from shared.streams.intake import Origin
from shared.streams.ports import Message, Record
from shared.streams.unit import Parked

_date = lru_cache(maxsize=20_000)(date.fromordinal)
_ENTRIES = (JournalEntryApproved, JournalEntryProposed, JournalEntryDeclined, YearClosed)
_BANK = (BankStatementTaken, BankLineAssigned)
_RUNS = (DebitRunMade, DebitRunVoided)
_DEBITS = (*_RUNS, MandateSigned, MandateRevoked, MandateResumed, DebitRejected)
_FILES = (PaymentFileMade, PaymentFileVoided, PaymentStatusTaken)
_UNTOLD = (*_ENTRIES, *_BANK, *_DEBITS, *_FILES)
"""Kinds that move no figure of a loan, so that no reader has to hear of them."""
_NOTED = (*_UNTOLD, PlanAgreed)
"""Kinds that are kept with their subject and are no facts of a loan: no fold of one knows of them."""


class Book:
    """Loans in memory, the open date, the accrual groups; `rows` collects what the current transaction writes."""

    def __init__(self, partition: int, *, topics: messages.Topics) -> None:
        self.partition = partition
        self.topics = topics
        self.open_day: int | None = None
        self.open_from = date.min
        """The first date of the periods that are open; none was closed yet: the first of all dates."""
        self.loans: dict[str, Loan] = {}
        self.groups: dict[int, AccrualGroup] = {}
        self.histories: dict[str, list[Fact]] = {}
        self.rates: dict[str, Published] = {}
        self.at = -1
        """Offset of the record being folded: what a changed loan is as of."""
        self.rows = Rows()
        self.messages: list[Message] = []

    def begin(self, outgoing: list[Message]) -> Rows:
        """Start a transaction's rows; derived events go to `outgoing`."""
        self.rows = Rows()
        self.messages = outgoing
        return self.rows

    # What has to be in memory -------------------------------------------------------------------------------------

    def needs_history(self, event: Any) -> bool:
        """Whether applying this event re-folds a loan whose facts are not in memory."""
        loan = self.loans.get(event.subject)
        if loan is None or event.subject in self.histories:
            return False
        kind = type(event)
        if kind is PlainPayment or kind is PaymentReceived:
            if loan.refolds and loan.must_refold(self._effective(event)):
                return True
        elif kind is LoanContracted or kind in _NOTED:
            return False
        elif kind is LoanValued:
            return not valued_in_place(loan, self._effective(event))
        elif kind is not LoanDisbursed or not begins_in_place(loan) or self._is_past(self._effective(event)):
            return True
        if self.open_day is None:
            return False
        return 2 * self._effective(event) < loan.last_key

    def _effective(self, event: Any) -> int:
        """The value date of an event, as an ordinal: its own, else the open date."""
        return event.effectivedate.toordinal() if event.effectivedate else self.open_day or 0

    def _is_past(self, effective: int) -> bool:
        """Whether a value date is before the open one: instalments of money that went out then may have fallen due."""
        return self.open_day is not None and effective < self.open_day

    def add_history(self, loan_id: str, stored: Iterable[tuple[int, date, Record]]) -> None:
        """Facts of a loan from its accepted events in order of offset: (offset, effective date, record)."""
        self.histories[loan_id] = stored_facts(stored, self.rates)

    # Events of one loan -------------------------------------------------------------------------------------------

    def read(self, record: Record) -> Attributes:
        """The event of a record; see `services.ledger.reading`."""
        return read_to_fold(record)

    def apply(self, event: Any, origin: Origin) -> None:
        """Fold one event of a loan: journal, postings, state, derived event. InvariantBroken: nothing changed."""
        loan = self.loans.get(event.subject)
        if loan is None:
            messages.check_partition(event, self.partition, self.topics)
            loan = Loan(GENERAL_NUMBER if event.subject == GENERAL_LEDGER else origin.offset, event.subject)
        if loan.number < 0 and not isinstance(event, _ENTRIES):
            raise InvariantBroken(f"{event.type} for the general ledger, which is no loan")
        was_waiting = bool(loan.waiting)
        lines: Journal = []
        if type(event) is PlainPayment:
            fact: Fact | None = PaymentFact(event.id, origin.effective, origin.offset, event.amount, event.currency)
        else:
            fact = fact_of(event, origin.effective, origin.offset, self.rates)
        if fact is not None:
            lines = self._add(loan, fact)
        elif taken_back(event) is not None:
            lines = self._take_back(loan, event)
        elif isinstance(event, _NOTED):
            lines = self._note(loan, event, origin)
        else:
            raise InvariantBroken(f"{event.type} concerns no single loan")
        loan = self.loans[event.subject]
        assert self.open_day is not None
        move(loan, self.open_day, self.groups, self.rows.groups)
        if was_waiting or loan.waiting:
            self.rows.suspense.add(loan.loan_id)
        if type(event) in _UNTOLD:
            self._keep(loan, lines, origin)
        else:
            self._book(loan, lines, event, origin, "ledger.EntryPosted.v1")
        self._accept(origin, loan.number, _date(origin.effective), _date(self.open_day))

    def _accept(self, origin: Origin, number: int | None, effective: date, booked: date) -> None:
        row = (origin.offset, origin.event_id, number, effective, booked, origin.leaf, self.partition)
        self.rows.events.append(row)

    def _add(self, loan: Loan, fact: Fact) -> Journal:
        """Fold a fact in place, or anew where it must be; returns what is to be booked."""
        loan_id = loan.loan_id
        history = self.histories.get(loan_id)
        lines: Journal = []
        if in_place(loan, fact) and not (type(fact) is DisbursementFact and self._is_past(fact.effective)):
            apply(loan, fact, lines)
        else:
            if history is None:
                assert loan_id not in self.loans, "needs_history was not asked"
                history = []
            loan, lines = self._refold(loan, history, [*history, fact])
        if history is not None:
            history.append(fact)
        self.loans[loan_id] = loan
        return lines

    def _note(self, loan: Loan, event: Any, origin: Origin) -> Journal:
        """What is booked for something that is no fact of the loan: an approved entry's lines, those of the close of a
        year, of all else nothing."""
        assert self.open_day is not None
        if isinstance(event, _BANK):
            if loan.status != UNKNOWN or loan.loan_id != f"{SUBJECT}{event.data.account}":
                raise InvariantBroken(f"what the bank said of account {event.data.account}, on another subject")
        elif isinstance(event, _RUNS):
            if loan.status != UNKNOWN or loan.loan_id != DIRECT_DEBITS:
                raise InvariantBroken("a run of direct debits, on another subject")
        elif isinstance(event, _FILES):
            if loan.status != UNKNOWN or loan.loan_id != PAYMENT_FILES:
                raise InvariantBroken(f"{event.type} on another subject than {PAYMENT_FILES}")
        elif loan.status == UNKNOWN and loan.number >= 0:
            raise InvariantBroken(f"{event.type} for a loan that nothing is known of")
        lines: Journal = []
        if isinstance(event, JournalEntryApproved):
            lines = entry_lines(event.data, origin.effective, today=self.open_day, open_from=self.open_from)
        elif isinstance(event, YearClosed):
            if loan.number >= 0:
                raise InvariantBroken("the close of a year, on a loan")
            lines = year_lines(event.data, origin.effective, open_from=self.open_from)
        self.loans[loan.loan_id] = loan
        return lines

    def _take_back(self, loan: Loan, event: Any) -> Journal:
        """Fold the loan anew without the fact that `event` takes back."""
        if loan.status == UNKNOWN and loan.loan_id not in self.histories:
            raise InvariantBroken("a fact of a loan that nothing is known of is taken back")
        history = self.histories[loan.loan_id]
        left = without(history, event)
        loan, lines = self._refold(loan, history, left)
        self.histories[loan.loan_id] = left
        self.loans[loan.loan_id] = loan
        return lines

    def _refold(self, loan: Loan, before: Sequence[Fact], after: Sequence[Fact]) -> tuple[Loan, Journal]:
        """The loan folded anew from its facts, and the difference of the two journals (D12)."""
        assert self.open_day is not None
        _, old = fold(loan.number, loan.loan_id, before, before=loan.folded_to or self.open_day)
        folded, new = fold(loan.number, loan.loan_id, after, before=self.open_day)
        self._hand_over(loan, folded)
        return folded, difference(new, old)

    def _hand_over(self, loan: Loan, folded: Loan) -> None:
        """The loan as it is now takes the place of the loan as it was in the accrual groups."""
        assert self.open_day is not None
        folded.as_of = loan.as_of
        if _earning(loan) == _earning(folded):
            folded.accruing = loan.accruing
        else:
            leave(loan, self.open_day, self.groups, self.rows.groups)

    def _book(
        self,
        loan: Loan,
        lines: Journal,
        cause: Attributes,
        origin: Origin,
        derived: str,
        *,
        figures_on: int | None = None,
    ) -> None:
        """Postings, the changed loan and the derived event of one entry. `figures_on`: the date on which the account is
        told, after a closing the one that opens, since what fell due on the closed one is past due then."""
        assert self.open_day is not None
        self._keep(loan, lines, origin)
        day = self.open_day if figures_on is None else figures_on
        figures = messages.account(loan, day)
        self.rows.figures[loan.loan_id] = (loan, figures, day)
        self.messages.append(
            messages.entry(loan, figures, lines, cause, self.open_day, self.partition, self.topics, derived)
        )

    def _keep(self, loan: Loan, lines: Journal, origin: Origin) -> None:
        """Postings, and the loan as changed by this record."""
        loan.as_of = self.at
        self._file(loan)
        if lines:
            self._post(loan.number, lines, origin.offset)

    def _file(self, loan: Loan) -> None:
        """The loan's state is written, and filed under the date of its next action."""
        self.rows.loans[loan.loan_id] = loan
        if (action := loan.next_action()) is not None:
            self.rows.due.setdefault(action, {})[loan.number] = loan

    def _post(self, number: int, lines: Journal, offset: int) -> None:
        booked, partition, add = _date(self.open_day or 0), self.partition, self.rows.postings.append
        since = self.open_from
        for n, line in enumerate(lines):
            value, debit, credit = _date(line.effective), line.debit, line.credit
            add((number, offset, line.amount, value, booked, n, debit, credit, line.currency, partition, since))

    # Events of the whole partition --------------------------------------------------------------------------------

    def apply_to_book(self, event: Any, origin: Origin) -> None:
        """Opening, periods, published rates, releases and retries as such; a closing goes through `close` instead."""
        match event:
            case BookOpened():
                if self.open_day is not None:
                    raise InvariantBroken("the book is open already")
                self.open_day = day = event.data.business_date.toordinal()
                if day > 1:  # readers learn the open date as the day after the last that is closed
                    self.messages.extend(messages.date_closed(event, day - 1, self.partition, self.topics))
            case ReferenceRatePublished():
                self._publish(event.data, origin.offset)
            case ParkedLoanReleased() | DeadLetterRetried():
                pass
            case PeriodClosed():
                self._close_period(event.data.period_end)
                self.rows.periods.append((event.data.period_end, origin.offset))
            case _:
                raise InvariantBroken(f"{event.type} does not concern the whole book")
        today = _date(self.open_day) if self.open_day else date.min
        self._accept(origin, None, today, today)

    def _close_period(self, end: date) -> None:
        """What is booked from here on counts in a later period. Periods close in order, once their dates have ended."""
        if self.open_day is None:
            raise InvariantBroken("the book is not open")
        if end.toordinal() >= self.open_day:
            raise InvariantBroken(f"a period that ends on {end}, while {date.fromordinal(self.open_day)} is open")
        if end < self.open_from:
            raise InvariantBroken(f"a period that ends on {end}, while all before {self.open_from} is closed")
        self.open_from = end + timedelta(days=1)

    def _publish(self, data: PublishedRate, offset: int) -> None:
        """Take in a reference rate. Loans hear of it at their resets."""
        if self.open_day is None:
            raise InvariantBroken("the book is not open")
        if data.from_date.toordinal() < self.open_day:
            raise InvariantBroken(
                f"a rate of {data.index} from {data.from_date}, which is before the open date {_date(self.open_day)}"
            )
        self.rates[data.index] = {**self.rates.get(data.index, {}), data.from_date: data.annual_rate}
        self.rows.rates.append((data.index, data.from_date, data.annual_rate, offset))
        self.histories.clear()  # their contracts know only what was published before

    def check_closing(self, event: BusinessDateClosed) -> None:
        """A closing must be of the open date: every calendar day is one, none twice."""
        if self.open_day is None:
            raise InvariantBroken("the book is not open")
        if (day := event.data.business_date.toordinal()) != self.open_day:
            raise InvariantBroken(
                f"a closing of {event.data.business_date} while {date.fromordinal(self.open_day)} is open"
            )
        assert day == self.open_day

    def backdated_at_closing(self, loan: Loan) -> bool:
        """Whether the closing re-folds this loan, so that it needs the loan's facts."""
        assert self.open_day is not None
        return loan.loan_id not in self.histories and self._refolds_by_time(loan, self.open_day + 1)

    def close_loans(self, loans: Iterable[Loan], event: BusinessDateClosed, offset: int) -> None:
        """Let what is due on the date fall due in these loans, and their rates be reset, in the order given (by
        number)."""
        for loan in loans:
            self._let_time_pass(loan, event, Origin(offset, event.id, 0, b"", 0), closing=True)

    def _refolds_by_time(self, loan: Loan, before: int) -> bool:
        """Whether the loan must be folded anew for what falls due or is reset before `before`."""
        action = loan.next_action()
        if action is None or action >= before:
            return False
        return loan.must_refold(before) or backdated_due(loan, before) or resets.must_refold(loan, self.rates, before)

    def _let_time_pass(self, loan: Loan, cause: Attributes, origin: Origin, *, closing: bool) -> None:
        assert self.open_day is not None
        before = self.open_day + closing
        lines: Journal = []
        due = loan.next_due()
        fell = due is not None and due < before
        if self._refolds_by_time(loan, before):
            history, action = self.histories[loan.loan_id], loan.next_action()
            assert action is not None
            _, old = fold(loan.number, loan.loan_id, history, before=loan.folded_to or action)
            folded, new = fold(loan.number, loan.loan_id, history, before=before)
            self._hand_over(loan, folded)
            loan, lines = folded, difference(new, old)
            self.loans[loan.loan_id] = loan
        else:
            fall_due(loan, before, lines)
            if not resets.pass_in_place(loan, before) and not fell:
                return
            if loan.refolds:
                loan.folded_to = before
            if not fell:
                self._file(loan)
                return
            lines = in_books(loan, lines)
        move(loan, self.open_day, self.groups, self.rows.groups)
        derived = "ledger.InstalmentFellDue.v1" if fell else "ledger.EntryPosted.v1"
        self._book(loan, lines, cause, origin, derived, figures_on=before)

    def finish_closing(self, event: BusinessDateClosed, offset: int, leaf: bytes) -> None:
        """After its last loan: the groups earn the day, the next calendar day opens, readers hear of it."""
        assert self.open_day is not None
        day = self.open_day
        for number in sorted(self.groups, reverse=True):
            group = self.groups[number]
            if not group.numerator and not group.remainder:
                continue
            self.rows.groups.add(number)
            amount = earn(group)
            if amount > 0:
                line = JournalLine(ACCRUED_INTEREST, INTEREST_INCOME, amount, group.currency, day)
            elif amount < 0:
                line = JournalLine(INTEREST_INCOME, ACCRUED_INTEREST, -amount, group.currency, day)
            else:
                continue
            self._post(number, [line], offset)
        closed = _date(day)
        self._accept(Origin(offset, event.id, day, leaf, day), None, closed, closed)
        self.messages.extend(messages.date_closed(event, day, self.partition, self.topics))
        self.open_day = day + 1

    def catch_up(self, loan_id: str, cause: Attributes, origin: Origin) -> None:
        """What time did to a released loan while it was parked, booked today."""
        if (loan := self.loans.get(loan_id)) is not None:
            self._let_time_pass(loan, cause, origin, closing=False)

    # Messages the intake needs ------------------------------------------------------------------------------------

    def parked_message(self, parked: Parked, cause: Attributes) -> Message:
        """`ledger.LoanParked.v1`."""
        return messages.parking(
            parked, cause, self.loans.get(parked.loan_id), self.partition, self.topics, unparked=False
        )

    def unparked_message(self, parked: Parked, cause: Attributes) -> Message:
        """`ledger.LoanUnparked.v1`."""
        return messages.parking(
            parked, cause, self.loans.get(parked.loan_id), self.partition, self.topics, unparked=True
        )

    def dead_message(self, record: Record, reason: str) -> Message:
        """The dead letter on its own topic."""
        return messages.dead_letter(record, reason, self.topics)


def _earning(loan: Loan) -> tuple[Any, ...]:
    """All that the accrual groups count of a loan."""
    interest = loan.asked[INTEREST] if loan.asked else []
    return loan.start, loan.due, loan.down_payments, loan.additional, interest, loan.earns_until, loan.taken_over
