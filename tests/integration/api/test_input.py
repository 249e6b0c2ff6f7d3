"""Bad input is refused by field and rule, as a problem document, and changes nothing."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from services.ledger.api import Services, routes
from tests.integration.api.client import LOAN, PAYMENT, TERMS, Client, problem, rule

pytestmark = pytest.mark.servers


def broken(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(error["field"], error["rule"]) for error in problem(answer)["errors"]]


DEEP = "[" * 30_000


# One table a test, and one database for all of its rows.
PAYMENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": "-1.00"}, "/amount", "not-an-amount"),
    ({"amount": "NaN"}, "/amount", "not-an-amount"),
    ({"amount": "Infinity"}, "/amount", "not-an-amount"),
    ({"amount": "1e3"}, "/amount", "not-an-amount"),
    ({"amount": "9" * 40}, "/amount", "not-an-amount"),
    ({"amount": "1.23456"}, "/amount", "not-an-amount"),
    ({"amount": "1.234"}, "/amount", "too-many-decimals"),
    ({"amount": "0.00"}, "/amount", "amount-zero"),
    ({"amount": 10.5}, "/amount", "string-type"),
    ({"amount": None}, "/amount", "string-type"),
    ({"currency": "EURO"}, "/currency", "unknown-currency"),
    ({"currency": "XQX"}, "/currency", "unknown-currency"),
    ({"effective_date": "2024-02-30"}, "/effective_date", "bad-date"),
    ({"effective_date": "31.01.2024"}, "/effective_date", "bad-date"),
    ({"effective_date": 1700000000}, "/effective_date", "bad-date"),
    ({"effective_date": "0001-01-01"}, "/effective_date", "bad-date"),
    ({"effective_date": "2024-02-01"}, "/effective_date", "value-date-ahead"),
    ({"reference": "paid by John Smith"}, "/reference", "string-pattern-mismatch"),
    ({"colour": "red"}, "/colour", "unknown-field"),
]


async def test_a_bad_payment_is_refused_by_field_and_rule(client: Client, services: Services) -> None:
    await client.opened()
    for change, field, named in PAYMENTS:
        answer = await client.pay(PAYMENT | change)
        assert (answer.status_code, broken(answer)) == (422, [(field, named)]), change
    assert await services.api.fetchval("SELECT count(*) FROM outbox WHERE aggregateid <> 'book'") == 0


CONTRACTS: list[tuple[dict[str, Any], str, str]] = [
    ({"principal": "0"}, "/terms/principal", "amount-zero"),
    ({"currency": "ZZZ"}, "/terms/currency", "unknown-currency"),
    ({"annual_rate": "-0.1"}, "/terms/annual_rate", "not-a-rate"),
    ({"instalments": 0}, "/terms/instalments", "greater-than-equal"),
    ({"instalments": 12.5}, "/terms/instalments", "int-type"),
    ({"first_due_date": "soon"}, "/terms/first_due_date", "bad-date"),
    ({"kind": "balloon"}, "/terms/kind", "literal-error"),
    ({"every": 366, "instalments": 600}, "/terms/instalments", "unschedulable-terms"),
    ({"grace": 3}, "/terms/grace", "unknown-field"),
]


async def test_a_bad_contract_is_refused_by_field_and_rule(client: Client) -> None:
    await client.opened()
    for change, field, named in CONTRACTS:
        answer = await client.send("officer", "POST", "/v1/loans", LOAN | {"terms": TERMS | change})
        assert (answer.status_code, broken(answer)) == (422, [(field, named)]), change


BODIES = [
    (b"{", 400, "invalid-json"),
    (b"", 422, "invalid-request"),
    (b"[]", 422, "invalid-request"),
    (b"null", 422, "invalid-request"),
    (b'"x"', 422, "invalid-request"),
    (b'{"amount": NaN, "currency": "EUR"}', 422, "invalid-request"),
    (b'{"amount": 1' + b"0" * 5000 + b"}", 400, "invalid-json"),
    (b'{"amount": "\\ud800", "currency": "EUR"}', 422, "invalid-request"),
    (b"\xff\xfe", 400, "invalid-json"),
    (DEEP.encode(), 400, "invalid-json"),
    (b" " * (64 * 1024 + 1), 413, "body-too-large"),
]


async def test_a_body_that_is_no_request_is_refused(client: Client) -> None:
    headers = {"authorization": f"Bearer {client.tokens['teller']}", "content-type": "application/json"}
    for content, status, named in BODIES:
        answer = await client.http.post("/v1/loans/loan-1/payments", content=content, headers=headers)
        assert (answer.status_code, rule(answer)) == (status, named), content[:40]


async def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(client: Client) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b" " * 4096

    headers = {"authorization": f"Bearer {client.tokens['teller']}", "content-type": "application/json"}
    answer = await client.http.post("/v1/loans/loan-1/payments", content=endless(), headers=headers)
    assert (answer.status_code, rule(answer)) == (413, "body-too-large")


PLACES = [
    ("GET", "/v1/nothing", 404, "not-found"),
    ("DELETE", "/v1/book", 405, "method-not-allowed"),
    ("GET", "/v1/loans/loan-1/", 404, "not-found"),
    ("GET", "/v1/loans/-x", 422, "invalid-request"),
    ("GET", "/v1/loans/loan-1?as_of=tomorrow", 422, "invalid-request"),
    ("GET", "/v1/loans/loan-1?after=x", 422, "invalid-request"),
    ("GET", "/v1/loans/loan-1", 404, "unknown-loan"),
]


async def test_what_is_not_there_is_a_problem_document_too(client: Client) -> None:
    for method, path, status, named in PLACES:
        answer = await client.send("auditor", method, path)
        assert (answer.status_code, rule(answer)) == (status, named), path
        if status == 405:
            assert answer.headers["allow"]


async def test_a_failure_of_our_own_says_nothing_of_the_inside(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise LookupError("secret detail")

    monkeypatch.setattr(routes.queries, "parked_view", fails)
    answer = await client.send("auditor", "GET", "/v1/parked")
    assert (answer.status_code, rule(answer)) == (500, "unexpected")
    assert "secret" not in answer.text


async def test_a_database_that_is_away_is_a_503_that_may_be_tried_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise asyncpg.ConnectionDoesNotExistError("gone")

    monkeypatch.setattr(routes.queries, "parked_view", fails)
    answer = await client.send("auditor", "GET", "/v1/parked")
    assert (answer.status_code, rule(answer), answer.headers["retry-after"]) == (503, "unavailable", "1")
