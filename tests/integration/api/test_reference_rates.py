"""A reference rate over HTTP: published, refused, taken by a loan at its reset, explained and audited."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lendlog.cli import build
from lendlog.verify_command import log_reader
from services.ledger.explanation import why_entry
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect
from tests.faults.ledger_run import caught_up, live_digest, workers
from tests.integration.api.client import LOAN, ROLES, TERMS, Client, problem, rule
from tests.integration.api.test_process import serving
from tests.integration.api.test_servicing import Desk
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers

INDEX = "CN-LPR-1Y"
REFERENCE = {"index": INDEX, "spread": "0.0900", "resets": {"rule": "yearly", "month": 2, "day": 1}}


async def refusals(client: Client) -> None:
    """By rule and by field."""
    value = {"index": INDEX, "from_date": "2024-01-30", "annual_rate": "0.0300"}
    denied = await client.send("officer", "POST", "/v1/reference-rates", value)
    assert (denied.status_code, rule(denied)) == (403, "forbidden")
    early = await client.send("operator", "POST", "/v1/reference-rates", value)
    assert (early.status_code, rule(early)) == (409, "rate-before-open-date")
    assert problem(early)["errors"][0]["field"] == "/from_date"
    for name, text in (("annual_rate", "3%"), ("index", "lpr"), ("from_date", "today")):
        answer = await client.send("operator", "POST", "/v1/reference-rates", value | {name: text})
        assert (answer.status_code, problem(answer)["errors"][0]["field"]) == (422, f"/{name}"), answer.text
    for changes, field in (
        ({"floor": "0.2", "cap": "0.1"}, "/terms/reference/floor"),
        ({"spread": "90bp"}, "/terms/reference/spread"),
        ({"resets": {"rule": "weekly"}}, "/terms/reference/resets"),
    ):
        answer = await client.send(
            "officer", "POST", "/v1/loans", LOAN | {"terms": TERMS | {"reference": REFERENCE | changes}}
        )
        assert (answer.status_code, problem(answer)["errors"][0]["field"]) == (422, field), answer.text


async def opened(place: Place) -> None:
    """Wait until the worker has come up, which takes longer than a caller waits for an answer."""
    connection = await connect(place.url("reader"), place.ledger_schema)
    await until(lambda: connection.fetchval("SELECT bool_and(open_date IS NOT NULL) FROM position"), 60)
    await connection.close()


async def publish(desk: Desk, since: str, rate: str) -> dict[str, Any]:
    body = {"index": INDEX, "from_date": since, "annual_rate": rate}
    answer = await desk.client.send("operator", "POST", "/v1/reference-rates", body)
    assert answer.status_code == 202, answer.text
    return await desk.read(answer.headers["location"])


def listed(place: Place, patch: pytest.MonkeyPatch) -> Any:
    """As the command line lists it."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[None, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield None, connection
        finally:
            await connection.close()

    patch.setattr("lendlog.rate_command.reading", reading)
    patch.setattr("lendlog.rate_command.run_to_end", asyncio.run)  # signals are the main thread's
    arguments = ("rate", "list", INDEX, "--json")
    done = CliRunner().invoke(build(arguments), arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


async def test_a_loan_takes_the_published_rate_at_its_reset(
    places: Callable[..., Awaitable[Place]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await places(2)
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    async with serving(place) as (_, http):
        with workers(place, tmp_path) as alive:
            desk = Desk(Client(http, tokens))
            await desk.client.opened()
            await refusals(desk.client)
            await opened(place)
            await publish(desk, "2024-01-31", "0.0345")
            found = await publish(desk, "2024-02-01", "0.0310")
            assert [(one["from_date"], one["annual_rate"]) for one in found["rates"]] == [
                ("2024-01-31", "0.0345"),
                ("2024-02-01", "0.0310"),
            ]
            await desk.client.send("officer", "POST", "/v1/loans", LOAN | {"terms": TERMS | {"reference": REFERENCE}})
            await desk.officer("disbursement", amount="1200.00", currency="EUR")
            await desk.close("2024-01-31")
            before = await desk.statement()
            await desk.close("2024-02-01")
            after = await desk.statement()
            assert before["reference_rate"] == {
                "index": INDEX, "annual_rate": "0.12", "next_reset_on": "2024-02-01", "resets": []
            }  # fmt: skip
            reset = {"date": "2024-02-01", "index_value": "0.0310", "annual_rate": "0.121"}
            assert after["reference_rate"] == {
                "index": INDEX, "annual_rate": "0.121", "next_reset_on": None, "resets": [reset]
            }  # fmt: skip
            assert (await desk.read(f"{desk.path}/schedule"))["annual_rate"] == "0.121"
            assert (await desk.read(f"{desk.path}/payoff?on=2024-02-10"))["annual_rate"] == "0.121"
            assert [one["total"] for one in before["instalments"]] < [one["total"] for one in after["instalments"]]
            assert await asyncio.to_thread(listed, place, monkeypatch) == found
            await caught_up(place, alive=alive)
    live = await live_digest(place)
    assert (live["parked"], live["rates"]) == (0, 2 * place.partitions)
    books = await connect(place.admin_url, place.ledger_schema)
    closing = await books.fetchrow("SELECT partition, as_of FROM loan WHERE loan >= 0")
    explained = await why_entry(books, closing["partition"], closing["as_of"], "loan-1")
    assert explained is not None
    assert "reference rate" in explained["rule"]
    assert (explained["before"]["annual_rate"], explained["after"]["annual_rate"]) == ("0.12", "0.121")
    audit = await verify(books, log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle))
    await books.close()
    assert audit.findings == {}
