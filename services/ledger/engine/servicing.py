"""A loan's whole life from its facts: what contract, disbursements, money and every agreed change do, in order.

`Servicing` folds facts one by one into a loan that it began itself, and remembers what a change needs and a compact
account does not hold: the terms, the money out, the changes before. Facts of most loans never come here: `folding`
applies them to the account in place, through the same functions.
"""

from datetime import date
from fractions import Fraction

from services.ledger.engine import changes, charges, endings, overdue, resets, taking_over
from services.ledger.engine.account import ACTIVE, ALWAYS, CONTRACTED, INTEREST, UNKNOWN, WRITTEN_OFF, Loan
from services.ledger.engine.accounts import (
    CASH,
    FROM_CASH,
    FROM_GOODWILL,
    FROM_SUSPENSE,
    LOANS_RECEIVABLE,
    OVERPAYMENT,
    RECOVERED,
    REFINANCING_CLEARING,
    SUSPENSE,
    Recovered,
    Source,
    source,
)
from services.ledger.engine.allocation import PAYMENT
from services.ledger.engine.claims import fall_due, receive
from services.ledger.engine.facts import (
    ContractFact,
    DisbursementFact,
    Fact,
    Happening,
    PaymentFact,
    ServicingFact,
    TakeOverFact,
    ValuationFact,
)
from services.ledger.engine.journal import Journal, JournalLine, post
from services.ledger.engine.lines import ResetLine
from services.ledger.engine.methods import recognise
from services.ledger.engine.opening import (
    book_money_out,
    check_lent,
    check_settled,
    conclude,
    disburse,
    in_minor_units,
    no_longer_waiting,
)
from services.ledger.engine.reuse import Move, count_goodwill, credit_principal
from services.ledger.engine.rows import Rows
from services.ledger.engine.trail import Trail
from services.ledger.engine.valued import release, value
from shared.errors import InvariantBroken
from shared.events import servicing as events
from shared.events.terms import Terms
from shared.money import code_of
from shared.schedules import PaidOut
from shared.schedules.model import Dated
from shared.schedules.resets import Published


