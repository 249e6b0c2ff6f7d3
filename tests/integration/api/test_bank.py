"""Bank statements over HTTP on running services: a process that dies in the middle, the same file again and twice at
once, lines that people match; then cash agrees three ways, and the books are what a fold of the log gives."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from lendlog.cli import build
from lendlog.verify_command import log_reader
from services.ledger.commands import CloseDate, ConcludeContract, Disburse, LedgerCommands, OpenBook, ReceivePayment
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect, open_pool
from shared.events.envelope import new_event_id
from shared.events.origination import Contract
from shared.events.terms import Terms
from tests.faults.ledger_run import caught_up, live_digest, workers
from tests.integration.api.client import ROLES, TERMS, Client, rule
from tests.integration.api.test_process import serving
from tests.places import Place
from tests.unit.ledger.bank.samples import camt, entry
from tests.waiting import until

pytestmark = pytest.mark.servers
OPENED = date(2024, 1, 31)
FIRST = camt(
    entry("-1200.00", text="loan-1", on="2024-01-31"),
    entry("100.00", text="loan-1", bank="B-2", on="2024-01-31"),
    entry("60.00", e2e="receipt/77", bank="B-3", on="2024-01-31"),
    entry("17.00", bank="B-4", on="2024-01-31"),
    entry("-9.50", bank="B-5", on="2024-01-31"),
    entry("-600.00", text="loan-2", bank="B-6", on="2024-01-31"),
    entry("33.00", e2e="receipt/78", bank="B-7", on="2024-01-31"),
    closing="3400.50",
    day="2024-01-31",
)
SECOND = camt(
    entry("-100.00", text="loan-1", returned=True, on="2024-01-31"), opening="3400.50", closing="3300.50", number=2,
    day="2024-01-31",
)  # fmt: skip

THIRD = camt(
    entry("42.00", text="cash of branch north", bank="B-9", on="2024-02-01"), opening="3300.50", closing="3342.50",
    number=3, day="2024-02-01",
)  # fmt: skip


async def set_up(place: Place) -> dict[str, str]:
    """A loan paid out and a cash receipt, and the same of one of which nothing is booked: recorded, not yet published;
    a token for each role."""
    pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
    terms = Terms.model_validate(TERMS | {"first_due_date": date(2024, 2, 29)})
    contract = Contract(borrower_id="b-1", product="micro@1", terms=terms)
    unbooked = terms.model_copy(update={"principal": "600.00", "accounting": "none"})
    none = Contract(borrower_id="b-2", product="micro@1", terms=unbooked)
    commands = LedgerCommands(pool, place.partitions, topics_of(place.settings()).lifecycle)
    await commands.record_many(
        [
            OpenBook(OPENED, new_event_id()),
            ConcludeContract("loan-1", contract, new_event_id()),
            Disburse("loan-1", "1200.00", "EUR", None, new_event_id()),
            ReceivePayment("loan-1", "60.00", "EUR", None, "receipt/77", new_event_id()),
            ConcludeContract("loan-2", none, new_event_id()),
            Disburse("loan-2", "600.00", "EUR", None, new_event_id()),
            ReceivePayment("loan-2", "33.00", "EUR", None, "receipt/78", new_event_id()),
            CloseDate(OPENED, new_event_id()),
        ]
    )
    async with pool.acquire() as connection:
        tokens = {role: await issue(connection, name=role, role=role) for role in ROLES}
    await pool.close()
    return tokens


async def send(client: Client, content: bytes, role: str = "teller") -> httpx.Response:
    headers = {"authorization": f"Bearer {client.tokens[role]}", "content-type": "application/xml"}
    return await client.http.post("/v1/bank/statements", content=content, headers=headers)


async def lines(client: Client, after: str | None = None, **named: str) -> list[dict[str, Any]]:
    query = {"after": after} if after else {}
    answer = await client.http.get(
        "/v1/bank/lines", params=query | named, headers={"authorization": f"Bearer {client.tokens['auditor']}"}
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["lines"]
    return found


async def paged(client: Client) -> list[dict[str, Any]]:
    """All lines, three at a time."""
    found: list[dict[str, Any]] = []
    headers, cursor = {"authorization": f"Bearer {client.tokens['auditor']}"}, {}
    while True:
        answer = await client.http.get("/v1/bank/lines", params={"limit": "3"} | cursor, headers=headers)
        found += answer.json()["lines"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


async def say(client: Client, line: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.send("officer", "POST", f"/v1/bank/lines/{line}/{what}", {"reason": "told"} | body)
    assert answer.status_code == 202, answer.text
    last = answer.json()["events"][-1]
    return next(one for one in await lines(client, last) if one["line_id"] == line)


async def opened(place: Place) -> bool:
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        return bool(await connection.fetchval("SELECT bool_and(open_date = '2024-02-01') FROM position"))
    finally:
        await connection.close()


async def dies_in_the_middle(place: Place, tokens: dict[str, str]) -> None:
    """The process publishes the statement's events and is killed before it knows."""
    async with serving(place, LENDLOG_CRASH_AT="command-relay.after-publish:2") as (process, http):
        await until(lambda: opened(place), 20)
        with suppress(httpx.TransportError):
            await send(Client(http, tokens), FIRST)
        assert await asyncio.wait_for(process.wait(), 10) == 137


