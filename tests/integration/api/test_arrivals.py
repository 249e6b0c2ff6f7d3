"""Loans arrive over HTTP: a portfolio from another system, and a new loan that pays off one of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from lendlog.books import until_in
from lendlog.loans_file import read, read_control
from lendlog.loans_import import import_loans
from lendlog.verify_command import log_reader
from services.ledger.commands import LedgerCommands
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect, open_pool
from shared.partitioner import partition_for
from tests.faults.ledger_run import caught_up, live_digest, replayed, workers
from tests.integration.api.client import LOAN, ROLES, TERMS, Client, problem, rule
from tests.integration.api.test_process import serving
from tests.integration.api.test_servicing import EUR, Desk
from tests.places import Place

pytestmark = pytest.mark.servers

POSITIONS = {
    "disbursed_on": "2023-11-20",
    "accrues_from": "2024-01-20",
    "principal_outstanding": "900.00",
    "instalments": [
        {"due": "2024-01-20", "principal": "300.00", "interest": "3.00", "fees": "2.00"},
        {"due": "2024-02-20", "principal": "300.00", "interest": "6.00", "interest_paid_ahead": "1.00"},
        {"due": "2024-03-20", "principal": "300.00", "interest": "3.00"},
    ],
}
OLD_TERMS = TERMS | {"first_due_date": "2023-12-20", "instalments": 4}


def line(loan_id: str, **changes: Any) -> str:
    contract = {"borrower_id": "b-1", "product": "old@1", "terms": OLD_TERMS}
    cut = {"cut_over": "2024-01-31", "positions": POSITIONS | changes}
    return json.dumps({"loan_id": loan_id, "contract": contract, **cut}) + "\n"


async def entered(place: Place, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A portfolio of which one line is wrong, entered; and again with the line mended."""
    file, control = folder / "loans.jsonl", folder / "control.json"
    file.write_text(line("old-1") + line("old-2", overpaid="1.00") + line("old-3", charged_off_on="2024-01-05"))
    control.write_text(json.dumps({"EUR": {"loans": 3, "principal_outstanding": "1800.00", "interest_due": "6.00"}}))
    settings = place.settings()
    pool = await open_pool(place.url("ledger_api"), place.api_schema, size=2)
    books = await connect(place.url("reader"), place.ledger_schema)
    commands = LedgerCommands(pool, settings.partitions, topics_of(settings).lifecycle)
    found = []
    try:
        for _ in range(2):
            outcome = await import_loans(
                read(file),
                read_control(control),
                commands=commands,
                books=books,
                until_in=lambda event_id: until_in(books, event_id),
                partitions=settings.partitions,
            )
            found.append(outcome.document())
            file.write_text(line("old-1") + line("old-2") + line("old-3", charged_off_on="2024-01-05"))
    finally:
        await books.close()
        await pool.close()
    return found[0], found[1]


async def migrated(place: Place, folder: Path, client: Client) -> None:
    first, again = await entered(place, folder)
    assert (first["entered"], first["ok"]) == (2, False)
    assert [(one["line"], one["rule"]) for one in first["refused"]] == [(2, "credit-beside-claims")]
    assert "EUR loans: file 2, control 3" in first["differences"]
    assert (again["entered"], again["already_there"], again["ok"]) == (1, 2, True), again
    assert again["totals"]["books"]["EUR"] == again["totals"]["file"]["EUR"]
    answer = await client.send("auditor", "GET", "/v1/loans/old-1")
    loan = answer.json()
    assert (loan["days_past_due"], loan["past_due"], loan["status"]) == (11, "305.00", "active")
    answer = await client.send("auditor", "GET", "/v1/loans/old-3")
    assert answer.json()["charged_off_on"] == "2024-01-05"


async def taken_over(client: Client) -> None:
    """The same by the API's route: previewed, refused by name, undone and made again."""
    await client.send("officer", "POST", "/v1/loans", LOAN | {"loan_id": "old-4", "terms": OLD_TERMS})
    path = "/v1/loans/old-4/take-over"
    seen = await client.send("operator", "POST", f"{path}?preview=true", POSITIONS)
    assert seen.json()["difference"]["principal_outstanding"] == "900.00"
    wrong = await client.send("operator", "POST", path, POSITIONS | {"principal_outstanding": "1.00"})
    assert (wrong.status_code, rule(wrong)) == (422, "principal-differs")
    assert problem(wrong)["errors"][0]["field"] == "/principal_outstanding"
    assert (await client.send("officer", "POST", path, POSITIONS)).status_code == 403
    event_id = (await client.send("operator", "POST", path, POSITIONS)).json()["event_id"]
    again = await client.send("operator", "POST", path, POSITIONS)
    assert rule(again) == "loan-is-running"
    undoing = f"/v1/loans/old-4/events/{event_id}/undoing"
    assert (await client.send("officer", "POST", undoing, {"reason": "typo"})).status_code == 202
    answer = await client.send("operator", "POST", path, POSITIONS)
    loan = await client.send("auditor", "GET", answer.headers["location"])
    assert loan.json()["principal_outstanding"] == "900.00"


