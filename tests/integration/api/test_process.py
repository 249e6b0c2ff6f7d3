"""The API as a process: ready when it can publish, gone within 10 s of SIGTERM with nothing left behind."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from shared.access import issue
from shared.database import connect
from tests.places import Place
from tests.waiting import until

pytestmark = pytest.mark.servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(
    place: Place, **variables: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ledger.api",
        env=place.environment("ledger_api", LENDLOG_PORT=str(port), **variables),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:

            async def ready() -> bool:
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready, 30)
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_publishes_what_it_records_and_leaves_on_sigterm(place: Place) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    token = await issue(database, name="op", role="operator")
    headers = {"authorization": f"Bearer {token}"}
    async with serving(place) as (process, http), serving(place) as (_, standby):
        for one in (http, standby):
            assert (await one.get("/healthz")).status_code == 200
        answer = await standby.post("/v1/book", json={"business_date": "2024-01-31"}, headers=headers)
        assert answer.status_code == 202, answer.text
        answer = await http.post("/v1/book/closings", json={"business_date": "2024-01-31"}, headers=headers)
        assert answer.status_code == 202, answer.text

        async def relayed() -> bool:
            return await database.fetchval("SELECT count(*) FROM outbox") == 0

        await until(relayed)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 15)
        assert process.returncode == 0
        assert time.monotonic() - began < 10
    await database.close()
    lines = [json.loads(line) for line in said.decode().splitlines()]
    assert all(line["service"] == "ledger-api" and line["level"] and line["time"] for line in lines)
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    assert token not in said.decode()


MISSING = [
    ({"LENDLOG_DATABASE_URL": ""}, "Set LENDLOG_DATABASE_URL"),
    ({"LENDLOG_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"}, "does not let us in"),
    ({"LENDLOG_LEDGER_API_SCHEMA": "nowhere"}, "lacks 0001_commands"),
    ({"LENDLOG_LEDGER_SCHEMA": "nowhere"}, "no tables yet"),
    ({"LENDLOG_PARTITIONS": "4"}, "partitions"),
    ({"LENDLOG_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "127.0.0.1:1"),
]


async def test_without_what_it_needs_it_says_so_in_one_line_and_ends(place: Place) -> None:
    for variables, says in MISSING:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.ledger.api",
            env=place.environment("ledger_api") | variables,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 2, said.decode()
        line = json.loads(said.decode().splitlines()[-1])
        assert line["event"] == "cannot start"
        assert says in line["reason"]
