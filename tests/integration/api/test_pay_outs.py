"""Money out by file on running services: what is paid and what is left out, two people at once, a file that is not
sent, a bank that rejects; names and account numbers stand in the file alone, and the audit finds nothing."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from typer.testing import CliRunner

from lendlog.books import Desk
from lendlog.cli import build
from lendlog.verify_command import log_reader
from services.ledger.bank.pain_parts import reference_of
from services.ledger.commands import (
    Command,
    ConcludeContract,
    Disburse,
    LedgerCommands,
    OpenBook,
    UndoEvent,
    refinance,
)
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect, open_pool
from shared.events.envelope import new_event_id
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.streams.kafka import KafkaLog
from shared.topics import LIFECYCLE
from tests.faults.ledger_run import caught_up, workers
from tests.integration.api.client import ROLES, TERMS, Client, rule
from tests.integration.api.test_process import serving
from tests.places import Place
from tests.unit.ledger.bank.pay_outs import pain002, said
from tests.unit.ledger.bank.samples import camt, entry

pytestmark = pytest.mark.servers
OPENED = date(2024, 1, 31)
IBAN = "CZ6508000000192000145399"
PAID = ("loan-1", "loan-2")
"""Of what loan-2 lends, 500.00 pay off a part of loan-0. Of the others loan-3's borrower has no account, loan-4's
disbursement was mistaken, and a statement's line stands for loan-0's: it was paid by hand."""
BY_HAND = camt(entry("-1200.00", text="loan-0", on="2024-01-31"), closing="3800.00", day="2024-01-31")


async def set_up(place: Place) -> dict[str, str]:
    """Loans paid out, recorded and not yet published; a token for each role."""
    pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
    terms = Terms.model_validate(TERMS | {"first_due_date": date(2024, 2, 29)})
    commands = LedgerCommands(pool, place.partitions, topics_of(place.settings()).lifecycle)
    disbursements = {f"loan-{n}": new_event_id() for n in range(5)}
    await commands.record_many([OpenBook(OPENED, new_event_id())])
    for loan_id, event_id in disbursements.items():
        borrower = "b-loan-2" if loan_id == "loan-0" else f"b-{loan_id}"
        contract = Contract(borrower_id=borrower, product="micro@1", terms=terms)
        paid: tuple[Command, ...] = (Disburse(loan_id, "1200.00", "EUR", None, event_id),)
        if loan_id == "loan-2":
            paid = refinance(
                loan_id, "loan-0", amount="1200.00", payoff="500.00", currency="EUR", on=None, event_id=event_id
            )
        await commands.record_many([ConcludeContract(loan_id, contract, new_event_id()), *paid])
    await commands.record_many([UndoEvent("loan-4", disbursements["loan-4"], "mistaken", new_event_id())])
    async with pool.acquire() as connection:
        tokens = {role: await issue(connection, name=role, role=role) for role in ROLES}
    await pool.close()
    return tokens


@dataclass(frozen=True)
class Origination:
    """What answers for accounts, in origination's place; `asked`: by whom, for what."""

    url: str
    asked: list[tuple[str, str | None]]

    def api_url(self, _: str) -> str:
        return self.url

    def tokens(self) -> dict[str, str]:
        return {"accountant": "a-token"}


@asynccontextmanager
async def origination() -> AsyncIterator[Origination]:
    asked: list[tuple[str, str | None]] = []

    async def account(request: web.Request) -> web.Response:
        asked.append((request.match_info["borrower"], request.query.get("purpose")))
        assert request.headers["authorization"] == "Bearer a-token"
        if request.match_info["borrower"] == "b-loan-3":
            return web.json_response({}, status=404)
        none = dict.fromkeys(("number", "bank_code", "clearing", "bic"))
        return web.json_response({"borrower_id": "b", "holder": "Ludmila Veselá", "iban": IBAN} | none)

    app = web.Application()
    app.router.add_get("/v1/parties/{borrower}/account", account)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Origination(f"http://127.0.0.1:{runner.addresses[0][1]}", asked)
    finally:
        await runner.cleanup()


