"""A period end over HTTP: every loan is valued once, late facts value it anew, and every posting can be explained."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

from lendlog.cli import build
from lendlog.verify_command import log_reader
from services.ledger.explanation import why_entry
from services.ledger.queries import snapshot
from services.ledger.valuation.unvalued import unvalued
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect
from tests.integration.api.client import LOAN, ROLES, TERMS, Client, rule
from tests.integration.api.test_process import serving
from tests.integration.api.test_story import worker
from tests.integration.api.test_two_dates import Reader
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers
OPENED, EUR = date(2024, 1, 31), {"currency": "EUR"}
JANUARY = "/v1/periods/2024-01/valuation"
FEE = {"upfront_fees": [{"name": "origination", "share": "0.02"}]}


class Accountant(Reader):
    """Values periods."""

    async def value(self, path: str = JANUARY) -> dict[str, Any]:
        answer = await self.client.send("accountant", "POST", path)
        assert answer.status_code == (200 if "preview" in path else 202), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def settled(self) -> dict[str, Any]:
        """The report of a run that finds nothing to do any more."""
        last: dict[str, Any] = {}

        async def unchanged() -> bool:
            nonlocal last
            last = await self.value()
            assert last["recorded"] == 0
            return bool(last["changed"] == 0)

        await until(unchanged, 20)
        return last


async def test_a_period_is_valued_once_and_anew_after_late_facts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        client = Client(http, tokens)
        accountant = Accountant(client)
        await client.opened()
        for name, more in (("loan-1", {"terms": TERMS | FEE}), ("loan-2", {"security": "secured"})):
            await client.send("officer", "POST", "/v1/loans", LOAN | {"loan_id": name} | more)
            path = f"/v1/loans/{name}/disbursement"
            paid_out = await client.send("officer", "POST", path, {"amount": "1200.00", **EUR})
            await accountant.read(paid_out.headers["location"])
        early = await client.send("accountant", "POST", JANUARY)
        assert (early.status_code, rule(early)) == (409, "period-not-over")
        assert rule(await client.send("accountant", "POST", "/v1/periods/2024-13/valuation")) == "not-a-period"
        await accountant.close(OPENED, OPENED)

        tried = await accountant.value(JANUARY + "?preview=true")
        assert (tried["preview"], tried["changed"], tried["recorded"]) == (True, 2, 0)
        first = await accountant.value()
        assert (first["changed"], first["recorded"], first["not_valued"]) == (2, 2, 0)
        again = await accountant.settled()
        assert (again["loans"], again["unchanged"]) == (2, 2)
        (told,) = again["currencies"]["EUR"]
        assert first["currencies"] == tried["currencies"]
        assert (told["group"], told["exposure"], told["allowance"], told["coverage"]) == (
            "normal", "2400.00", "24.00", "0.0100",
        )  # fmt: skip
        assert (first["currencies"]["EUR"][0]["provision_expense"], told["provision_expense"]) == ("24.00", "0.00")

        loan = await accountant.loan()
        assert loan["allowance"] == "12.00"
        assert loan["deferred_fees"] == "24.00"
        trial = (await accountant.read("/v1/trial-balance?effective=2024-01-31"))["currencies"]["EUR"]
        balances = {line["account"]: line["balance"] for line in trial["accounts"]}
        assert (balances["loan-loss-allowance"], balances["provision-expense"]) == ("-24.00", "24.00")
        assert trial["difference"] == "0.00"

        late = await client.pay({"amount": "600.00", "effective_date": "2024-01-31", **EUR})
        await accountant.read(late.headers["location"])
        anew = await accountant.value()
        assert (anew["changed"], anew["unchanged"], anew["recorded"]) == (1, 1, 1)
        assert anew["currencies"]["EUR"][0]["provision_expense"].startswith("-")
        last = await accountant.settled()
        await explained_and_sound(place, accountant, last)
        await asyncio.to_thread(command_line, place, monkeypatch, last)


async def explained_and_sound(place: Place, accountant: Accountant, last: dict[str, Any]) -> None:
    """`lendlog why` has rule, inputs, and the loan before and after; the audit finds nothing."""
    entries = (await accountant.read("/v1/loans/loan-1/entries"))["entries"]
    valued = [one for one in entries if one["type"] == "ledger.LoanValued.v1"]
    assert len(valued) == 2
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        why = await why_entry(connection, valued[1]["partition"], valued[1]["offset"], None)
        reader = log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle)
        assert (await verify(connection, reader)).findings == {}
        async with snapshot(connection):
            assert await unvalued(connection, OPENED) == []
            assert [one["loan_id"] for one in await unvalued(connection, date(2024, 2, 29))] == ["loan-1", "loan-2"]
    finally:
        await connection.close()
    assert why is not None
    assert "effective interest rate" in why["rule"]
    assert why["event"]["data"]["inputs"]["upfront_fees"] == "24.00"
    assert [why[when]["allowance"] for when in ("before", "after")] == ["12.00", "6.58"]
    assert {line["effective_date"] for line in why["postings"]} == {last["period_end"]}


def command_line(place: Place, monkeypatch: pytest.MonkeyPatch, last: dict[str, Any]) -> None:
    """`lendlog value-period --preview` says what the API says."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[None, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield None, connection
        finally:
            await connection.close()

    monkeypatch.setattr("lendlog.value_period_command.reading", reading)
    monkeypatch.setattr("lendlog.value_period_command.run_to_end", asyncio.run)  # signals are the main thread's
    arguments = ["value-period", "2024-01", "--preview"]
    asked = CliRunner().invoke(build(arguments), [*arguments, "--json"], catch_exceptions=False)
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout) == last | {"preview": True}
    shown = CliRunner().invoke(build(arguments), arguments, catch_exceptions=False).stdout
    assert "0 would be booked, 2 stand as they are" in shown
