"""Servers in containers, ours and those of testcontainers. Where no Docker engine answers, as in continuous
integration, ours run against a stand-in that starts processes, and what needs an engine is skipped by name."""

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from lendlog.platform import Platform
from lendlog.platform import servers as start_servers
from lendlog.servers import docker
from lendlog.servers.docker import KAFKA_IMAGE, POSTGRES_IMAGE, DockerKafka, DockerPostgres, engine_answers
from lendlog.servers.home import Home
from lendlog.servers.kafka import SETTINGS
from lendlog.servers.processes import free_port
from shared.access import issue
from shared.database import connect
from shared.settings import PlatformSettings
from shared.streams.topic_admin import ensure_topics, verify_topics
from shared.topics import LIFECYCLE
from tests.integration.api.client import LOAN, ROLES, Client
from tests.integration.api.test_process import serving
from tests.integration.api.test_story import worker
from tests.integration.docker_stand_in import on_the_path
from tests.places import Place, new_place

pytestmark = [pytest.mark.alone, pytest.mark.ops, pytest.mark.timeout(900)]  # the first run fetches images

KAFKA_SECONDS = 120


ENGINE = engine_answers()
with_an_engine = pytest.mark.skipif(not ENGINE, reason="no Docker engine answers: servers in containers were not run")


@pytest.fixture(params=["engine", "stand-in"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A `docker` to talk to: the real one where it answers, and a stand-in everywhere."""
    if request.param == "engine":
        if not ENGINE:
            pytest.skip("no Docker engine answers: servers in containers were not run")
        yield "engine"
        return
    request.getfixturevalue("kafka_jars")
    with on_the_path(tmp_path / "docker") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield "stand-in"


@pytest.fixture
def home(engine: str, tmp_path: Path) -> Iterator[Home]:
    """A home whose volumes are removed."""
    made = Home(tmp_path / "home")
    yield made
    for server in ("postgres", "kafka") if engine == "engine" else ():
        name = docker._name(made, server)
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        subprocess.run(["docker", "volume", "rm", "--force", name], capture_output=True, check=False)


async def test_our_containers_keep_their_data_when_they_are_stopped_and_killed(home: Home) -> None:
    database, broker = DockerPostgres(home, port=0), DockerKafka(home, port=0)
    try:
        await asyncio.gather(database.start(), broker.start())
        connection = await asyncpg.connect(database.url)
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        await connection.close()
        await ensure_topics(broker.bootstrap, topics=[LIFECYCLE])
        assert await asyncio.gather(database.stop(30), broker.stop(30)) == [True, True]
        await asyncio.gather(database.start(), broker.start())
        for server in (database, broker):
            assert server.child is not None
            await server.child.kill()  # the clients alone: their containers are left, and found at the next start
        await asyncio.gather(database.start(), broker.start())
        connection = await asyncpg.connect(database.url)
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
        await verify_topics(broker.bootstrap, topics=[LIFECYCLE])
    finally:
        await asyncio.gather(database.stop(30), broker.stop(30))


@pytest.fixture
def containers() -> Iterator[tuple[str, str]]:
    """(administrator's URL, host:port of the broker) of servers that testcontainers made."""
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port = free_port(0)
    settings = SETTINGS | {
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": "1@localhost:9093",
        "log.dirs": "/tmp/kafka-logs",
    }
    broker = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    broker.with_env("CLUSTER_ID", base64.urlsafe_b64encode(b"lendlog-in-tests").decode().rstrip("="))
    for name, value in settings.items():
        broker.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
    started = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(KAFKA_SECONDS)
    broker.waiting_for(started)
    database = PostgresContainer(
        POSTGRES_IMAGE, username="postgres", password="for-a-test", dbname="postgres", driver=None
    )
    with database, broker:
        yield database.get_connection_url(), f"127.0.0.1:{port}"


@pytest.fixture
async def place(containers: tuple[str, str], tmp_path: Path) -> AsyncIterator[Place]:
    settings: dict[str, Any] = {"home": tmp_path / "named", "postgres_url": containers[0]}
    async with start_servers(PlatformSettings(**settings, kafka_bootstrap=containers[1])) as platform:
        assert isinstance(platform, Platform)
        made = new_place(platform)
        await made.create()
        yield made


@with_an_engine
async def test_what_is_published_to_a_broker_in_a_container_is_in_the_books(place: Place) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        client = Client(http, tokens)
        await client.opened()
        await client.send("officer", "POST", "/v1/loans", LOAN)
        money = {"amount": "1200.00", "currency": "EUR"}
        await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", money)
        paid = await client.pay({"amount": "200.00", "currency": "EUR"})
        read = await client.send("auditor", "GET", paid.headers["location"])
        assert read.status_code == 200, read.text
        assert read.json()["principal_outstanding"] < "1200.00"
