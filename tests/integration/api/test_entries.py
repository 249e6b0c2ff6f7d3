"""An accountant's month over HTTP and by commands: an entry that two people make, a period that is closed, and a
payment that comes too late for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from lendlog.books import Desk
from lendlog.cli import build
from services.ledger import queries
from services.ledger.commands import LedgerCommands, refusals
from services.ledger.digest import digest_of
from services.ledger.explanation import why_entry
from services.ledger.queries.reports import income_document, movements_document, movements_of, trial_balance_document
from services.ledger.queries.tallies import tally
from services.ledger.replay import replay_ledger
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect, open_pool
from shared.streams.ports import Record
from shared.streams.replay import read_partition
from shared.topics import LIFECYCLE
from tests.integration.api.client import LOAN, ROLES, Client, problem, rule
from tests.integration.api.test_process import serving
from tests.integration.api.test_story import worker
from tests.places import Place
from tests.property.test_two_dates import date_of, parts

pytestmark = pytest.mark.servers
EUR = {"currency": "EUR"}
CHARGES = [
    {"debit": "bank-charges", "amount": "10.00", **EUR},
    {"debit": "operating-expense", "amount": "2.50", **EUR},
    {"credit": "cash", "amount": "12.50", **EUR},
]
ENTRY = {"value_date": "2024-01-31", "lines": CHARGES, "reason": "bank statement", "reference": "stmt/2024-01"}
REPORTS = ("trial-balance", "movements", "income-statement")


class Office:
    """Accountant and approver at their desks."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def does(self, role: str, path: str, body: Any, expected: str = "", **headers: str) -> Any:
        """A POST; `expected` is the rule that refuses it, else it is accepted."""
        answer = await self.client.send(role, "POST", path, body, **headers)
        if expected:
            assert rule(answer) == expected, answer.text
            return problem(answer)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def reads(self, path: str) -> Any:
        answer = await self.client.send("accountant", "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def closes(self, start: date, end: date) -> None:
        for n in range((end - start).days + 1):
            closed = {"business_date": (start + timedelta(days=n)).isoformat()}
            done = await self.does("operator", "/v1/book/closings", closed)
        await self.reads(f"/v1/book?after={done['event_id']}")

    async def month(self, name: str) -> list[Any]:
        """The reports of a period."""
        return [await self.reads(f"/v1/{report}?period={name}") for report in REPORTS]


async def test_a_month_is_closed_and_stays_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    roles = (*ROLES, "accountant", "approver")
    tokens = {role: await issue(database, name=role, role=role) for role in roles}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        office = Office(Client(http, tokens))
        await office.client.opened()
        await office.does("officer", "/v1/loans", LOAN)
        out = await office.does("officer", "/v1/loans/loan-1/disbursement", {"amount": "1200.00", **EUR})
        await office.reads(f"/v1/loans/loan-1?after={out['event_id']}")
        await office.does("accountant", "/v1/periods/2024-01/close", {}, "period-not-over")
        await office.closes(date(2024, 1, 31), date(2024, 2, 3))
        approved = await entries(office)
        closed = await close(office)
        january = await office.month("2024-01")
        assert [one["closed"] for one in january] == [True, True, True]

        late = await office.client.pay({"amount": "50.00", "effective_date": "2024-01-31", **EUR})
        await office.reads(late.headers["location"])
        await office.closes(date(2024, 2, 4), date(2024, 2, 4))
        assert await office.month("2024-01") == january
        _, moved, _ = await office.month("2024-02")
        assert not moved["closed"]
        assert [fact["event_id"] for fact in moved["late_facts"]] == [late.json()["event_id"]]
        cash = next(line for line in moved["currencies"]["EUR"]["accounts"] if line["account"] == "cash")
        assert (cash["opening"], cash["late_debit"], cash["closing"]) == ("-1212.50", "50.00", "-1162.50")
        (period,) = (await office.reads("/v1/periods"))["periods"]
        assert (period["period"], period["closed_by"], period["closed_on"]) == ("2024-01", "accountant", "2024-02-04")
        assert (period["closed"], period["event_id"]) == (True, closed["event_id"])
        await asyncio.to_thread(command_line, place, monkeypatch, january, approved)
    await the_books_agree(place, january)


async def entries(office: Office) -> str:
    """One that is approved, one that is declined, and those that are refused; the id of the approved one."""
    unbalanced = ENTRY | {"lines": [*CHARGES[:2], CHARGES[2] | {"amount": "12.00"}]}
    said = await office.does("accountant", "/v1/entries", unbalanced, "entry-unbalanced")
    assert "0.50 too much in debits" in said["detail"]
    control = ENTRY | {
        "loan_id": "loan-1",
        "lines": [{"debit": "loans-receivable", "credit": "cash", "amount": "1.00", **EUR}],
    }
    said = await office.does("accountant", "/v1/entries", control, "control-account")
    assert said["errors"][0]["field"] == "/lines/0/debit"
    for nobody in ("loan-9", "general-ledger"):
        await office.does("accountant", "/v1/entries", ENTRY | {"loan_id": nobody}, "unknown-loan")
    for broken in (ENTRY | {"lines": []}, ENTRY | {"lines": [{"amount": "1.00", **EUR}]}, ENTRY | {"maker": "eve"}):
        answer = await office.client.send("accountant", "POST", "/v1/entries", broken)
        assert answer.status_code == 422, answer.text
    assert (await office.reads("/v1/entries"))["entries"] == []

    made = await office.does("accountant", "/v1/entries", ENTRY, idempotency_key="one")
    assert await office.does("accountant", "/v1/entries", ENTRY, idempotency_key="one") == made
    entry_id = made["event_id"]
    await office.does("accountant", f"/v1/entries/{entry_id}/approval", {}, "four-eyes")
    await office.does("accountant", f"/v1/entries/{entry_id}/reversal", reversal(), "entry-not-approved")
    await office.does("approver", "/v1/entries/018f3d2a-7b1c-7d4e-9a3b-5c6d7e8f90a1/approval", {}, "unknown-entry")
    path = f"/v1/entries/{entry_id}/approval"
    done = await office.does("approver", path, {}, idempotency_key="two")
    assert await office.does("approver", path, {}, idempotency_key="two") == done
    for way in ("approval", "decline"):
        body = {"reason": "no"} if way == "decline" else {}
        await office.does("approver", f"/v1/entries/{entry_id}/{way}", body, "entry-decided")
    booked = await office.reads(f"/v1/loans/general-ledger/entries?after={done['event_id']}")
    assert [len(one["postings"]) for one in booked["entries"]] == [0, 2]

    of_loan = await office.does("accountant", "/v1/entries", ENTRY | {"loan_id": "loan-1"})
    await office.does("approver", f"/v1/entries/{of_loan['event_id']}/decline", {"reason": "the wrong loan"})
    whole = await office.reads("/v1/entries")
    assert [row["state"] for row in whole["entries"]] == ["approved", "declined"]
    first = await office.reads("/v1/entries?limit=1")
    second = await office.reads(f"/v1/entries?limit=1&cursor={first['next_cursor']}")
    assert (first["entries"] + second["entries"], second["next_cursor"]) == (whole["entries"], whole["next_cursor"])
    nobody = await office.client.send("accountant", "GET", f"/v1/entries?cursor={made['event_id'][:-4]}ffff")
    assert rule(nobody) == "unknown-entry"
    return str(entry_id)


def reversal() -> dict[str, str]:
    return {"value_date": "2024-02-01", "reason": "booked twice"}


async def close(office: Office) -> Any:
    """January, with an entry of it still waiting."""
    waiting = await office.does("accountant", "/v1/entries", ENTRY)
    report = await office.does("accountant", "/v1/periods/2024-01/close", {})
    assert report["currencies"]["EUR"] == {"debits": "1212.91", "credits": "1212.91", "difference": "0.00"}
    issues = report["open_issues"]
    assert {name: one["count"] for name, one in issues.items() if one["count"]} == {"unvalued": 1, "entries": 1}
    assert [row["entry_id"] for row in issues["entries"]["examples"]] == [waiting["event_id"]]
    assert issues["unvalued"]["examples"] == [{"loan_id": "loan-1", "valued_for": None}]
    await office.reads(f"/v1/periods?after={report['event_id']}")
    await office.does("accountant", "/v1/periods/2024-01/close", {}, "period-is-closed")
    await office.does("accountant", "/v1/periods/2023-12/close", {}, "period-is-closed")
    await office.does("accountant", "/v1/periods/2024-02/close", {}, "period-not-over")
    await office.does("accountant", "/v1/periods/2024-1/close", {}, "not-a-period")
    await office.does("accountant", "/v1/entries", ENTRY, "period-is-closed")
    await office.does("approver", f"/v1/entries/{waiting['event_id']}/approval", {}, "period-is-closed")
    return report


def command_line(place: Place, patch: pytest.MonkeyPatch, january: list[Any], approved: str) -> None:
    """The same by commands."""

    @asynccontextmanager
    async def recording() -> AsyncIterator[Desk]:
        pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
        books = await connect(place.url("ledger_api"), place.ledger_schema)
        try:
            yield Desk(LedgerCommands(pool, place.partitions, place.prefix + LIFECYCLE.name), books, place)  # type: ignore[arg-type]
        finally:
            await books.close()
            await pool.close()

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[None, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield None, connection
        finally:
            await connection.close()

    for module in ("entry_command", "close_period_command"):
        patch.setattr(f"lendlog.{module}.recording", recording)
        patch.setattr(f"lendlog.{module}.run_to_end", asyncio.run)
    for module in ("trial_balance_command", "two_dates"):
        patch.setattr(f"lendlog.{module}.reading", reading)
        patch.setattr(f"lendlog.{module}.run_to_end", asyncio.run)

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(build(arguments), arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    told = [json.loads(call(name, "--period", "2024-01", "--json")) for name in REPORTS]
    assert told == january
    assert "adjustments of earlier periods" in call("movements", "--period", "2024-02")
    back = ("--reason", "booked twice", "--value-date", "2024-02-01", "--by", "ann", "--json")
    made = json.loads(call("entry", "reverse", approved, *back))
    assert [(line["debit"], line["credit"]) for line in made["lines"]] == [
        ("cash", "bank-charges"),
        ("cash", "operating-expense"),
    ]
    with pytest.raises(refusals.FourEyes):
        call("entry", "approve", made["entry_id"], "--by", "ann")
    assert json.loads(call("entry", "approve", made["entry_id"], "--by", "bob", "--json"))["state"] == "approved"
    assert f"{approved}  approved by approver, proposed by accountant" in call("entry", "list")
    sides = ("--debit", "bank-charges=1.00", "--credit", "cash=1.01", "--currency", "EUR")
    with pytest.raises(refusals.EntryUnbalanced):
        call("entry", "propose", *sides, "--reason", "a slip", "--by", "ann")
    with pytest.raises(refusals.PeriodIsClosed):
        call("close-period", "2024-01")


async def the_books_agree(place: Place, january: list[Any]) -> None:
    """SQL and plain words say the same of every period; the audit finds nothing; a replay gives the same digest."""
    books = await connect(place.admin_url, place.ledger_schema)
    try:
        rows = await books.fetch("SELECT * FROM posting")
        first, last = date(2024, 1, 1), date(2024, 1, 31)
        balance, moved, income = january
        found = movements_of(parts(list(map(dict, rows)), first, last, "accounting"))
        accounted = (row for row in rows if date_of(row, "accounting") <= last)
        assert balance["currencies"] == trial_balance_document(tally(accounted))
        assert (moved["currencies"], income["currencies"]) == (movements_document(found), income_document(found))
        opens, closes = last + timedelta(days=1), date(2024, 2, 5)
        found = movements_of(parts(list(map(dict, rows)), opens, closes, "accounting"))
        told = await queries.movements(books, opens=opens, closes=closes, by="accounting")
        assert told["currencies"] == movements_document(found)
        await audited(place, books)
        (at, booked) = await books.fetchrow('SELECT partition, max("offset") FROM posting WHERE loan = -1 GROUP BY 1')
        why = await why_entry(books, at, booked, None)
        assert why is not None
        assert (why["loan_id"], why["event"]["data"]["checker"], len(why["postings"])) == ("general-ledger", "bob", 2)
        assert "no state of a loan explains" in why["rule"]
    finally:
        await books.close()


async def audited(place: Place, books: asyncpg.Connection) -> None:
    topics = topics_of(place.settings())

    async def read(partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Record]]:
        stretch = read_partition(place.kafka_bootstrap, topics.lifecycle, partition, start=start, end=end, batch=5000)
        async for records in stretch:
            yield records

    audit = await verify(books, read, prefix=place.prefix)
    assert audit.findings == {}
    schema = await place.create_scratch()
    pool = await open_pool(place.url("replay"), schema)
    try:
        for partition in range(place.partitions):
            await replay_ledger(
                partition, bootstrap=place.kafka_bootstrap, topics=topics, pool=pool, batch=3, closing_chunk=1
            )
        async with pool.acquire() as replayed:
            assert await digest_of(replayed, range(place.partitions)) == await digest_of(books, range(place.partitions))
    finally:
        await pool.close()
