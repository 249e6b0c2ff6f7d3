"""The auditor on real books: sound ones give a clean audit, one changed posting is found, a stranger's role fails."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lendlog.histories import History
from lendlog.servers.processes import free_port
from services.ledger.replay import replay_ledger
from services.ledger.verify import CHECKS
from services.ledger.worker import topics_of
from shared.database import open_pool
from tests.faults.ledger_run import produce
from tests.places import Place
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.ops]
PARTITIONS = 2


@asynccontextmanager
async def auditing(place: Place, role: str = "reader") -> AsyncIterator[str]:
    """The address of an auditor that looks again every second."""
    port = free_port(0)
    environment = place.environment(role, LENDLOG_PORT=str(port), LENDLOG_AUDIT_HOURS="0.0003")
    words = (sys.executable, "-m", "lendlog.auditor")
    process = await asyncio.create_subprocess_exec(*words, env=environment, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def metrics(http: httpx.AsyncClient, address: str) -> dict[str, float]:
    """Name (or name and check) → value."""
    try:
        text = (await http.get(f"{address}/metrics")).text
    except httpx.TransportError:
        return {}
    families = text_string_to_metric_families(text)
    return {sample.labels.get("check", sample.name): sample.value for one in families for sample in one.samples}


async def fill(place: Place) -> None:
    """Books of a few loans, by the replay's host: quicker than a worker, and the same fold."""
    history = History(seed=3, loans=10, days=40, partitions=PARTITIONS, first_day=date(2025, 1, 1))
    await produce(place, history.records())
    pool = await open_pool(place.url("ledger"), place.ledger_schema)
    try:
        for partition in range(PARTITIONS):
            await replay_ledger(
                partition,
                bootstrap=place.kafka_bootstrap,
                topics=topics_of(place.settings()),
                pool=pool,
                batch=1000,
                closing_chunk=20_000,
            )
    finally:
        await pool.close()


async def test_sound_books_give_a_clean_audit_and_a_changed_posting_a_finding(
    places: Callable[..., Awaitable[Place]],
) -> None:
    place = await places(partitions=PARTITIONS)
    await fill(place)
    async with auditing(place) as address, httpx.AsyncClient(trust_env=False) as plain:

        async def audited() -> bool:
            return (await metrics(plain, address)).get("lendlog_audit_timestamp_seconds", 0) > 0

        await until(audited, 60)
        found = await metrics(plain, address)
        assert {name: found[name] for name in CHECKS} == dict.fromkeys(CHECKS, 0.0)
        assert (await plain.get(f"{address}/readyz")).status_code == 200
        books = await asyncpg.connect(place.admin_url)
        changed = await books.execute(f'UPDATE "{place.ledger_schema}".posting SET amount = amount + 1')
        await books.close()
        assert changed != "UPDATE 0"

        async def noticed() -> bool:
            return (await metrics(plain, address))["principal"] == 1.0

        await until(noticed, 60)
        assert (await metrics(plain, address))["tree"] == 0.0


async def test_an_audit_that_can_t_be_finished_is_counted_and_the_auditor_goes_on(place: Place) -> None:
    async with auditing(place, "replay") as address, httpx.AsyncClient(trust_env=False) as plain:

        async def failed() -> bool:
            return (await metrics(plain, address)).get("lendlog_audit_failures_total", 0) > 0

        await until(failed, 60)
        assert (await plain.get(f"{address}/readyz")).status_code == 503
        assert (await plain.get(f"{address}/healthz")).status_code == 200
        assert (await metrics(plain, address))["lendlog_audit_timestamp_seconds"] == 0
