"""Commands over HTTP: what they answer, which rules they name, and that a repetition does nothing twice."""

import asyncio
import json

import pytest

from services.ledger.api import Services
from shared.events.envelope import new_event_id
from tests.integration.api.client import LOAN, PAYMENT, Client, problem, rule

pytestmark = pytest.mark.servers


async def test_a_loan_is_contracted_paid_out_repaid_and_a_payment_taken_back(
    client: Client, services: Services
) -> None:
    await client.opened()
    answers = [
        await client.send("officer", "POST", "/v1/loans", LOAN),
        await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", {"amount": "1200", "currency": "EUR"}),
        await client.pay(PAYMENT, correlation_id="stmt-7"),
    ]
    payment_id = answers[-1].json()["event_id"]
    reversal = f"/v1/loans/loan-1/payments/{payment_id}/reversal"
    answers.append(await client.send("officer", "POST", reversal, {"reason": "returned by the bank"}))
    answers.append(await client.send("operator", "POST", "/v1/book/closings", {"business_date": "2024-01-31"}))
    for answer in answers[:-1]:
        assert answer.status_code == 202, answer.text
        assert answer.json() == {"event_id": answer.json()["event_id"], "loan_id": "loan-1"}
        assert answer.headers["location"] == f"/v1/loans/loan-1?after={answer.json()['event_id']}"
    assert answers[-1].json().keys() == {"event_id"}
    rows = await services.api.fetch(
        "SELECT id, type, payload FROM outbox WHERE aggregateid = 'loan-1' ORDER BY sequence"
    )
    assert [str(row["id"]) for row in rows] == [answer.json()["event_id"] for answer in answers[:-1]]
    assert json.loads(rows[2]["payload"])["correlationid"] == "stmt-7"
    again = await client.send("officer", "POST", reversal, {"reason": "once more"})
    assert (again.status_code, rule(again)) == (409, "payment-already-reversed")
    assert (await client.send("auditor", "GET", "/v1/book")).json()["open_date"] == "2024-02-01"


async def test_money_for_a_loan_that_is_not_known_is_accepted(client: Client) -> None:
    await client.opened()
    for currency in ("EUR", "USD"):
        assert (await client.pay({"amount": "10", "currency": currency}, "nobody-knows")).status_code == 202


async def test_a_broken_rule_answers_with_its_name_and_its_title(client: Client) -> None:
    before = await client.pay(PAYMENT)
    assert (before.status_code, rule(before)) == (409, "book-not-open")
    assert problem(before)["title"] == "The book has no open business date yet."
    await client.opened()
    money = {"amount": "1200", "currency": "EUR"}
    unknown = await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", money)
    assert (unknown.status_code, rule(unknown)) == (409, "loan-not-contracted")
    assert problem(unknown)["errors"][0]["field"] == "path/loan_id"
    closing = await client.send("operator", "POST", "/v1/book/closings", {"business_date": "2024-02-01"})
    assert (closing.status_code, rule(closing)) == (409, "date-not-open")
    path = f"/v1/loans/loan-1/payments/{new_event_id()}/reversal"
    reversal = await client.send("officer", "POST", path, {"reason": "typo"})
    assert (reversal.status_code, rule(reversal)) == (404, "unknown-payment")


async def test_a_repeated_call_answers_as_the_first_and_writes_nothing(client: Client, services: Services) -> None:
    await client.opened()
    first = await client.pay(PAYMENT, idempotency_key="k-1")
    again = await client.pay(PAYMENT, idempotency_key="k-1")
    assert (again.status_code, again.json(), again.headers["location"]) == (
        first.status_code,
        first.json(),
        first.headers["location"],
    )
    assert (await client.pay(PAYMENT)).json() != first.json()
    assert await services.api.fetchval("SELECT count(*) FROM outbox WHERE aggregateid = 'loan-1'") == 2


async def test_calls_with_one_key_at_once_become_one_event(client: Client, services: Services) -> None:
    await client.opened()
    answers = await asyncio.gather(*(client.pay(PAYMENT, idempotency_key="k-1") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert await services.api.fetchval("SELECT count(*) FROM outbox WHERE aggregateid = 'loan-1'") == 1


async def test_a_key_stands_for_one_request_of_one_client(client: Client) -> None:
    await client.opened()
    first = await client.pay(PAYMENT, idempotency_key="k-1")
    for other in (
        client.pay(PAYMENT | {"amount": "11"}, idempotency_key="k-1"),
        client.pay(PAYMENT, "loan-2", idempotency_key="k-1"),
    ):
        answer = await other
        assert (answer.status_code, rule(answer)) == (422, "idempotency-key-reused")
    elsewhere = await client.send("officer", "POST", "/v1/loans", LOAN, idempotency_key="k-1")
    assert elsewhere.status_code == 202
    assert elsewhere.json()["event_id"] != first.json()["event_id"]


async def test_a_refused_call_may_be_tried_again_with_its_key(client: Client) -> None:
    refused = await client.pay(PAYMENT, idempotency_key="k-1")
    assert rule(refused) == "book-not-open"
    await client.opened()
    assert (await client.pay(PAYMENT, idempotency_key="k-1")).status_code == 202


async def test_a_key_that_is_none_is_refused(client: Client) -> None:
    for key in ("", "two words", "x" * 256):
        answer = await client.pay(PAYMENT, idempotency_key=key)
        assert (answer.status_code, rule(answer)) == (400, "bad-idempotency-key"), key