class Servicing:
    """A loan being folded from its first fact on. `journal` grows; `trail` is what statements are made of."""

    def __init__(self, number: int, loan_id: str) -> None:
        self.loan = Loan(number, loan_id)
        self.journal: Journal = []
        self.trail = Trail()
        self.rows = Rows()
        self.terms: Terms | None = None
        self.paid_out: list[PaidOut] = []
        self.changes: list[Dated] = []
        self.received: list[tuple[date, int]] = []
        """Money in by date, for schedules that follow what is outstanding."""
        self.moves: list[Move] = []
        """Money in and out since the disbursement, in order: what is used anew when the claims change."""
        self.fixed: str | None = None
        """Why the instalments are no longer those of the terms, if so."""
        self.payments: dict[str, int] = {}
        """Payments that can be charged back: event id and what is left of it."""
        self.used_rights = {"due-date": 0, "grace": 0}
        """How often the borrower used a right to change the loan alone, by kind of change."""
        self.overdue: dict[tuple[str, int], Fraction] = {}
        """Penalty interest that has grown on each instalment, in minor units."""
        self.overdue_until = 0
        """The day up to which it has."""
        self.begun_by = ""
        """The event id of the first disbursement, or of the take-over."""
        self.names: dict[str, str] = {}
        """What charges are called, by event id."""
        self.credited: dict[str, int] = {}
        """What of charges was credited, by event id."""
        self.charged_off: Recovered | None = None
        """What a charge-off was debited to, once there was one."""
        self.goodwill = dict.fromkeys(FROM_GOODWILL, 0)
        """What goodwill credits have paid, by the account that was debited for it."""
        self.recognised = 0
        """Interest that is income already, under accrual-upfront accounting."""
        self.published: Published = {}
        """What was published of the reference rate."""
        self.next_reset = 0
        """The next reset date; 0: the loan follows no reference rate, or is not paid out."""
        self.resets: list[ResetLine] = []
        """The resets so far."""

    def fold(self, fact: Fact) -> None:
        """Fold the next fact. Raises InvariantBroken; the loan is then not to be used."""
        match fact:
            case PaymentFact():
                self._pay(fact)
            case ContractFact():
                conclude(self.loan, fact.contract)
                self.terms, self.published = fact.contract.terms, fact.published
            case DisbursementFact():
                self._disburse(fact)
            case TakeOverFact():
                taking_over.take_over(self, fact)
                self._use_what_waits(fact.effective)
            case ServicingFact():
                self._happen(fact)
            case ValuationFact():
                value(self.loan, fact, self.journal)
        if not isinstance(fact, ContractFact | ValuationFact):
            release(self.loan, fact.effective, self.journal)
            self.loan.last_key = max(self.loan.last_key, 2 * fact.effective)
            self.recognised = recognise(self.loan, self.recognised, fact.effective, self.journal)

    def pass_time(self, before: int) -> None:
        """Let what is due before the ordinal `before` fall due, interest follow what is overdue until then, and the
        rate be reset on the reset dates before it."""
        while 0 < self.next_reset < before:
            day = self.next_reset
            self._pass_until(day)
            resets.reset(self, day)
            self.recognised = recognise(self.loan, self.recognised, day, self.journal)
            self.next_reset = resets.following(self.loan, day)
        self._pass_until(before)

    def _pass_until(self, before: int) -> None:
        loan = self.loan
        fall_due(loan, before, self.journal)
        if self.terms is not None and self.terms.penalty is not None and loan.status == ACTIVE:
            overdue.grow(self, self.terms.penalty, before)
        if self._follows_what_is_outstanding():
            changes.redraw(self, before)
            self.recognised = recognise(loan, self.recognised, before, self.journal)
        release(loan, before, self.journal)

    def _follows_what_is_outstanding(self) -> bool:
        """Whether the instalments still change with money and time."""
        loan = self.loan
        return loan.refolds == ALWAYS and loan.status == ACTIVE and not loan.charged_off and self.fixed is None

    # Money --------------------------------------------------------------------------------------------------------

    def _pay(self, fact: PaymentFact) -> None:
        loan = self.loan
        if loan.status in (UNKNOWN, CONTRACTED) or fact.currency != loan.currency:
            loan.waiting.append((fact.offset, fact.event_id, fact.amount, fact.currency))
            self.journal.append(JournalLine(CASH, SUSPENSE, fact.amount, fact.currency, fact.effective))
        else:
            self.payments[fact.event_id] = fact.amount
            self.take_in(fact.event_id, PAYMENT, fact.amount, fact.effective, FROM_CASH)

    def take_in(
        self, event_id: str, kind: str, amount: int, day: int, source: Source, recovered: Recovered | None = None
    ) -> None:
        """Money comes in from `source`; after a charge-off it is credited to `recovered`, by default to recoveries."""
        loan = self.loan
        if self._follows_what_is_outstanding():
            self.received.append((date.fromordinal(day), amount))
            changes.redraw(self, day)
        charges.let_lapse(self, amount, day)
        written_off = loan.status == WRITTEN_OFF
        used = receive(loan, amount, day, source, self.journal, kind, self.rows, recovered or RECOVERED)
        if written_off:
            self.trail.recovered(event_id, day, amount)
        else:
            self.moves.append(Move(event_id, kind, day, amount))
            if source is FROM_GOODWILL:
                count_goodwill(self.goodwill, used)
            self.trail.money(event_id, kind, day, used)

    def _disburse(self, fact: DisbursementFact) -> None:
        loan, day = self.loan, fact.effective
        out = PaidOut(date.fromordinal(day), fact.amount)
        if loan.status == CONTRACTED:
            fees = disburse(loan, fact, self.journal)
            self.names.update({fee.charge_id: fee.name for fee in fees})
            self.recognised = sum(loan.asked[INTEREST]) if loan.accounting else 0
            self.rows.begin(loan)
            self.begun_by = fact.event_id
            self.next_reset = resets.following(loan, day)
            self.paid_out.append(out)
            self.trail.disbursed(fact.event_id, day, fact.amount)
            charges.withhold(self, fact.event_id, fact.amount, day, first=True, settles=fact.settles)
            self._use_what_waits(day)
            return
        if loan.status in (UNKNOWN, WRITTEN_OFF) or self.terms is None:
            raise InvariantBroken("a disbursement without a contract that stands")
        if fact.currency != loan.currency:
            raise InvariantBroken("a disbursement in another currency than the contract's")
        changes.must_follow_terms(self, "a disbursement")
        check_lent(self.terms, loan.principal, sum(one.amount for one in self.paid_out) + fact.amount)
        self.paid_out.append(out)
        check_settled(fact)
        book_money_out(fact, self.journal)
        self.trail.disbursed(fact.event_id, day, fact.amount)
        changes.redraw(self, day, paid_out=fact.amount)
        self.trail.covered(fact.event_id)
        charges.withhold(self, fact.event_id, fact.amount, day, first=False, settles=fact.settles)

    def _use_what_waits(self, day: int) -> None:
        """Payments that came before the loan ran are used once it does."""
        for _offset, event_id, amount, _currency in no_longer_waiting(self.loan):
            self.payments[event_id] = amount
            self.take_in(event_id, PAYMENT, amount, day, FROM_SUSPENSE)

    def _charge_back(self, fact: ServicingFact, data: events.Chargeback) -> None:
        amount = self.amount_of(data.amount, data.currency)
        left = self.payments.get(data.payment_id)
        if left is None:
            raise InvariantBroken(f"a chargeback of {data.payment_id}, which is no payment of this loan that stands")
        if amount > left:
            raise InvariantBroken("a chargeback of more than the payment")
        self.payments[data.payment_id] = left - amount
        self._owe_again(fact, "chargeback", amount)

    def _refund(self, fact: ServicingFact, data: events.Refund) -> None:
        self._owe_again(fact, "credit-refund", self.amount_of(data.amount, data.currency))

    def _owe_again(self, fact: ServicingFact, kind: str, amount: int) -> None:
        """Money goes out: first out of what was paid too much, the rest is principal that is owed again."""
        loan, day = self.loan, fact.effective
        if loan.status == WRITTEN_OFF:
            raise InvariantBroken(f"a {kind} of a loan that is written off")
        credit = min(loan.overpaid, amount)
        loan.overpaid -= credit
        owed = amount - credit
        post(self.journal, OVERPAYMENT, CASH, credit, loan.currency, day)
        claim = self.charged_off.principal if self.charged_off else LOANS_RECEIVABLE
        post(self.journal, claim, CASH, owed, loan.currency, day)
        if owed:
            credit_principal(self, day, amount, paid=credit, today=day)
        self.moves.append(Move(fact.event_id, kind, day, amount, out=True))
        self.trail.owed_again(fact.event_id, kind, day, owed, credit)

    # Everything else ----------------------------------------------------------------------------------------------

    def _happen(self, fact: ServicingFact) -> None:
        loan, day, data = self.loan, fact.effective, fact.data
        if loan.status in (UNKNOWN, CONTRACTED):
            raise InvariantBroken(f"{_NAME[type(data)]} before the loan was paid out")
        if loan.status == WRITTEN_OFF:
            raise InvariantBroken(f"{_NAME[type(data)]} after the loan was written off")
        match data:
            case events.Charge():
                charges.levy(self, fact.event_id, data, day)
            case events.Waiver():
                charges.waive(self, fact.event_id, data, day)
            case events.ChargeCredit():
                charges.adjust(self, fact.event_id, data, day)
            case events.Credit():
                if (data.kind == "refinancing") != (data.refinanced_by is not None):
                    raise InvariantBroken("a credit that is no refinancing, or does not say by which loan")
                amount = self.amount_of(data.amount, data.currency)
                recovered = None if data.kind == "goodwill-credit" else self.charged_off
                self.take_in(fact.event_id, data.kind, amount, day, _SOURCE.get(data.kind, FROM_CASH), recovered)
            case events.Chargeback():
                self._charge_back(fact, data)
            case events.Refund():
                self._refund(fact, data)
            case _:
                self._change(fact)

    def _change(self, fact: ServicingFact) -> None:
        loan, day, data = self.loan, fact.effective, fact.data
        match data:
            case events.ChargeOff():
                endings.charge_off(self, fact.event_id, data, day)
            case events.WriteOff():
                endings.write_off(self, fact.event_id, day)
            case events.Reschedule():
                changes.reschedule(self, data, day)
            case events.ReAge():
                changes.re_age(self, fact.event_id, data, day)
            case events.ReAmortise():
                changes.re_amortise(self, fact.event_id, day)
            case events.Prepayment():
                changes.prepay(self, fact.event_id, data, day)
            case events.Acceleration():
                changes.accelerate(self, fact.event_id, day)
            case events.Pause():
                _pause(loan, data)
            case events.Resume():
                _resume(loan, day)

    def amount_of(self, text: str, code: str) -> int:
        """An amount in the loan's currency, in minor units."""
        amount, number = in_minor_units(text, code)
        if number != self.loan.currency:
            raise InvariantBroken(f"an amount in {code}, the loan is in {code_of(self.loan.currency)}")
        return amount


