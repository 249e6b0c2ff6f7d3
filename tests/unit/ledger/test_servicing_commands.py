"""Servicing commands: what the guards refuse, what a trial on the books refuses, and what a preview shows of it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, get_args

import pytest

from services.ledger.api import servicing_bodies as bodies
from services.ledger.commands import model, refusals, standing_of
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.commands.servicing import EVENT_OF
from services.ledger.engine.account import Loan
from services.ledger.engine.facts import Fact, Happening
from services.ledger.explanation import RULES
from services.ledger.fact_reading import facts_of
from services.ledger.queries import Account, preview
from services.ledger.queries.loans import Stored
from services.ledger.queries.schedules import schedule_of_terms
from shared.errors import Refusal
from shared.events import servicing
from shared.events.envelope import Envelope, new_event_id
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.topics import LIFECYCLE

START, OPEN = date(2024, 1, 31), date(2024, 3, 10)
STAMP = Stamp("2024-03-10T10:00:00.000000Z")
TERMS = Terms(
    kind="equal-instalment",
    principal="1200.00",
    currency="EUR",
    annual_rate="0.12",
    instalments=12,
    first_due_date=date(2024, 2, 29),
)
CONTRACT = model.ConcludeContract("loan-1", Contract(borrower_id="b-1", product="micro@1", terms=TERMS), new_event_id())
PAID_OUT = model.Disburse("loan-1", "1200.00", "EUR", START, new_event_id())
PAYMENT = model.ReceivePayment("loan-1", "300.00", "EUR", START + timedelta(days=3), None, new_event_id())
FEE = servicing.Charge(part="fee", name="late-fee", amount="12.00", currency="EUR", due=date(2024, 3, 10))


def serve(data: Happening, on: date | None = None) -> model.ServiceLoan:
    return model.ServiceLoan("loan-1", data, on, new_event_id())


class Books:
    """Guards and facts after commands that were all booked."""

    def __init__(self, *commands: model.Command) -> None:
        self.guards = Guards(OPEN)
        self.events: list[Envelope] = []
        for command in commands:
            self.book(command)

    def event(self, command: model.Command) -> Envelope:
        return decide(command, self.guards, partitions=1, stamp=STAMP)[0]

    def book(self, command: model.Command) -> None:
        self.events.append(self.event(command))
        evolve(command, self.guards)

    @property
    def facts(self) -> list[Fact]:
        dated = [(n, (event.effectivedate or OPEN).toordinal(), event) for n, event in enumerate(self.events)]
        return facts_of(dated, {})

    def preview(self, command: model.LoanCommand) -> dict[str, Any]:
        event = self.event(command)
        stored = Stored(0, OPEN.toordinal(), None, Loan(0, "loan-1"), None)
        return preview(Account("loan-1", stored, self.facts), event, event.effectivedate or OPEN)


def test_every_kind_of_fact_has_its_event_and_every_event_of_the_log_a_rule() -> None:
    assert EVENT_OF.keys() == set(get_args(Happening))
    assert all(event.model_fields["data"].annotation is data for data, event in EVENT_OF.items())
    assert RULES.keys() == LIFECYCLE.writers.keys()


BODIES = {
    servicing.Charge: bodies.NewCharge,
    servicing.Waiver: bodies.Why,
    servicing.ChargeCredit: bodies.NewAdjustment,
    servicing.Credit: bodies.NewCredit,
    servicing.Chargeback: bodies.Money,
    servicing.Refund: bodies.Money,
    servicing.ChargeOff: bodies.NewChargeOff,
    servicing.WriteOff: bodies.Why,
    servicing.Reschedule: bodies.NewReschedule,
    servicing.ReAge: bodies.NewReAge,
    servicing.ReAmortise: bodies.Why,
    servicing.Prepayment: bodies.NewPrepayment,
    servicing.Acceleration: bodies.Why,
    servicing.Pause: bodies.NewPause,
    servicing.Resume: bodies.Why,
}


@pytest.mark.parametrize("data", get_args(Happening), ids=lambda data: data.__name__)
def test_a_request_can_say_all_that_its_event_can(data: type[Happening]) -> None:
    in_path = {"charge_id", "payment_id", "refinanced_by"}  # the last one by a route of its own
    asked = BODIES[data].model_fields
    assert asked.keys() - {"effective_date"} == data.model_fields.keys() - in_path
    for name in asked.keys() - {"effective_date"}:
        assert asked[name].is_required() == data.model_fields[name].is_required(), name
        assert asked[name].default == data.model_fields[name].default, name


def test_a_request_can_ask_for_every_change_of_a_reschedule() -> None:
    changes = get_args(get_args(servicing.Change)[0])
    asked = get_args(get_args(bodies.NewChange)[0])
    assert {one.__base__ for one in asked} == set(changes)


@pytest.mark.parametrize(
    ("booked", "refusal"),
    [((), refusals.LoanNotContracted), ((CONTRACT,), refusals.LoanNotDisbursed)],
    ids=["unknown", "contracted"],
)
def test_only_a_loan_that_is_paid_out_is_serviced(booked: Sequence[model.Command], refusal: type[Refusal]) -> None:
    books = Books(*booked)
    for command in (serve(FEE), model.UndoEvent("loan-1", PAID_OUT.event_id, "typo", new_event_id())):
        with pytest.raises(refusal):
            books.event(command)


@pytest.mark.parametrize(
    ("command", "refusal", "field"),
    [
        (serve(FEE, OPEN + timedelta(days=1)), refusals.ValueDateAhead, "effective_date"),
        (serve(FEE, START - timedelta(days=1)), refusals.BeforeDisbursement, "effective_date"),
        (serve(FEE.model_copy(update={"currency": "USD"})), refusals.OtherCurrency, "currency"),
        (serve(FEE.model_copy(update={"amount": "0.00"})), refusals.AmountZero, "amount"),
        (serve(servicing.Refund(amount="1", currency="USD")), refusals.OtherCurrency, "currency"),
        (
            serve(servicing.Chargeback(payment_id=new_event_id(), amount="1", currency="EUR")),
            refusals.UnknownPayment,
            "payment_id",
        ),
    ],
)
def test_what_can_be_told_without_the_books_is_refused_by_field(
    command: model.Command, refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        Books(CONTRACT, PAID_OUT, PAYMENT).event(command)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "data",
    [
        servicing.Waiver(charge_id=new_event_id(), reason="x"),
        servicing.Chargeback(payment_id=PAYMENT.event_id, amount="300.01", currency="EUR"),
        servicing.Reschedule(changes=(servicing.RateChanged(from_due=OPEN, annual_rate="0.1"),), reason="x"),
        servicing.ReAge(first_due=date(2024, 3, 1), instalments=3, reason="x"),
        servicing.Pause(start=OPEN, end=START),
        servicing.Resume(reason="x"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_a_trial_refuses_what_breaks_a_rule_of_the_loan(data: Happening) -> None:
    books = Books(CONTRACT, PAID_OUT, PAYMENT)
    with pytest.raises(refusals.BreaksRule, match=r"^A |^Delinquency"):
        books.preview(serve(data))


def test_a_preview_shows_the_loan_before_and_after_and_what_would_be_booked() -> None:
    books = Books(CONTRACT, PAID_OUT)
    seen = books.preview(command := serve(FEE))
    assert seen["difference"]["entries"] == [
        {
            "debit": "fees-receivable",
            "credit": "fee-income",
            "amount": "12.00",
            "currency": "EUR",
            "effective_date": "2024-03-10",
        }
    ]
    assert seen["difference"]["outstanding"] == "12.00"
    (changed,) = seen["difference"]["instalments"]
    assert (changed["due_date"], changed["before"]["fees"], changed["after"]["fees"]) == ("2024-03-29", "0.00", "12.00")
    assert seen["event"]["type"] == "ledger.ChargeLevied.v1"
    books.book(command)
    (charge,) = seen["after"]["statement"]["charges"]
    assert charge["charge_id"] is None
    charge["charge_id"] = command.event_id
    assert books.preview(serve(servicing.WriteOff(reason="x")))["before"] == seen["after"]


def test_a_parked_loan_is_not_tried_out() -> None:
    books = Books(CONTRACT, PAID_OUT)
    parked = {"first_offset": 7, "since": "2024-03-01"}
    account = Account("loan-1", Stored(0, OPEN.toordinal(), None, Loan(0, "loan-1"), parked), books.facts)
    with pytest.raises(refusals.LoanIsParked):
        preview(account, books.event(serve(FEE)), OPEN)


def test_an_undoing_previews_as_the_loan_without_the_fact() -> None:
    books = Books(CONTRACT, PAID_OUT, PAYMENT)
    plain = books.preview(serve(FEE))["before"]
    books.book(charge := serve(FEE))
    undoing = model.UndoEvent("loan-1", charge.event_id, "typo", new_event_id())
    assert books.preview(undoing)["after"] == plain
    books.book(undoing)
    with pytest.raises(refusals.BreaksRule):
        books.preview(model.UndoEvent("loan-1", charge.event_id, "again", new_event_id()))


def test_an_undone_payment_is_not_taken_back_again() -> None:
    books = Books(CONTRACT, PAID_OUT, PAYMENT)
    books.book(model.UndoEvent("loan-1", PAYMENT.event_id, "typo", new_event_id()))
    for again in (
        model.UndoEvent("loan-1", PAYMENT.event_id, "typo", new_event_id()),
        model.ReversePayment("loan-1", PAYMENT.event_id, "typo", new_event_id()),
        serve(servicing.Chargeback(payment_id=PAYMENT.event_id, amount="1", currency="EUR")),
    ):
        with pytest.raises(refusals.PaymentAlreadyReversed):
            books.event(again)


def test_money_out_that_is_undone_can_be_paid_out_again() -> None:
    books = Books(CONTRACT, PAID_OUT)
    books.book(model.UndoEvent("loan-1", PAID_OUT.event_id, "returned", new_event_id()))
    with pytest.raises(refusals.LoanNotDisbursed):
        books.event(serve(FEE))
    books.event(model.Disburse("loan-1", "1200.00", "EUR", START, new_event_id()))


def test_a_loan_that_another_service_contracted_is_serviced_as_the_books_have_it() -> None:
    books = Books(CONTRACT, PAID_OUT, PAYMENT)
    elsewhere = Guards(OPEN)
    standing_of(books.facts).add_to(elsewhere, "loan-1")
    chargeback = serve(servicing.Chargeback(payment_id=PAYMENT.event_id, amount="1", currency="EUR"))
    for command in (serve(FEE), chargeback):
        decide(command, elsewhere, partitions=1, stamp=STAMP)
        evolve(command, elsewhere)
    assert elsewhere.loans == {}
    assert standing_of(books.facts).loan == books.guards.loan("loan-1")


def test_terms_give_a_schedule_that_repays_them() -> None:
    made = schedule_of_terms(TERMS, disbursed_on=START)
    assert (made["principal"], made["instalments"][-1]["balance"]) == ("1200.00", "0.00")
    with pytest.raises(Refusal) as refused:
        schedule_of_terms(TERMS, disbursed_on=OPEN)
    assert refused.value.field == "disbursed_on"
