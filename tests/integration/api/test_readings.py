"""What is parked, dead, or not in the books yet, and what the process says about itself."""

import json
from typing import Any

import pytest

from services.ledger.api import Services, routes
from shared.events.envelope import new_event_id
from tests.integration.api.client import Client, problem, rule

pytestmark = pytest.mark.servers


async def test_a_parked_loan_is_released_from_where_it_is_held(
    client: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.opened()
    held = [{"loan_id": "loan-1", "first_offset": 7, "reason": "unknown type"}]

    async def parked_view(_: Any) -> list[dict[str, Any]]:
        return held

    monkeypatch.setattr(routes.queries, "parked_view", parked_view)
    body = {"first_held_offset": 7, "reason": "upgraded"}
    elsewhere = await client.send("operator", "POST", "/v1/parked/loan-1/release", body | {"first_held_offset": 8})
    assert (elsewhere.status_code, rule(elsewhere)) == (409, "held-elsewhere")
    other = await client.send("operator", "POST", "/v1/parked/loan-2/release", body)
    assert (other.status_code, rule(other)) == (409, "not-parked")
    released = await client.send("operator", "POST", "/v1/parked/loan-1/release", body, idempotency_key="k")
    held.clear()
    again = await client.send("operator", "POST", "/v1/parked/loan-1/release", body, idempotency_key="k")
    assert (released.status_code, again.status_code, again.json()) == (202, 202, released.json())
    payload = await services.api.fetchval("SELECT payload FROM outbox WHERE aggregateid = 'loan-1'")
    assert json.loads(payload)["data"] == {
        "first_held_offset": 7,
        "held_reason": "unknown type",
        "reason": "upgraded",
        "discard_first": False,
    }


async def test_a_dead_letter_is_retried_once_on_its_own_partition(
    client: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.opened()
    letter = {"partition": 3, "offset": 9, "reason": "not JSON", "tried_at": None, "settled_by": None}

    async def dead_letters_view(_: Any) -> list[dict[str, Any]]:
        return [letter]

    monkeypatch.setattr(routes.queries, "dead_letters_view", dead_letters_view)
    missing = await client.send("operator", "POST", "/v1/dead-letters/3/8/retry", {"reason": "mended"})
    assert (missing.status_code, rule(missing)) == (404, "unknown-dead-letter")
    assert (
        await client.send("operator", "POST", "/v1/dead-letters/3/9/retry", {"reason": "mended"})
    ).status_code == 202
    row = await services.api.fetchrow(
        "SELECT partition, aggregateid, payload FROM outbox ORDER BY sequence DESC LIMIT 1"
    )
    assert (row["partition"], row["aggregateid"]) == (3, "book")
    assert json.loads(row["payload"])["data"] == {"dead_offset": 9, "reason": "mended"}
    letter["settled_by"] = new_event_id()
    settled = await client.send("operator", "POST", "/v1/dead-letters/3/9/retry", {"reason": "mended"})
    assert (settled.status_code, rule(settled)) == (409, "dead-letter-settled")


async def test_a_reading_waits_for_an_event_and_gives_up_after_a_while(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def event_is_in(_: Any, event_id: str) -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    async def loan_view(_: Any, loan_id: str, *, known: Any, effective: Any, field: str) -> dict[str, Any]:
        return {"loan_id": loan_id, "known": known, field: effective}

    monkeypatch.setattr(routes.queries, "event_is_in", event_is_in)
    monkeypatch.setattr(routes.queries, "loan_view", loan_view)
    path = f"/v1/loans/loan-1?as_of=2024-01-30&after={new_event_id()}"
    answer = await client.send("auditor", "GET", path)
    assert (answer.status_code, answer.json()) == (200, {"loan_id": "loan-1", "known": None, "as_of": "2024-01-30"})
    looks = -10_000
    late = await client.send("auditor", "GET", path)
    assert (late.status_code, rule(late)) == (504, "not-in-the-books-yet")


async def test_readiness_names_what_is_missing(client: Client, services: Services) -> None:
    async def unready() -> list[str]:
        return ["The database doesn't answer."]

    assert (await client.http.get("/readyz")).status_code == 200
    object.__setattr__(services, "unready", unready)
    answer = await client.http.get("/readyz")
    assert (answer.status_code, problem(answer)["detail"]) == (503, "The database doesn't answer.")


async def test_every_answer_is_counted_by_route(client: Client) -> None:
    await client.send("auditor", "GET", "/v1/loans/loan-1")
    text = (await client.http.get("/metrics")).text
    assert 'lendlog_http_requests_total{method="GET",route="/v1/loans/{loan_id}",status="404"}' in text