def _pause(loan: Loan, data: events.Pause) -> None:
    start, end = data.start.toordinal(), data.end.toordinal()
    if end < start:
        raise InvariantBroken("a pause that ends before it starts")
    if any(start <= other_end and other_start <= end for other_start, other_end in loan.pauses):
        raise InvariantBroken("a pause that overlaps another")
    loan.pauses.append((start, end))
    loan.pauses.sort()


def _resume(loan: Loan, day: int) -> None:
    for k, (start, end) in enumerate(loan.pauses):
        if start <= day <= end:
            loan.pauses[k] = (start, day)
            return
    raise InvariantBroken("delinquency goes on, but it is not paused on that date")


_SOURCE = {"goodwill-credit": FROM_GOODWILL, "refinancing": source(REFINANCING_CLEARING)}
"""Where a credit's money comes from, if not from cash."""
_NAME: dict[type[Happening], str] = {
    events.Charge: "a charge",
    events.Waiver: "a waiver",
    events.ChargeCredit: "a charge adjustment",
    events.Credit: "a credit",
    events.Chargeback: "a chargeback",
    events.Refund: "a refund",
    events.ChargeOff: "a charge-off",
    events.WriteOff: "a write-off",
    events.Reschedule: "a reschedule",
    events.ReAge: "a re-age",
    events.ReAmortise: "a re-amortisation",
    events.Prepayment: "a prepayment",
    events.Acceleration: "an acceleration",
    events.Pause: "a pause",
    events.Resume: "a resumption",
}