async def refinanced(client: Client) -> None:
    """Paid off by a new loan; taken back from either side; refused by name."""
    new = {"loan_id": "new-1", "borrower_id": "b-1", "product": "micro@1", "terms": TERMS}
    other = new | {"loan_id": "new-2", "borrower_id": "b-2"}
    for loan in (new, other):
        assert (await client.send("officer", "POST", "/v1/loans", loan)).status_code == 202
    desk = Desk(client)
    desk.path = "/v1/loans/new-1"
    owed = (await desk.read("/v1/loans/old-1/payoff?on=2024-01-31"))["total"]
    body = {"old_loan_id": "old-1", "amount": "1200.00", "payoff": owed, **EUR}
    for change, refusal in (
        ({"payoff": "1.00"}, (409, "payoff-differs")),
        ({"payoff": "1200.01"}, (422, "payoff-above-paid-out")),
        ({"old_loan_id": "old-3"}, (409, "old-loan-charged-off")),
        ({"old_loan_id": "nobody"}, (409, "loan-not-contracted")),
        ({"old_loan_id": "new-2"}, (409, "loan-not-disbursed")),
        ({"old_loan_id": "new-1"}, (422, "same-loan")),
        ({"currency": "USD"}, (422, "other-currency")),
    ):
        assert await desk.refused("refinance", **body | change) == refusal
    desk.path = "/v1/loans/new-2"
    assert await desk.refused("refinance", **body) == (409, "other-borrower")
    desk.path = "/v1/loans/new-1"
    seen = await desk.preview("refinance", **body)
    assert seen["others"][0]["after"]["statement"]["status"] == "settled"
    cash = [one["amount"] for one in seen["difference"]["entries"] if one["credit"] == "cash"]
    assert cash == [f"{1200 - float(owed):.2f}"]
    assert (await desk.read("/v1/loans/old-1"))["status"] == "active"
    for side in ("new-1", "old-1"):
        event_id = (await desk.officer("refinance", **body))["event_id"]
        await until_status(desk, "old-1", "settled")
        if side == "old-1":
            event_id = (await desk.read("/v1/loans/old-1/entries"))["entries"][-1]["event_id"]
        answer = await client.send("officer", "POST", f"/v1/loans/{side}/events/{event_id}/undoing", {"reason": "typo"})
        assert answer.status_code == 202, answer.text
        await until_status(desk, "old-1", "active")
        await until_status(desk, "new-1", "contracted")
    await desk.officer("refinance", **body)
    await until_status(desk, "old-1", "settled")
    assert (await client.send("officer", "POST", "/v1/loans", new | {"loan_id": "new-3"})).status_code == 202
    desk.path = "/v1/loans/new-3"
    assert await desk.refused("refinance", **body) == (409, "no-payoff")


async def until_status(desk: Desk, loan_id: str, status: str) -> None:
    """The two sides are on two partitions: the other one comes a moment later."""
    for _ in range(400):
        if (await desk.read(f"/v1/loans/{loan_id}"))["status"] == status:
            return
    raise AssertionError(f"{loan_id} is not {status}")


async def test_a_portfolio_arrives_and_a_new_loan_pays_off_one_of_it(place: Place, tmp_path: Path) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    partitions = place.settings().partitions
    assert partition_for(b"old-1", partitions) != partition_for(b"new-1", partitions)
    async with serving(place) as (_, http):
        with workers(place, tmp_path) as alive:
            client = Client(http, tokens)
            await client.opened()
            await migrated(place, tmp_path, client)
            await taken_over(client)
            await refinanced(client)
            closed = await client.send("operator", "POST", "/v1/book/closings", {"business_date": "2024-01-31"})
            assert closed.status_code == 202
            await caught_up(place, alive=alive)
    live = await live_digest(place)
    assert live["parked"] == 0
    replay, _ = await replayed(place)
    assert replay == live
    books = await connect(place.admin_url, place.ledger_schema)
    audit = await verify(books, log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle))
    await books.close()
    assert audit.findings == {}
    assert audit.document()["checks"]["refinancings"] == "ok"
