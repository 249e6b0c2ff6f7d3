"""API and worker as processes, from a contract over HTTP to the books over HTTP."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.access import issue
from shared.database import connect
from tests.integration.api.client import LOAN, ROLES, Client, problem, rule
from tests.integration.api.test_process import free_port, serving
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers


@asynccontextmanager
async def worker(place: Place) -> AsyncIterator[None]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ledger.app",
        env=place.environment("ledger", LENDLOG_PORT=str(port)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def ready() -> bool:
                try:
                    return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready, 60)
        yield
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


async def test_a_loan_from_its_contract_to_its_balance(place: Place) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        client = Client(http, tokens)

        async def read(path: str) -> dict[str, Any]:
            answer = await client.send("auditor", "GET", path)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        await client.opened()
        contracted = await client.send("officer", "POST", "/v1/loans", LOAN)
        assert (await read(contracted.headers["location"]))["status"] == "contracted"
        money = {"amount": "1200.00", "currency": "EUR"}
        paid_out = await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", money)
        balance = await read(paid_out.headers["location"])
        assert (balance["status"], balance["principal_outstanding"]) == ("active", "1200.00")
        assert len((await read("/v1/loans/loan-1/schedule"))["instalments"]) == 12
        received = await client.pay({"amount": "200.00", "currency": "EUR"})
        after_payment = await read(received.headers["location"])
        assert after_payment["principal_outstanding"] < "1200.00"
        reversal = f"/v1/loans/loan-1/payments/{received.json()['event_id']}/reversal"
        reversed_ = await client.send("officer", "POST", reversal, {"reason": "returned"})
        assert (await read(reversed_.headers["location"]))["principal_outstanding"] == "1200.00"
        stray = await client.pay({"amount": "5", "currency": "USD"}, "loan-9")
        assert (await read(stray.headers["location"]))["suspense"][0]["amount"] == "5.00"
        closing = await client.send("operator", "POST", "/v1/book/closings", {"business_date": "2024-01-31"})
        book = await read(closing.headers["location"])
        assert {row["open_date"] for row in book["partitions"]} == {book["open_date"]} == {"2024-02-01"}
        events = [entry["event_id"] for entry in (await read("/v1/loans/loan-1/entries"))["entries"]]
        assert received.json()["event_id"] in events
        ahead = await client.send("auditor", "GET", "/v1/loans/loan-1?as_of=2024-02-02")
        assert (rule(ahead), problem(ahead)["errors"][0]["field"]) == ("as-of-ahead", "query/as_of")
