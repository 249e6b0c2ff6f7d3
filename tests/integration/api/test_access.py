"""Who may call what: a matrix written by hand, and every cell of it tried."""

import pytest
from fastapi import FastAPI

from services.ledger.access_matrix import MATRIX
from services.ledger.api import Services, create_app, routes
from shared.access import PUBLIC, ROLES, UnknownRole, issue
from shared.api import PUBLIC_LINES, UnlistedRoute, require_guarded
from shared.events.envelope import new_event_id
from tests.integration.api.client import Client, rule

pytestmark = pytest.mark.servers

# Written by hand, on purpose: o officer, t teller, c accountant, p operator, a auditor, v approver; * without a token.
# No other role gets in.
WHO_MAY = {
    "GET /healthz": "*",
    "GET /readyz": "*",
    "GET /metrics": "*",
    "GET /openapi.json": "*",
    "GET /v1/book": "otcpa",
    "POST /v1/book": "p",
    "POST /v1/book/closings": "p",
    "POST /v1/reference-rates": "p",
    "GET /v1/reference-rates": "otcpa",
    "POST /v1/loans": "o",
    "POST /v1/loans/{loan_id}/disbursement": "o",
    "POST /v1/loans/{loan_id}/take-over": "p",
    "POST /v1/loans/{loan_id}/payments": "t",
    "POST /v1/loans/{loan_id}/payments/{payment_id}/reversal": "o",
    "POST /v1/loans/{loan_id}/payments/{payment_id}/chargeback": "o",
    "POST /v1/loans/{loan_id}/charges": "o",
    "POST /v1/loans/{loan_id}/charges/{charge_id}/waiver": "o",
    "POST /v1/loans/{loan_id}/charges/{charge_id}/adjustments": "o",
    "POST /v1/loans/{loan_id}/credits": "o",
    "POST /v1/loans/{loan_id}/refunds": "o",
    "POST /v1/loans/{loan_id}/refinance": "o",
    "POST /v1/loans/{loan_id}/charge-off": "o",
    "POST /v1/loans/{loan_id}/write-off": "o",
    "POST /v1/loans/{loan_id}/reschedules": "ov",
    "POST /v1/loans/{loan_id}/re-ageing": "o",
    "POST /v1/loans/{loan_id}/re-amortisation": "o",
    "POST /v1/loans/{loan_id}/prepayments": "t",
    "POST /v1/loans/{loan_id}/acceleration": "o",
    "POST /v1/loans/{loan_id}/pauses": "o",
    "POST /v1/loans/{loan_id}/resumption": "o",
    "POST /v1/loans/{loan_id}/events/{event_id}/undoing": "o",
    "GET /v1/loans/{loan_id}/payoff": "otcpa",
    "GET /v1/loans/{loan_id}/statement": "otcpa",
    "GET /v1/loans/{loan_id}/delinquency": "otcpa",
    "POST /v1/schedules": "otcpa",
    "GET /v1/loans/{loan_id}": "otcpa",
    "GET /v1/loans/{loan_id}/schedule": "otcpa",
    "GET /v1/loans/{loan_id}/entries": "otcpa",
    "GET /v1/loans/{loan_id}/balances": "otcpa",
    "GET /v1/trial-balance": "cpa",
    "GET /v1/movements": "cpa",
    "GET /v1/income-statement": "cpa",
    "POST /v1/entries": "c",
    "GET /v1/entries": "cav",
    "POST /v1/entries/{entry_id}/approval": "cv",
    "POST /v1/entries/{entry_id}/decline": "cv",
    "POST /v1/entries/{entry_id}/reversal": "c",
    "GET /v1/periods": "cpav",
    "POST /v1/periods/{period}/valuation": "c",
    "POST /v1/periods/{period}/close": "c",
    "POST /v1/years/{year}/close": "c",
    "GET /v1/loans/{loan_id}/proof": "otcpa",
    "GET /v1/checkpoints": "otcpa",
    "GET /v1/checkpoints/{partition}": "otcpa",
    "POST /v1/bank/statements": "otc",
    "GET /v1/bank/statements": "otcpa",
    "GET /v1/bank/lines": "otcpa",
    "POST /v1/bank/lines/{line_id}/match": "oc",
    "POST /v1/bank/lines/{line_id}/split": "oc",
    "POST /v1/bank/lines/{line_id}/unmatch": "oc",
    "POST /v1/loans/{loan_id}/mandates": "o",
    "GET /v1/loans/{loan_id}/mandates": "otcpa",
    "POST /v1/loans/{loan_id}/mandates/revocation": "ot",
    "POST /v1/loans/{loan_id}/mandates/resumption": "o",
    "GET /v1/branches/{branch}/cash": "otcpa",
    "GET /v1/debit-runs": "otcpa",
    "POST /v1/debit-runs/status-reports": "otc",
    "GET /v1/debit-runs/{run_id}": "otcpa",
    "POST /v1/debit-runs/{run_id}/void": "oc",
    "GET /v1/pay-outs/due": "ca",
    "GET /v1/pay-outs": "ca",
    "POST /v1/pay-outs": "c",
    "POST /v1/pay-outs/statuses": "c",
    "POST /v1/pay-outs/{file_id}/void": "c",
    "GET /v1/parked": "pa",
    "POST /v1/parked/{loan_id}/release": "p",
    "GET /v1/dead-letters": "pa",
    "POST /v1/dead-letters/{partition}/{offset}/retry": "p",
}
LETTER = {"officer": "o", "teller": "t", "accountant": "c", "operator": "p", "auditor": "a", "approver": "v"}


