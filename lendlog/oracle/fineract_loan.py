"""A loan of a Fineract case: what has been sent to our ledger about it, and what our engine says of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lendlog.oracle import fineract_terms
from lendlog.oracle.fineract_terms import NotTranslated
from services.ledger.engine.delinquency import Delinquency, delinquency
from services.ledger.engine.facts import Fact
from services.ledger.engine.folding import booked_by
from services.ledger.engine.journal import Journal
from services.ledger.engine.lines import Statement, TransactionLine
from services.ledger.engine.payoff import Payoff, payoff
from services.ledger.engine.statement import statement
from services.ledger.fact_reading import facts_of
from shared.errors import InvariantBroken, Refusal
from shared.events.envelope import Envelope
from shared.events.ledger import Payment, PaymentReceived, PaymentReversed, Reversal
from shared.events.origination import Contract, Disbursement, LoanContracted, LoanDisbursed
from shared.events.servicing import EventUndone, Undoing
from shared.money import decimal_text, minor_units

REASON = "as in the case"
PRODUCT = "fineract@1"
SOURCE = "lendlog/oracle"


@dataclass(slots=True)
class Sent:
    """A transaction as Fineract lists it. `name`: its type there; `shown`, `booked`: our last line of it, and its
    entries, before it was undone; `channel`: its type of payment."""

    event: Envelope
    name: str
    on: date
    undone: bool = False
    shown: TransactionLine | None = None
    booked: Journal = field(default_factory=list)
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class SentCharge:
    """A charge, and how Fineract says its amount came about."""

    event_id: str
    slug: str
    due: date
    calculation: str


@dataclass(slots=True)
class Loan:
    """One loan, from its application on. Whatever is sent is kept, in the order of sending."""

    case_id: str
    params: Mapping[str, Any]
    principal: str
    submitted: date
    business_date: date
    first_due: date | None = None
    calculator: bool = False
    """The case is one of Fineract's instalment calculator alone: there are periods, and no loan around them."""
    gaps: bool = False
    """Its periods leave days out between them, so that their due dates are no dates of a loan."""
    pays_by_part: bool = False
    future: Mapping[str, str] = field(default_factory=dict)
    approved_on: date | None = None
    start_from_submission: bool = False
    fraud: bool = False
    stored: list[tuple[int, int, Envelope]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    charges: list[SentCharge] = field(default_factory=list)
    classified: Delinquency | None = None
    """Days and amounts of the last classification run, which give Fineract's ranges."""
    closed_on: date | None = None
    made: int = 0

    @property
    def currency(self) -> str:
        """Its currency's code."""
        return str(self.params["currency"])

    @property
    def advanced(self) -> bool:
        """Whether Fineract's advanced allocation uses its money."""
        return bool(self.params.get("strategy") == "ADVANCED_PAYMENT_ALLOCATION")

    def minor(self, text: object) -> int:
        """An amount of the case in minor units."""
        return minor_units(str(text), self.currency)

    # -- what is sent ------------------------------------------------------------------------------------------------

    def head(self, on: date | None = None) -> dict[str, Any]:
        """The envelope of the next event; its id follows from the case and the count of events before it."""
        self.made += 1
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.case_id}/{self.made}")),
            "source": SOURCE,
            "subject": self.case_id,
            "time": f"{self.business_date}T12:00:00Z",
            "effectivedate": on or self.business_date,
        }

    def send(self, event: Envelope, name: str | None = None) -> None:
        """Take an event in; `name`: it is a transaction in Fineract. Raises what the loan's rules forbid, and is then
        as it was before."""
        on = event.effectivedate or self.business_date
        self.stored.append((len(self.stored) + 1, on.toordinal(), event))
        if name:
            self.sent.append(Sent(event, name, on))
        try:
            self.statement()
        except (InvariantBroken, Refusal):
            self.stored.pop()
            if name:
                self.sent.pop()
            raise

    def disburse(self, amount: str, on: date, *, paid_out: bool) -> None:
        """Money out; with an automatic down payment, what falls due at once comes straight back.

        paid_out: False where the case shows the schedule of an application.
        """
        data = Disbursement(amount=amount, currency=self.currency)
        self.send(LoanDisbursed(**self.head(on), data=data), "Disbursement")
        if paid_out and self.params.get("down_payment_auto"):
            due = [one for one in self.statement().instalments if one.down_payment and one.due == on]
            if due and due[-1].outstanding:
                self.pay(decimal_text(due[-1].outstanding, self.currency), on, "Down Payment")

    def pay(self, amount: str, on: date, name: str = "Repayment", channel: str | None = None) -> None:
        """Money in."""
        data = Payment(amount=amount, currency=self.currency)
        self.send(PaymentReceived(**self.head(on), data=data), name)
        self.sent[-1].channel = channel

    def undo(self, target: Sent) -> None:
        """Take a transaction back: a payment by its reversal, anything else as a fact that never was."""
        shown = next((one for one in self.statement().transactions if one.event_id == target.event.id), None)
        booked = self.booked().get(target.event.id) or target.booked
        if isinstance(target.event, PaymentReceived):
            reversal = Reversal(payment_id=target.event.id, reason=REASON)
            self.send(PaymentReversed(**self.head(), data=reversal))
        else:
            undoing = Undoing(event_id=target.event.id, reason=REASON)
            self.send(EventUndone(**self.head(), data=undoing))
        target.shown, target.undone, target.booked = shown or target.shown, True, booked

    def undo_disbursals(self, *, last_only: bool) -> None:
        """Take back the disbursements, or the last, and every transaction after it."""
        live = [one for one in self.sent if not one.undone]
        first = [n for n, one in enumerate(live) if one.name == "Disbursement"]
        if not first:
            raise NotTranslated("There is no disbursement to undo.")
        for one in reversed(live[first[-1 if last_only else 0] :]):
            self.undo(one)

    # -- what our engine says ----------------------------------------------------------------------------------------

    def facts(self, extra: Sequence[Envelope] = ()) -> list[Fact]:
        """Our facts of the loan; `extra` events would come last."""
        more = [
            (len(self.stored) + 1 + n, (one.effectivedate or self.business_date).toordinal(), one)
            for n, one in enumerate(extra)
        ]
        contracted = (0, self.start().toordinal(), self._contract())
        return facts_of([contracted, *self.stored, *more], {})

    def statement(self, extra: Sequence[Envelope] = ()) -> Statement:
        """The account on the business date."""
        return statement(self.case_id, self.facts(extra), before=self.business_date.toordinal())

    def booked(self) -> dict[str, Journal]:
        """What each event that stands books, by its id."""
        return booked_by(self.case_id, self.facts(), before=self.business_date.toordinal())

    def expected_statement(self) -> Statement:
        """The account; before anything is paid out, as if all were paid out on the expected day."""
        if any(one.name == "Disbursement" and not one.undone for one in self.sent):
            return self.statement()
        made, data = self.made, Disbursement(amount=self.principal, currency=self.currency)
        planned = LoanDisbursed(**self.head(self.start()), data=data)
        self.made = made
        return self.statement([planned])

    def payoff(self, on: date, extra: Sequence[Envelope] = ()) -> Payoff:
        """What settles the loan on a day."""
        return payoff(self.case_id, self.facts(extra), on=on.toordinal())

    def delinquency(self, on: date) -> Delinquency:
        """The arrears on a day."""
        return delinquency(self.case_id, self.facts(), on=on.toordinal())

    def payable(self, due: date, on: date) -> tuple[int, int, int]:
        """What the instalment due on `due` asks for if it is paid on `on`, all before it having been paid in time:
        principal, interest, and the loan's principal before it.

        Its total stays; of it, interest is what a payoff on the day would ask for.
        """
        made, planned = self.made, []
        for line in self.statement().instalments:
            if line.due < due and line.outstanding:
                data = Payment(amount=decimal_text(line.outstanding, self.currency), currency=self.currency)
                planned.append(PaymentReceived(**self.head(min(line.due, on)), data=data))
        self.made = made
        lines = [one for one in self.statement(planned).instalments if one.due >= due]
        interest = self.payoff(on, planned).interest
        return lines[0].total - interest, interest, sum(one.principal for one in lines)

    def start(self) -> date:
        """The day the schedule counts from: of the first disbursement, or of what is expected until then."""
        paid_out = [one.on for one in self.sent if one.name == "Disbursement" and not one.undone]
        return min(paid_out, default=self.approved_on or self.submitted)

    def _contract(self) -> LoanContracted:
        """The contract, which for us names the first due date; Fineract counts it from the disbursement, so that it is
        concluded anew with the first one."""
        counted_from = self.params.get("first_period_start")
        start = date.fromisoformat(counted_from) if counted_from else self.start()
        if self.start_from_submission:
            start = self.submitted
        due = self.first_due or fineract_terms.instalment_day(
            start, self.params["repayment_every"], self.params["repayment_unit"]
        )
        terms = fineract_terms.terms(
            self.params, principal=self.principal, first_due=due, future=self.future, pays_by_part=self.pays_by_part
        )
        return LoanContracted(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.case_id}/0")),
            source=SOURCE,
            subject=self.case_id,
            time=f"{self.submitted}T12:00:00Z",
            effectivedate=self.submitted,
            data=Contract(borrower_id=self.case_id, product=PRODUCT, terms=terms),
        )
