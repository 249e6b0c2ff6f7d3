"""The two dates of a figure: which are refused, and which facts they let in."""

import json
from datetime import date
from typing import Any

import pytest

from services.ledger.api.reading import on_dates
from services.ledger.commands import BookNotOpen
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact
from services.ledger.queries import AsOfAhead, DatesDiffer
from services.ledger.queries.tallies import account_of, balances_document, difference, tally
from services.ledger.queries.two_dates import Dates, dates_within, facts_at
from shared.events.envelope import new_event_id
from shared.merkle import canonical
from shared.streams.ports import Record

OPENED = date(2024, 3, 1)
TERMS = {
    "kind": "equal-instalment", "principal": "100.00", "currency": "EUR", "annual_rate": "0.12", "instalments": 2,
    "first_due_date": "2024-03-31",
}  # fmt: skip
MONEY = {"amount": "100.00", "currency": "EUR"}


def test_dates_are_the_open_one_unless_they_are_named_and_none_lies_ahead() -> None:
    assert dates_within(OPENED, None, None) == Dates(OPENED, OPENED)
    early = date(2024, 2, 1)
    assert dates_within(OPENED, early, None) == Dates(early, OPENED)
    assert (dates_within(OPENED, early, None).day, dates_within(OPENED, None, early).day) == (early, early)
    ahead = date(2024, 3, 2)
    for known, effective, field in ((ahead, None, "known"), (None, ahead, "to")):
        with pytest.raises(AsOfAhead) as refused:
            dates_within(OPENED, known, effective, field="to")
        assert refused.value.field == field
    with pytest.raises(BookNotOpen):
        dates_within(None, None, None)


def test_one_value_date_is_not_named_twice() -> None:
    assert on_dates(None, None, OPENED) == {"known": None, "effective": OPENED, "field": "as_of"}
    assert on_dates(None, OPENED, OPENED)["effective"] == OPENED
    with pytest.raises(DatesDiffer):
        on_dates(None, OPENED, date(2024, 2, 1))


class Log:
    """Rows of `event` of one loan."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, kind: str, data: Any, effective: date, booked: date) -> str:
        event = {
            "specversion": "1.0", "id": new_event_id(), "source": "/test", "type": kind, "subject": "L1",
            "time": "2024-01-01T00:00:00Z", "effectivedate": effective.isoformat(), "data": data,
        }  # fmt: skip
        offset = len(self.rows)
        leaf = canonical(Record("t", 0, offset, 0, b"L1", json.dumps(event).encode()))
        ids = {"event_id": event["id"], "offset": offset, "record": leaf}
        self.rows.append(ids | {"effective_date": effective, "booking_date": booked})
        return str(event["id"])

    def kinds(self, known: date, effective: date) -> list[type[Fact]]:
        return [type(fact) for fact in facts_at(self.rows, Dates(known, effective), {})]


def test_a_fact_counts_from_its_booking_on_and_until_it_is_taken_back() -> None:
    log = Log()
    start, late, back = date(2024, 1, 10), date(2024, 2, 1), date(2024, 2, 20)
    log.add("origination.LoanContracted.v1", {"borrower_id": "b", "product": "p@1", "terms": TERMS}, start, start)
    log.add("origination.LoanDisbursed.v1", MONEY, start, start)
    paid = log.add("ledger.PaymentReceived.v1", MONEY, date(2024, 1, 20), late)
    log.add("ledger.PaymentReversed.v1", {"payment_id": paid, "reason": "returned"}, back, back)
    begun = [ContractFact, DisbursementFact]
    assert log.kinds(date(2024, 1, 9), OPENED) == []
    assert log.kinds(date(2024, 1, 31), OPENED) == begun
    assert log.kinds(late, OPENED) == [*begun, PaymentFact]
    assert log.kinds(late, date(2024, 1, 19)) == begun
    assert log.kinds(back, date(2024, 1, 20)) == begun  # the reversal counts from the payment's date


def test_the_contract_of_a_backdated_disbursement_counts_with_it() -> None:
    log = Log()
    signed, paid_out, stray = date(2024, 1, 31), date(2024, 1, 20), date(2024, 1, 10)
    log.add("origination.LoanContracted.v1", {"borrower_id": "b", "product": "p@1", "terms": TERMS}, signed, signed)
    log.add("origination.LoanDisbursed.v1", MONEY, paid_out, signed)
    log.add("ledger.PaymentReceived.v1", MONEY, stray, signed)
    assert log.kinds(signed, paid_out) == [ContractFact, DisbursementFact, PaymentFact]
    assert log.kinds(signed, stray) == [PaymentFact]


def test_an_account_that_the_chart_lacks_shows_as_a_difference() -> None:
    row = {"currency": 978, "debit": 1010, "credit": 1210, "amount": 500}
    sound, odd = tally([row])["EUR"], tally([row, row | {"credit": 9999}])["EUR"]
    assert (difference(sound), difference(odd)) == (0, 500)
    assert balances_document(odd, "EUR")[-1] == {
        "code": "9999", "account": "9999", "debit": "0.00", "credit": "5.00", "balance": "-5.00",
    }  # fmt: skip
    assert [account_of(number).kind for number in (1010, 2210, 4110, 5110, 9999)] == [
        "asset", "liability", "income", "expense", "unknown",
    ]  # fmt: skip