def command_line(place: Place, platform: Origination, patch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The commands on the place's books."""

    @asynccontextmanager
    async def recording() -> AsyncIterator[Desk]:
        pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
        books = await connect(place.url("ledger_api"), place.ledger_schema)
        try:
            commands = LedgerCommands(pool, place.partitions, place.prefix + LIFECYCLE.name)
            yield Desk(commands, books, platform)  # type: ignore[arg-type]
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

    patch.setattr("lendlog.pay_out_command.recording", recording)
    patch.setattr("lendlog.pay_out_command.reading", reading)
    patch.setattr("lendlog.pay_out_command.run_to_end", asyncio.run)  # signals are the main thread's

    async def call(*arguments: str, code: int = 0) -> Any:
        arguments = ("pay-out", *arguments, "--json")
        done = await asyncio.to_thread(CliRunner().invoke, build(arguments), arguments, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    return call


async def a_file_is_made(call: Any, folder: Path, asked: list[Any]) -> dict[str, Any]:
    out = folder / "pay.xml"
    made = await call("make", "--account", "main-eur", "--until", "2024-01-31", "--out", str(out), code=1)
    file, content = made["file"], out.read_bytes()
    assert (out.stat().st_mode & 0o777, hashlib.sha256(content).hexdigest()) == (0o600, file["sha256"])
    assert [path.name for path in folder.glob("pay.xml*")] == ["pay.xml"]
    assert content.count(IBAN.encode()) == len(PAID)
    assert {item["loan_id"] for item in file["items"]} == set(PAID)
    assert (file["total"], file["execution_date"], file["state"]) == ("1900.00", "2024-01-31", "made")
    assert all(f"<EndToEndId>{item['reference']}</EndToEndId>".encode() in content for item in file["items"])
    left = {one["loan_id"]: (one["why"], one["amount"]) for one in made["left_out"]}
    assert left == {
        "loan-0": ("at-the-bank", "1200.00"),
        "loan-2": ("pays-off-loan", "500.00"),
        "loan-3": ("no-account", "1200.00"),
        "loan-4": ("undone", "1200.00"),
    }
    assert sorted(asked) == [(f"b-loan-{n}", "pay-out") for n in (1, 2, 3)]
    return dict(file)


async def each_is_in_one_file(client: Client, file: dict[str, Any]) -> None:
    """Two people at once for what is left, and somebody for what is taken."""
    due = (await client.send("auditor", "GET", "/v1/pay-outs/due?account=main-eur&until=2024-01-31")).json()
    (third,) = due["pays"]
    assert (third["loan_id"], due["total"]) == ("loan-3", "1200.00")

    async def make(disbursements: list[str], total: str = "1200.00") -> httpx.Response:
        body = {
            "file_id": new_event_id(), "account": "main-eur", "execution_date": "2024-01-31", "sha256": "5e" * 32,
            "total": total, "disbursements": disbursements,
        }  # fmt: skip
        return await client.send("accountant", "POST", "/v1/pay-outs", body)

    taken = [item["disbursement_id"] for item in file["items"]]
    for refused, name in (
        (await make(taken, "1900.00"), "disbursement-in-file"),
        (await make([third["disbursement_id"]], "1200.01"), "sum-differs"),
        (await make([new_event_id()]), "not-to-be-paid-out"),
        (await make([third["disbursement_id"]] * 2, "2400.00"), "not-to-be-paid-out"),
    ):
        assert rule(refused) == name, refused.text
    answers = await asyncio.gather(*(make([third["disbursement_id"]]) for _ in range(4)))
    done = [answer.json() for answer in answers if answer.status_code == 202]
    assert len(done) == 1
    assert {rule(answer) for answer in answers if answer.status_code != 202} <= {
        "disbursement-in-file", "changed-meanwhile", "files-on-their-way",
    }  # fmt: skip
    after = done[0]["events"][-1]
    assert len((await client.send("auditor", "GET", f"/v1/pay-outs?after={after}")).json()["files"]) == 2
    void = f"/v1/pay-outs/{done[0]['file_id']}/void"
    voided = await client.send("accountant", "POST", void, {"reason": "the bank was closed"})
    assert (voided.status_code, voided.json()["state"]) == (202, "voided")
    await client.send("auditor", "GET", f"/v1/pay-outs?after={voided.json()['events'][-1]}")
    assert rule(await client.send("accountant", "POST", void, {"reason": "again"})) == "file-was-voided"
    free = (await client.send("auditor", "GET", "/v1/pay-outs/due?account=main-eur&until=2024-01-31")).json()
    assert free["pays"] == [third]


async def the_bank_answers(client: Client, call: Any, file: dict[str, Any], folder: Path) -> None:
    """One item is rejected, once; reports of something else change nothing."""
    first, second = (next(one for one in file["items"] if one["loan_id"] == loan_id) for loan_id in PAID)
    content = pain002(
        file["message_id"], said(first["reference"], "ACSC"), said(second["reference"], "RJCT", "AC04", "700.00"),
        count=2, total="1900.00",
    )  # fmt: skip

    async def send(report: bytes) -> httpx.Response:
        headers = {"authorization": f"Bearer {client.tokens['accountant']}"}
        return await client.http.post("/v1/pay-outs/statuses", content=report, headers=headers)

    for wrong, name in (
        (content.replace(b"1900.00", b"1900.01"), "sum-differs"),
        (content.replace(b'Ccy="EUR"', b'Ccy="CZK"'), "amount-differs"),
        (content.replace(first["reference"].encode(), b"ab12"), "unknown-reference"),
        (content.replace(file["message_id"].encode(), b"ab12"), "unknown-payment-file"),
        (content.replace(b"<Document", b"<!DOCTYPE a []><Document"), "hostile-xml"),
    ):
        assert rule(await send(wrong)) == name
    report = folder / "status.xml"
    report.write_bytes(content)
    changed = (await call("status", str(report), code=1))["changed"]
    assert {(one["loan_id"], one["status"], one["reason"]) for one in changed} == {
        ("loan-1", "ACSC", None),
        ("loan-2", "RJCT", "AC04"),
    }
    again = await send(content)
    assert (again.status_code, again.json()["repeated"], again.json()["events"]) == (200, True, [])
    other = content.replace(b"ACSC", b"ACSP")
    assert rule(await send(other)) == "report-changed"
    back = content.replace(b"RJCT", b"ACSC").replace(b"R-1", b"R-2")
    assert rule(await send(back)) == "rejected-before"
    loans = [(await client.send("auditor", "GET", f"/v1/loans/{loan_id}")).json() for loan_id in (*PAID, "loan-0")]
    assert [loan["status"] for loan in loans] == ["active", "contracted", "active"]
    assert loans[2]["principal_outstanding"] == "1200.00", "the other side of the refinancing is undone, too"
    listed = (await call("list"))["files"]
    assert [(one["state"], one["statuses"]) for one in listed] == [
        ("answered", {"ACSC": 1, "RJCT": 1}),
        ("voided", {"none": 1}),
    ]


async def nothing_names_anybody(place: Place) -> None:
    log = KafkaLog(place.kafka_bootstrap)
    reader = log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle)
    await log.start()
    try:
        for partition in range(place.partitions):
            _, end = await log.bounds(topics_of(place.settings()).lifecycle, partition)
            async for records in reader(partition, end, 0):
                assert not any(IBAN.encode() in record.value or b"Vesel" in record.value for record in records)
    finally:
        await log.stop()


async def test_a_disbursement_goes_out_in_one_file_and_comes_back_once(
    places: Callable[..., Awaitable[Place]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await places(partitions=2)
    tokens = await set_up(place)
    with workers(place, tmp_path) as alive:
        async with serving(place) as (_, http), origination() as platform:
            client, call = Client(http, tokens), command_line(place, platform, monkeypatch)
            await caught_up(place, alive=alive)
            headers = {"authorization": f"Bearer {tokens['accountant']}"}
            taken = await http.post("/v1/bank/statements", content=BY_HAND, headers=headers)
            assert taken.json()["statements"][0]["outcomes"] == {"disbursed": 1}, taken.text
            await caught_up(place, alive=alive)
            file = await a_file_is_made(call, tmp_path, platform.asked)
            await each_is_in_one_file(client, file)
            await the_bank_answers(client, call, file, tmp_path)
            await caught_up(place, alive=alive)
    await nothing_names_anybody(place)
    books = await connect(place.admin_url, place.ledger_schema)
    audit = await verify(books, log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle))
    await books.close()
    assert audit.findings == {}
    assert reference_of(file["file_id"]) == file["message_id"]
    assert len(audit.payment_files.seen) == 3
