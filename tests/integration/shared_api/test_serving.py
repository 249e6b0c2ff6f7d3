"""Nobody passes whom the matrix doesn't name, and a command that is sent again is answered as before."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import JSONResponse

from shared.access import PUBLIC, ROLES, ApplicantNotBound, Matrix, issue
from shared.api import Body, Call, Route, UnlistedRoute, authorised, create_app, require_guarded
from shared.commands import Commands
from tests.integration.shared_api.events import payment

pytestmark = pytest.mark.servers


@dataclass(frozen=True, slots=True)
class Services:
    commands: Commands
    api: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]


Calling = Annotated[Call[Services], Depends(authorised)]


class NewPayment(Body):
    reference: str


async def pay(call: Calling, borrower_id: str, body: NewPayment) -> JSONResponse:
    call.own(borrower_id)
    once = call.once(body)
    async with call.services.commands.unit(borrower_id, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            event = payment(borrower_id, body.reference)
            unit.publish("payments", event)
            unit.answer({"event_id": event.id})
    return call.accepted(unit, place=f"/v1/borrowers/{borrower_id}")


async def show(call: Calling, borrower_id: str) -> dict[str, Any]:
    call.own(borrower_id)
    return {"borrower_id": borrower_id, "caller": call.caller.name}


async def hello() -> dict[str, str]:
    return {"hello": "world"}


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/hello", hello),
    ("GET", "/v1/borrowers/{borrower_id}", show),
    ("POST", "/v1/borrowers/{borrower_id}/payments", pay),
)
MATRIX: Matrix = {
    ("GET", "/v1/hello"): PUBLIC,
    ("GET", "/v1/borrowers/{borrower_id}"): ("auditor", "applicant"),
    ("POST", "/v1/borrowers/{borrower_id}/payments"): ("teller", "applicant"),
}


class Client:
    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.http = http
        self.tokens = tokens

    async def send(self, role: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[role]}"} | options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)


@pytest.fixture
async def client(pool: asyncpg.Pool) -> AsyncIterator[Client]:
    async def unready() -> list[str]:
        return ["The moon is full."]

    tokens = {
        role: await issue(pool, name=role, role=role, borrower_id="b-1" if role == "applicant" else None)
        for role in sorted(ROLES)
    }
    app = create_app("Test", ROUTES, MATRIX, Services(Commands(pool, scope="test"), pool, unready))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Client(http, tokens)


async def test_every_route_lets_in_whom_the_matrix_names_and_nobody_else(client: Client) -> None:
    differences = []
    for (method, path), roles in MATRIX.items():
        at, body = path.format(borrower_id="b-1"), {"reference": "r"} if method == "POST" else None
        without = (await client.http.request(method, at, json=body)).status_code
        if without != (200 if roles == PUBLIC else 401):
            differences.append((method, path, None, without))
        for role in sorted(ROLES):
            status = (await client.send(role, method, at, json=body)).status_code
            if (status in (200, 202)) != (roles == PUBLIC or role in roles):
                differences.append((method, path, role, status))
    assert differences == []


async def test_an_applicant_is_bound_to_one_borrower(client: Client, pool: asyncpg.Pool) -> None:
    for path, method in (("/v1/borrowers/b-2", "GET"), ("/v1/borrowers/b-2/payments", "POST")):
        body = {"reference": "r"} if method == "POST" else None
        assert (await client.send("applicant", method, path, json=body)).status_code == 403
    assert (await client.send("auditor", "GET", "/v1/borrowers/b-2")).status_code == 200
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0
    for role, borrower_id in (("applicant", None), ("officer", "b-1")):
        with pytest.raises(ApplicantNotBound):
            await issue(pool, name="x", role=role, borrower_id=borrower_id)
        with pytest.raises(asyncpg.CheckViolationError):
            await pool.execute(
                "INSERT INTO token (token_hash, role, name, borrower_id) VALUES ('x', $1, 'x', $2)", role, borrower_id
            )


async def test_a_command_sent_again_with_its_key_is_answered_as_before(client: Client, pool: asyncpg.Pool) -> None:
    path, headers = "/v1/borrowers/b-1/payments", {"idempotency-key": str(uuid.uuid4())}
    answers = [await client.send("teller", "POST", path, json={"reference": "r"}, headers=headers) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert answers[2].headers["location"] == "/v1/borrowers/b-1"
    other = await client.send("teller", "POST", path, json={"reference": "other"}, headers=headers)
    assert (other.status_code, other.json()["title"]) == (422, "The idempotency key was used for another request.")
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_body_that_is_too_large_or_has_unknown_fields_is_refused(client: Client) -> None:
    path = "/v1/borrowers/b-1/payments"

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 4096

    for content in (b" " * (64 * 1024 + 1), endless()):
        assert (await client.send("teller", "POST", path, content=content)).status_code == 413
    assert (await client.http.post(path, content=endless())).status_code == 401
    refused = await client.send("teller", "POST", path, json={"reference": "r", "colour": "red"})
    assert refused.json()["errors"][0]["field"] == "/colour"


async def test_probes_and_scrapers_need_no_token(client: Client) -> None:
    answers = {path: await client.http.get(path) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json")}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/healthz": 200,
        "/readyz": 503,
        "/metrics": 200,
        "/openapi.json": 200,
    }
    assert answers["/readyz"].json()["detail"] == "The moon is full."
    assert "/v1/borrowers/{borrower_id}" in answers["/openapi.json"].json()["paths"]


def test_routes_and_matrix_that_differ_cannot_be_served() -> None:
    idle: Any = None
    with pytest.raises(UnlistedRoute, match="GET /v1/secrets"):
        create_app("Test", (*ROUTES, ("GET", "/v1/secrets", hello)), MATRIX, idle)
    with pytest.raises(UnlistedRoute, match="POST /v1/borrowers"):
        create_app("Test", ROUTES[:-1], MATRIX, idle)
    with pytest.raises(UnlistedRoute, match="public"):
        create_app("Test", ROUTES, {**MATRIX, ("GET", "/healthz"): ("auditor",)}, idle)
    app = create_app("Test", ROUTES, MATRIX, idle)
    app.mount("/static", FastAPI())
    with pytest.raises(UnlistedRoute, match="/static"):
        require_guarded(app, MATRIX)
