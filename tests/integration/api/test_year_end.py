"""The end of a year over HTTP and by command: its result is retained earnings, its statement stays as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

from lendlog.books import Desk
from lendlog.cli import build
from services.ledger.commands import LedgerCommands
from services.ledger.commands.refusals import YearIsClosed
from shared.access import issue
from shared.database import connect, open_pool
from shared.topics import LIFECYCLE
from tests.integration.api.client import LOAN, ROLES, TERMS, Client
from tests.integration.api.test_entries import EUR, Office, audited
from tests.integration.api.test_process import serving
from tests.integration.api.test_story import worker
from tests.places import Place

pytestmark = pytest.mark.servers
OPENED, END = date(2023, 12, 30), date(2023, 12, 31)


async def test_a_year_is_closed_once_its_last_period_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    roles = (*ROLES, "accountant", "approver")
    tokens = {role: await issue(database, name=role, role=role) for role in roles}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        office = Office(Client(http, tokens))
        await office.does("operator", "/v1/book", {"business_date": OPENED.isoformat()})
        await office.does("officer", "/v1/loans", LOAN | {"terms": TERMS | {"first_due_date": "2024-01-31"}})
        await office.does("officer", "/v1/loans/loan-1/disbursement", {"amount": "1200.00", **EUR})
        line = {"debit": "operating-expense", "credit": "cash", "amount": "2.50", **EUR}
        entry = {"value_date": OPENED.isoformat(), "lines": [line], "reason": "rent"}
        made = await office.does("accountant", "/v1/entries", entry)
        await office.does("approver", f"/v1/entries/{made['event_id']}/approval", {})
        await office.closes(OPENED, END + timedelta(days=1))
        await office.does("accountant", "/v1/years/2023/close", {}, "year-not-over")
        await office.does("accountant", "/v1/years/23/close", {}, "year-not-named")
        period = await office.does("accountant", "/v1/periods/2023-12/close", {})
        await office.reads(f"/v1/periods?after={period['event_id']}")
        december = await office.month("2023-12")

        closed = await office.does("accountant", "/v1/years/2023/close", {}, idempotency_key="year")
        (interest, rent, result) = closed["lines"]
        assert (interest["debit"], interest["credit"]) == ("interest-income", "income-summary")
        assert (rent["credit"], rent["amount"], result["debit"]) == ("operating-expense", "2.50", "retained-earnings")
        await office.reads(f"/v1/loans/general-ledger/entries?after={closed['event_id']}")
        again = await office.does("accountant", "/v1/years/2023/close", {}, idempotency_key="year")
        assert again["event_id"] == closed["event_id"]
        await office.does("accountant", "/v1/years/2023/close", {}, "year-is-closed")
        assert await office.month("2023-12") == december, "what a closed period tells never changes"
        trial = (await office.reads("/v1/trial-balance?effective=2023-12-31"))["currencies"]["EUR"]
        balances = {row["account"]: row["balance"] for row in trial["accounts"]}
        assert (balances["retained-earnings"], trial["difference"]) == (result["amount"], "0.00")
        assert {balances[name] for name in ("interest-income", "operating-expense", "income-summary")} == {"0.00"}
        for how in ("period=2024-01", "from=2024-01-01&to=2024-01-02&by=booking"):
            january = await office.reads(f"/v1/income-statement?{how}")
            (income,) = january["currencies"]["EUR"]["income"]
            assert (income["account"], income["late"], january["late_facts"]) == ("interest-income", "0.00", [])
            assert january["currencies"]["EUR"]["expense"] == []
        await asyncio.to_thread(command_line, place, monkeypatch)
    connection = await connect(place.admin_url, place.ledger_schema)
    try:
        await audited(place, connection)
    finally:
        await connection.close()


def command_line(place: Place, patch: pytest.MonkeyPatch) -> None:
    """The same by command."""

    @asynccontextmanager
    async def recording() -> AsyncIterator[Desk]:
        pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
        books = await connect(place.url("ledger_api"), place.ledger_schema)
        try:
            yield Desk(LedgerCommands(pool, place.partitions, place.prefix + LIFECYCLE.name), books, place)  # type: ignore[arg-type]
        finally:
            await books.close()
            await pool.close()

    patch.setattr("lendlog.close_year_command.recording", recording)
    patch.setattr("lendlog.close_year_command.run_to_end", asyncio.run)
    arguments = ("close-year", "2023", "--by", "ann")
    with pytest.raises(YearIsClosed):
        CliRunner().invoke(build(arguments), arguments, catch_exceptions=False)
