"""A caller of the API in tests, and what its answers must always hold."""

from typing import Any

import httpx

ROLES = ("officer", "teller", "accountant", "operator", "auditor")
TERMS = {
    "kind": "equal-instalment",
    "principal": "1200.00",
    "currency": "EUR",
    "annual_rate": "0.12",
    "instalments": 12,
    "first_due_date": "2024-02-29",
}
LOAN = {"loan_id": "loan-1", "borrower_id": "b-1", "product": "micro@1", "terms": TERMS}
PAYMENT = {"amount": "10.00", "currency": "EUR"}


class Client:
    """Calls the API as one of the roles."""

    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.http = http
        self.tokens = tokens

    async def send(self, role: str | None, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        if role is not None:
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers=named)

    async def opened(self) -> None:
        answer = await self.send("operator", "POST", "/v1/book", {"business_date": "2024-01-31"})
        assert answer.status_code == 202, answer.text

    async def pay(self, body: Any, loan_id: str = "loan-1", **headers: str) -> httpx.Response:
        return await self.send("teller", "POST", f"/v1/loans/{loan_id}/payments", body, **headers)


def problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert answer.headers["cache-control"] == "no-store"
    return body


def rule(answer: httpx.Response) -> str:
    return str(problem(answer)["type"]).rpartition("/")[2]
