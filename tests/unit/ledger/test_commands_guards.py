"""What a command may ask: each refusal has its rule, and money facts are not refused for what the loan is."""

from datetime import date, timedelta

import pytest

from services.ledger.commands import model, refusals
from services.ledger.commands.guards import (
    Contracted,
    Disbursed,
    Guards,
    MoneyOut,
    NotContracted,
    Stamp,
    aggregate_of,
    decide,
    evolve,
    loan_from_json,
    loan_to_json,
)
from shared.errors import Refusal
from shared.events import servicing
from shared.events.envelope import Envelope, new_event_id
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.money import TooManyDecimals, UnknownCurrency
from shared.schedules import FirstDueNotAfterDisbursement, UnschedulableTerms
from shared.topics import lifecycle_events

OPEN = date(2024, 1, 31)
STAMP = Stamp("2024-01-31T10:00:00.000000Z", "request-1")


def terms(**changes: object) -> Terms:
    given = {
        "kind": "equal-instalment",
        "principal": "1200.00",
        "currency": "EUR",
        "annual_rate": "0.12",
        "instalments": 12,
        "first_due_date": date(2024, 2, 29),
    }
    return Terms.model_validate(given | changes)


def contract(**changes: object) -> model.ConcludeContract:
    agreed = Contract(borrower_id="b-1", product="micro@1", terms=terms(**changes))
    return model.ConcludeContract("loan-1", agreed, new_event_id())


def disburse(amount: str = "1200.00", currency: str = "EUR", on: date | None = None) -> model.Disburse:
    return model.Disburse("loan-1", amount, currency, on, new_event_id())


def payment(amount: str = "10.00", currency: str = "EUR", on: date | None = None) -> model.ReceivePayment:
    return model.ReceivePayment("loan-1", amount, currency, on, "stmt/7", new_event_id())


def after(*commands: model.Command) -> Guards:
    guards = Guards(OPEN)
    for command in commands:
        decide(command, guards, partitions=4, stamp=STAMP)
        evolve(command, guards)
    return guards


def event_of(command: model.Command, guards: Guards) -> Envelope:
    return decide(command, guards, partitions=4, stamp=STAMP)[0]