async def goes_on(client: Client) -> None:
    """The same file again, then the next one twice at once."""

    async def taken() -> httpx.Response | None:
        answer = await send(client, FIRST + b" " * (100 << 10))  # more than other routes read
        return None if answer.status_code == 409 and rule(answer) == "statement-on-its-way" else answer

    found: list[httpx.Response] = []

    async def again() -> bool:
        if (answer := await taken()) is not None:
            found.append(answer)
        return bool(found)

    await until(again)
    (document,) = found[0].json()["statements"]
    assert (found[0].status_code, document["repeated"], found[0].json()["events"]) == (200, True, [])
    assert document["outcomes"] == {"disbursed": 2, "matched": 2, "partial": 1, "unmatched": 2}
    answers = await asyncio.gather(*(send(client, SECOND) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 202, 409}, [answer.text for answer in answers]
    assert [answer.status_code for answer in answers].count(202) >= 1
    refused = await send(client, SECOND.replace(b"loan-1", b"loan-9"))
    assert (refused.status_code, rule(refused)) in {(409, "statement-changed"), (409, "statement-on-its-way")}


async def people_decide(client: Client) -> None:
    """Match, split, unmatch, outside."""
    first, _, _, nameless, fee, *_ = [one["line_id"] for one in await lines(client) if one["statement_id"] == "S-1"]
    split = [{"loan_id": "loan-1", "amount": "10.00"}, {"loan_id": "loan-7", "amount": "7.00"}]
    assert [one["loan_id"] for one in (await say(client, nameless, "split", {"parts": split}))["allocations"]] == [
        "loan-1",
        "loan-7",
    ]
    assert (await say(client, nameless, "unmatch", {}))["outcome"] == "unmatched"
    matched = await say(client, nameless, "match", {"loan_id": "loan-1"})
    assert [(one["loan_id"], one["amount"]) for one in matched["allocations"]] == [("loan-1", "17.00")]
    again = await client.send(
        "officer", "POST", f"/v1/bank/lines/{nameless}/match", {"loan_id": "loan-1", "reason": "told"}
    )
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert (await say(client, fee, "match", {"outside": True, "reason": "the bank's fee"}))["outcome"] == "outside"
    paid_out = next(one for one in await lines(client) if one["line_id"] == first)["allocations"][0]["event_id"]
    assert (await say(client, first, "unmatch", {}))["outcome"] == "unmatched"
    assert (await say(client, first, "match", {"event_id": paid_out}))["outcome"] == "assigned"
    for body, status, name in (
        ({"parts": split[:1]}, 422, "does-not-add-up"),
        ({"parts": []}, 422, "invalid-request"),
    ):
        answer = await client.send("officer", "POST", f"/v1/bank/lines/{nameless}/split", {"reason": "x"} | body)
        assert (answer.status_code, rule(answer)) == (status, name)
    two = await client.send(
        "officer", "POST", f"/v1/bank/lines/{nameless}/match", {"loan_id": "a", "outside": True, "reason": "x"}
    )
    assert two.status_code == 422
    nobody = await client.send("officer", "POST", f"/v1/bank/lines/{new_event_id()}/unmatch", {"reason": "x"})
    assert (nobody.status_code, rule(nobody)) == (404, "unknown-line")


async def the_branch_pays_in(client: Client) -> None:
    """Cash of two receipts comes to the bank as one line, which a person says is both."""
    paid = []
    for number, amount in (("N-1", "30.00"), ("N-2", "12.00"), ("N-3", "5.00")):
        cash = {"amount": amount, "currency": "EUR", "receipt": {"branch": "north", "number": number}}
        paid.append((await client.pay(cash)).json()["event_id"])
    back = await client.send("officer", "POST", f"/v1/loans/loan-1/payments/{paid[2]}/reversal", {"reason": "mistyped"})
    asked = f"/v1/branches/north/cash?on=2024-02-01&after={back.json()['event_id']}"
    till = (await client.send("teller", "GET", asked)).json()
    assert sorted((one["number"], one["stands"]) for one in till["receipts"]) == [
        ("N-1", True),
        ("N-2", True),
        ("N-3", False),
    ]
    assert till["totals"] == {"EUR": {"receipts": 3, "received": "47.00", "reversed": "5.00", "net": "42.00"}}
    answer = await send(client, THIRD)
    assert answer.status_code == 202, answer.text
    found = await lines(client, answer.json()["events"][-1])
    line = next(one["line_id"] for one in found if one["statement_id"] == "S-3")
    both = await say(client, line, "match", {"event_ids": paid[:2]})
    assert (both["outcome"], [one["event_id"] for one in both["allocations"]]) == ("assigned", paid[:2])
    gone = {"event_ids": paid, "reason": "told"}
    refused = await client.send("officer", "POST", f"/v1/bank/lines/{line}/match", gone)
    assert (refused.status_code, rule(refused)) == (404, "unknown-fact")


def command_line(place: Place, patch: pytest.MonkeyPatch) -> None:
    """What the commands print of it."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[Any, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield place, connection
        finally:
            await connection.close()

    patch.setattr("lendlog.reconcile_command.reading", reading)
    for module in ("trial_balance_command", "two_dates"):
        patch.setattr(f"lendlog.{module}.reading", reading)
        patch.setattr(f"lendlog.{module}.run_to_end", asyncio.run)
    patch.setattr("lendlog.reconcile_command.run_to_end", asyncio.run)  # signals are the main thread's
    patch.setenv("LENDLOG_TOPIC_PREFIX", place.prefix)

    def call(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(build(arguments), arguments)
        assert done.exit_code == code, done.output
        return done.output

    shown = json.loads(call("reconcile", "list", "--outcome", "outside", "--json"))["lines"]
    assert [(one["amount"], one["reason"]) for one in shown] == [("-9.50", "the bank's fee")]
    assert "returned" in call("reconcile", "list")
    found = json.loads(call("reconcile", "check", "--on", "2024-01-31", "--json"))
    euro = found["currencies"]["EUR"]
    assert (found["ok"], euro["bank"], euro["books"], euro["unbooked"], euro["log"], euro["difference"]) == (
        True,
        "3300.50",
        "-1123.00",
        "-567.00",
        "-1690.00",
        "-9.50",
    )
    assert [(item["kind"], item["amount"]) for item in euro["items"]] == [("outside", "-9.50")]
    assert "outside" in call("reconcile", "check", "--on", "2024-01-31")
    trial = json.loads(call("trial-balance", "--bank-accounts", "--json"))["currencies"]["EUR"]
    shown = [(row["bank_account"], row["balance"]) for row in trial["bank_accounts"]]
    assert shown == [("main-eur", "-1081.00"), (None, "0.00")]
    (cash,) = [row["balance"] for row in trial["accounts"] if row["account"] == "cash"]
    assert cash == "-1081.00"
    period = ("--from", "2024-01-31", "--to", "2024-01-31")
    for dates in (("--period", "2024-01"), period, (*period, "--by", "value")):
        moved = json.loads(call("movements", *dates, "--bank-accounts", "--json"))["currencies"]["EUR"]
        (cash,) = [row["closing"] for row in moved["accounts"] if row["account"] == "cash"]
        assert round(sum(float(row["closing"]) for row in moved["bank_accounts"]), 2) == float(cash)
    assert "not at a known account" in call("trial-balance", "--bank-accounts")


async def test_statements_are_taken_once_and_cash_agrees_three_ways(
    places: Callable[..., Awaitable[Place]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await places(partitions=2)
    tokens = await set_up(place)
    with workers(place, tmp_path) as alive:
        await dies_in_the_middle(place, tokens)
        async with serving(place) as (_, http):
            client = Client(http, tokens)
            await goes_on(client)
            await caught_up(place, alive=alive)
            await people_decide(client)
            assert await paged(client) == await lines(client)
            await caught_up(place, alive=alive)
            await the_branch_pays_in(client)
            await caught_up(place, alive=alive)
    await asyncio.to_thread(command_line, place, monkeypatch)
    live = await live_digest(place)
    assert (live["parked"], live["suspense"]) == (0, 0)
    books = await connect(place.admin_url, place.ledger_schema)
    audit = await verify(books, log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle))
    await books.close()
    assert audit.findings == {}