async def test_every_route_lets_in_the_roles_that_it_names_and_nobody_else(client: Client) -> None:
    differences = []
    for route, letters in WHO_MAY.items():
        method, path = route.split()
        named = {"period": "2024-01", "year": "2024", "branch": "north", "run_id": "ddr-0123456789abcdef"}
        ids = dict.fromkeys(("payment_id", "charge_id", "event_id", "entry_id", "line_id", "file_id"), new_event_id())
        at = path.format(loan_id="loan-1", partition=0, offset=0, **named, **ids)
        for role in (None, "nobody", *sorted(ROLES)):
            answer = await client.send(role, method, at, {} if method == "POST" else None)
            if letters == "*":
                expected = answer.status_code == 200
            elif role is None:
                expected = answer.status_code == 401 and rule(answer) == "unauthenticated"
            elif role == "nobody":
                expected = answer.status_code == 403 and rule(answer) == "unknown-role"
            elif LETTER.get(role, "-") in letters:
                expected = answer.status_code not in (401, 403) and answer.status_code < 500
            else:
                expected = answer.status_code == 403 and rule(answer) == "forbidden"
            if not expected:
                differences.append((route, role, answer.status_code, answer.text))
    assert differences == []


def test_the_matrix_in_code_is_the_one_written_here_by_hand() -> None:
    in_code = {
        f"{method} {path}": "*" if roles == PUBLIC else "".join(LETTER[role] for role in roles)
        for (method, path), roles in {**PUBLIC_LINES, **MATRIX}.items()
    }
    assert in_code == WHO_MAY


async def test_what_is_not_a_known_bearer_token_is_no_token(client: Client) -> None:
    for header in ("", "Basic abc", "Bearer", "Bearer  ", "Bearer wrong", "bearer a b", "Bearer " + "x" * 300):
        answer = await client.http.get("/v1/book", headers={"authorization": header})
        assert (answer.status_code, rule(answer)) == (401, "unauthenticated"), header
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_only_a_tokens_hash_is_stored_and_a_token_taken_back_is_refused_at_once(
    client: Client, services: Services
) -> None:
    token = client.tokens["auditor"]
    stored = await services.api.fetch("SELECT token_hash, role, name FROM token")
    assert all(token.encode() not in row["token_hash"] and token != row["name"] for row in stored)
    assert (await client.send("auditor", "GET", "/v1/book")).status_code == 200
    await services.api.execute("DELETE FROM token WHERE name = 'auditor'")
    assert (await client.send("auditor", "GET", "/v1/book")).status_code == 401
    with pytest.raises(UnknownRole):
        await issue(services.api, name="x", role="superuser")


@pytest.fixture
def idle() -> Services:
    return Services(None, None, None, None)  # type: ignore[arg-type]


def test_a_route_that_is_not_in_the_matrix_cannot_be_served(idle: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (*routes.ROUTES, ("GET", "/v1/secrets", routes.parked))
    monkeypatch.setattr("services.ledger.api.app.ROUTES", listed)
    with pytest.raises(UnlistedRoute, match="GET /v1/secrets"):
        create_app(idle)


def test_a_line_of_the_matrix_without_a_route_is_a_mistake(idle: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ledger.api.app.ROUTES", routes.ROUTES[:-1])
    with pytest.raises(UnlistedRoute, match="dead-letters"):
        create_app(idle)


def test_a_route_beside_the_guarded_ones_is_a_mistake(idle: Services) -> None:
    app = create_app(idle)
    app.mount("/static", FastAPI())
    with pytest.raises(UnlistedRoute, match="/static"):
        require_guarded(app, MATRIX)


async def test_access_is_checked_before_anything_is_read(client: Client) -> None:
    answer = await client.http.post("/v1/loans", content=b"{" * 100_000, headers={"content-type": "application/json"})
    assert answer.status_code == 401