@pytest.mark.parametrize(
    "command",
    [
        model.CloseDate(OPEN, new_event_id()),
        model.RetryDeadLetter(0, 1, None, "mended", new_event_id()),
        model.ReleaseLoan("loan-1", 7, "broken", "mended", new_event_id()),
        model.ReversePayment("loan-1", new_event_id(), "returned", new_event_id()),
        model.ServiceLoan("loan-1", servicing.WriteOff(reason="lost"), None, new_event_id()),
        model.UndoEvent("loan-1", new_event_id(), "typo", new_event_id()),
        contract(),
        disburse(),
        payment(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_is_recorded_before_the_book_is_open(command: model.Command) -> None:
    with pytest.raises(refusals.BookNotOpen):
        event_of(command, Guards())


def test_the_book_opens_once() -> None:
    opening = model.OpenBook(OPEN, new_event_id())
    event_of(opening, Guards())
    with pytest.raises(refusals.BookAlreadyOpen):
        event_of(opening, Guards(OPEN))


def test_only_the_open_date_is_closed_and_the_next_day_opens() -> None:
    for other in (OPEN - timedelta(days=1), OPEN + timedelta(days=1)):
        with pytest.raises(refusals.DateNotOpen):
            event_of(model.CloseDate(other, new_event_id()), Guards(OPEN))
    assert after(model.CloseDate(OPEN, new_event_id())).open_date == OPEN + timedelta(days=1)


def test_the_calendar_concerns_every_partition_and_a_retry_the_dead_letters_own() -> None:
    assert decide(model.OpenBook(OPEN, new_event_id()), Guards(), partitions=3, stamp=STAMP)[1] == (0, 1, 2)
    assert decide(model.CloseDate(OPEN, new_event_id()), Guards(OPEN), partitions=3, stamp=STAMP)[1] == (0, 1, 2)
    retry = model.RetryDeadLetter(2, 5, None, "mended", new_event_id())
    event, partitions = decide(retry, Guards(OPEN), partitions=3, stamp=STAMP)
    assert partitions == (2,)
    assert event.subject == "book"
    with pytest.raises(refusals.UnknownPartition):
        decide(model.RetryDeadLetter(3, 5, None, "mended", new_event_id()), Guards(OPEN), partitions=3, stamp=STAMP)


@pytest.mark.parametrize(
    ("changes", "refusal", "field"),
    [
        ({"currency": "ZZZ"}, UnknownCurrency, "terms/currency"),
        ({"principal": "1200.001"}, TooManyDecimals, "terms/principal"),
        ({"principal": "0"}, refusals.AmountZero, "terms/principal"),
        ({"arrears_materiality": "0.001"}, TooManyDecimals, "terms/arrears_materiality"),
        ({"principal": "0.02"}, UnschedulableTerms, "terms/principal"),
        ({"every": 366, "instalments": 600}, UnschedulableTerms, "terms/instalments"),
    ],
)
def test_a_contract_needs_terms_that_give_a_schedule(
    changes: dict[str, object], refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        event_of(contract(**changes), Guards(OPEN))
    assert refused.value.field == field


def test_a_loan_is_contracted_once() -> None:
    with pytest.raises(refusals.LoanAlreadyContracted):
        event_of(contract(), after(contract()))


def test_a_loan_is_paid_out_after_its_contract_in_parts_up_to_its_amount() -> None:
    with pytest.raises(refusals.LoanNotContracted):
        event_of(disburse(), Guards(OPEN))
    contracted = after(contract())
    event_of(disburse("1200"), contracted)
    for refusal, other in (
        (refusals.AboveContract, disburse("1200.01")),
        (refusals.OtherCurrency, disburse(currency="USD")),
    ):
        with pytest.raises(refusal):
            event_of(other, contracted)
    part = after(contract(), disburse("800.00"))
    event_of(disburse("400.00"), part)
    with pytest.raises(refusals.AboveContract, match=r"^400\.00 EUR can still be paid out\.$"):
        event_of(disburse("400.01"), part)
    event_of(disburse("520.00"), after(contract(over_applied="0.1"), disburse("800.00")))


def test_a_part_that_gives_no_schedule_is_not_paid_out() -> None:
    with pytest.raises(UnschedulableTerms) as refused:
        event_of(disburse("0.02"), after(contract()))
    assert refused.value.field == "amount"


def test_the_first_due_date_follows_the_disbursement() -> None:
    guards = after(contract(first_due_date=OPEN))
    with pytest.raises(FirstDueNotAfterDisbursement) as refused:
        event_of(disburse(), guards)
    assert refused.value.field == "effective_date"
    event_of(disburse(on=OPEN - timedelta(days=1)), guards)


@pytest.mark.parametrize(
    "known", [(), (contract(),), (contract(), disburse())], ids=["unknown", "contracted", "paid out"]
)
@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY"])
def test_a_payment_is_never_refused_for_what_the_loan_is(known: tuple[model.Command, ...], currency: str) -> None:
    event = event_of(payment("10", currency), after(*known))
    assert event.type == "ledger.PaymentReceived.v1"


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (payment("0.00"), refusals.AmountZero),
        (payment("0.001"), TooManyDecimals),
        (payment("1", "XXX"), UnknownCurrency),
        (payment(on=OPEN + timedelta(days=1)), refusals.ValueDateAhead),
        (disburse(on=OPEN + timedelta(days=1)), refusals.ValueDateAhead),
    ],
)
def test_an_amount_is_positive_in_a_known_currency_and_not_of_the_future(
    command: model.Command, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        event_of(command, after(contract()))


def test_a_payment_is_reversed_once_and_only_for_its_own_loan() -> None:
    received = payment()
    guards = after(received)
    reversal = model.ReversePayment("loan-1", received.event_id, "returned", new_event_id())
    for loan_id, payment_id in (("loan-2", received.event_id), ("loan-1", new_event_id())):
        with pytest.raises(refusals.UnknownPayment):
            event_of(model.ReversePayment(loan_id, payment_id, "returned", new_event_id()), guards)
    event_of(reversal, guards)
    evolve(reversal, guards)
    with pytest.raises(refusals.PaymentAlreadyReversed):
        event_of(model.ReversePayment("loan-1", received.event_id, "again", new_event_id()), guards)


def test_every_event_is_one_of_the_logs_and_names_its_cause_of_order() -> None:
    received = payment(on=OPEN - timedelta(days=3))
    guards = after(contract(), disburse(), received)
    commands: list[model.Command] = [
        model.CloseDate(OPEN, new_event_id()),
        model.RetryDeadLetter(0, 1, new_event_id(), "settled by hand", new_event_id()),
        model.ReleaseLoan("loan-1", 7, "broken", "mended", new_event_id()),
        model.ReversePayment("loan-1", received.event_id, "returned", new_event_id()),
        payment(on=OPEN - timedelta(days=3)),
    ]
    for command in commands:
        event = event_of(command, guards)
        assert lifecycle_events.validate_json(event.to_json()) == event
        assert event.id == command.event_id
        assert event.subject == aggregate_of(command)
        assert (event.source, event.time, event.correlationid) == ("/ledger/api", STAMP.time, "request-1")
    assert event.effectivedate == OPEN - timedelta(days=3)


DISBURSED = Disbursed("b-1", terms(), (MoneyOut(new_event_id(), OPEN, 80_000), MoneyOut(new_event_id(), OPEN, 100)))


@pytest.mark.parametrize("state", [NotContracted(), Contracted("b-1", terms()), DISBURSED])
def test_a_loans_guarding_state_survives_its_json(state: NotContracted | Contracted | Disbursed) -> None:
    assert loan_from_json(loan_to_json(state)) == state


def test_a_loan_that_was_paid_out_whole_is_read_as_it_was_kept_then() -> None:
    kept = {"borrower_id": "b-1", "terms": terms().model_dump(mode="json"), "disbursed": "2024-01-31"}
    assert loan_from_json(kept) == Disbursed("b-1", terms(), (MoneyOut("", OPEN, 120_000),))


def test_a_reference_rate_goes_to_every_partition_and_begins_no_earlier_than_the_open_date() -> None:
    given = ("CN-LPR-1Y", OPEN, "0.0300")
    event, partitions = decide(model.PublishRate(*given, new_event_id()), Guards(OPEN), partitions=3, stamp=STAMP)
    assert (event.subject, partitions) == ("book", (0, 1, 2))
    early = model.PublishRate("CN-LPR-1Y", OPEN - timedelta(days=1), "0.0300", new_event_id())
    with pytest.raises(refusals.RateBeforeOpenDate) as refused:
        decide(early, Guards(OPEN), partitions=3, stamp=STAMP)
    assert refused.value.field == "from_date"
    with pytest.raises(refusals.BookNotOpen):
        decide(early, Guards(), partitions=3, stamp=STAMP)
