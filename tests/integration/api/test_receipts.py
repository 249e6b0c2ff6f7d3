"""Receipts for cash at a branch over HTTP: a number is given once, whoever asks, and however many at once."""

import asyncio
import json
from typing import Any

import pytest

from services.ledger.api import Services
from tests.integration.api.client import PAYMENT, Client, rule

pytestmark = pytest.mark.servers
CASH = PAYMENT | {"receipt": {"branch": "north", "number": "N/17"}}


async def test_a_receipt_number_is_given_once_at_a_branch(client: Client, services: Services) -> None:
    await client.opened()
    first = await client.pay(CASH)
    assert first.status_code == 202, first.text
    again = await client.pay(CASH)
    assert (again.status_code, again.json()["event_id"]) == (202, first.json()["event_id"])
    for body, loan_id in (
        (CASH | {"amount": "11.00"}, "loan-1"),
        (CASH, "loan-2"),
        (CASH | {"reference": "x"}, "loan-1"),
    ):
        refused = await client.pay(body, loan_id)
        assert (refused.status_code, rule(refused)) == (409, "receipt-number-used")
    elsewhere = await client.pay(CASH | {"receipt": {"branch": "south", "number": "N/17"}})
    assert elsewhere.json()["event_id"] != first.json()["event_id"]
    stored = await services.api.fetch(
        "SELECT payload FROM outbox WHERE type = 'ledger.PaymentReceived.v1' ORDER BY sequence"
    )
    data: list[dict[str, Any]] = [json.loads(row["payload"])["data"] for row in stored]
    assert [one["receipt"] for one in data] == [
        {"branch": "north", "number": "N/17", "cashier": "teller"},
        {"branch": "south", "number": "N/17", "cashier": "teller"},
    ]
    for receipt in ({"branch": "North", "number": "1"}, {"branch": "north"}, {"branch": "north", "number": "x" * 36}):
        assert (await client.pay(PAYMENT | {"receipt": receipt})).status_code == 422


async def test_of_many_at_once_for_different_loans_one_gets_the_number(client: Client) -> None:
    await client.opened()
    answers = await asyncio.gather(*(client.pay(CASH, f"loan-{n}") for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 5]
