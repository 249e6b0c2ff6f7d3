"""Preconditions of the servers, the folder they live in, and who may do what in the database."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from lendlog.platform import Platform
from lendlog.servers.home import AlreadyRunning, Home
from lendlog.servers.java import find_java, jars
from lendlog.servers.postgres import Postgres, unprivileged
from lendlog.servers.processes import Child, Spec, complete, free_port, inherited
from lendlog.servers.provision import drop_scratch, provision_schemas, provision_scratch, register_tokens
from lendlog.servers.runfile import MARKER, Identity, RunFile, end_survivors
from services.ledger.schema import create_books
from shared.errors import MissingPrecondition
from shared.streams.topic_admin import ensure_topics, verify_topics
from shared.topics import LEDGER_TOPICS, LIFECYCLE
from tests.places import SITE, Place

FOREVER = (sys.executable, "-c", "import time; time.sleep(600)")


def program(folder: Path, name: str, script: str) -> Path:
    """An executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_second_holder_of_the_folder_is_told_who_has_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.locked():
        RunFile.new(home.run_file).write()
        with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}.*kill {os.getpid()}.*LENDLOG_HOME"):
            Home(tmp_path / "home").locked().__enter__()
    assert not home.is_locked()


def test_secrets_are_private_and_stay_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.secrets() == Home(tmp_path / "home").secrets()
    assert home.tokens() == Home(tmp_path / "home").tokens()
    assert len(set(home.secrets().values())) == len(home.secrets())
    for name in ("secrets.json", "tokens.json"):
        assert stat.S_IMODE((home.path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_full_disk_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10 << 30, (10 << 30) - 5_000_000, 5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MissingPrecondition, match="Only 4 MiB are free"):
        Home(tmp_path).require_space()


def test_an_unwritable_home_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingPrecondition, match="set LENDLOG_HOME"):
        Home(tmp_path / "file" / "home")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2", "is Java 11: Apache Kafka needs 17"),
        ("exit 1", "does not run"),
        (None, "holds no bin/java"),
    ],
)
def test_a_java_that_does_not_fit_is_named(
    script: str | None, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        program(tmp_path / "bin", "java", script)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingPrecondition, match=sentence):
        find_java()


async def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("LENDLOG_KAFKA_JARS", raising=False)
    monkeypatch.setattr("lendlog.servers.java._wheel", lambda: None)
    with pytest.raises(MissingPrecondition, match="Java is missing: install Java 17"):
        find_java()
    with pytest.raises(MissingPrecondition, match="Maven is missing"):
        await jars(Home(tmp_path / "home"))
    if os.geteuid() == 0:
        with pytest.raises(MissingPrecondition, match=r"`unshare` .* is missing"):
            unprivileged()


async def test_a_download_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = 'for a in "$@"; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; mkdir -p "$d"; '
    fake += f'echo run >> {tmp_path}/runs; touch "$d/kafka_2.13-9.jar"'
    program(tmp_path / "bin", "mvn", fake)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("LENDLOG_KAFKA_JARS", raising=False)
    home = Home(tmp_path / "home")
    for half in ("jars", "jars.partial"):
        (home.path / "kafka" / half).mkdir(parents=True)
        (home.path / "kafka" / half / "kafka-clients.jar").write_text("half a j")
    assert [path.name for path in (await jars(home)).glob("*.jar")] == ["kafka_2.13-9.jar"]
    await asyncio.gather(jars(home), jars(home))
    assert (tmp_path / "runs").read_text() == "run\n"


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port(taken) > taken
        assert free_port(taken, [taken + 1]) > taken + 1


async def test_left_over_children_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    plain = {name: value for name, value in inherited().items() if name != MARKER}
    recorded = Child(Spec("recorded", FOREVER, home.logs / "a", home.path, plain))
    unrecorded = Child(Spec("unrecorded", FOREVER, home.logs / "b", home.path, plain))
    deaf = (sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)")
    stubborn = Child(Spec("stubborn", deaf, home.logs / "c", home.path, plain))
    stranger = subprocess.Popen(FOREVER, env=plain)  # noqa: ASYNC220 - it is no child of the supervisor
    try:
        started = psutil.Process(stranger.pid).create_time()
        run = RunFile.new(home.run_file)
        run.processes = {
            "recorded": recorded.identity,
            "reused number": Identity("x", stranger.pid, started - 1000, FOREVER),
            "other program": Identity("y", stranger.pid, started, ("postgres", "-D", "elsewhere")),
        }
        run.write()
        await asyncio.sleep(0.3)  # the deaf one needs to get to its signal handler
        assert end_survivors(home.path, home.run_file, seconds=1) == 3
        assert not recorded.alive
        assert not unrecorded.alive
        assert not stubborn.alive
        assert stranger.poll() is None
        assert not home.run_file.exists()
    finally:
        for child in (recorded, unrecorded, stubborn):
            await child.kill()
        stranger.kill()
        stranger.wait()


async def test_a_cancelled_child_does_not_live_on(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    task = asyncio.create_task(complete(Spec("initdb", FOREVER, home.logs / "a", home.path, inherited())))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not RunFile(home.run_file).survivors(home.path)


async def test_postgres_takes_the_next_port_and_survives_a_kill(tmp_path: Path) -> None:
    home = Home(tmp_path / ("a-long-folder-name-" * 5))  # too long for a socket
    server = Postgres(home, port=free_port(0))
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        taken = server.port
        try:
            await server.start()
            assert server.port > taken
            connection = await asyncpg.connect(server.url)
            await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
            settings = {
                name: await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "jit")
            }
            assert settings == {"fsync": "on", "synchronous_commit": "on", "jit": "off"}
            assert server.child
            await server.child.kill()
            connection.terminate()
            await server.start()
            connection = await asyncpg.connect(server.url)
            assert await connection.fetchval("SELECT one FROM kept") == 1
            await connection.close()
        finally:
            assert await server.stop()
    document = json.loads((home.path / "secrets.json").read_text())
    (home.path / "secrets.json").write_text(json.dumps(document | {"postgres": "another"}))
    with pytest.raises(MissingPrecondition, match="does not fit the database"):
        await server.start()
    assert server.child
    assert not server.child.alive


@pytest.mark.servers
async def test_each_role_has_its_own_rights_and_no_more(place: Place) -> None:
    await place.create_scratch()
    live, api, scratch = place.ledger_schema, place.api_schema, place.scratch_schema
    allowed = {
        f"SELECT count(*) FROM {live}.position": {"ledger", "ledger_api", "reader"},
        f"DELETE FROM {live}.posting": {"ledger"},
        f"DELETE FROM {live}.migration": set(),
        f"SELECT count(*) FROM {api}.token": {"ledger_api"},
        f"INSERT INTO {api}.aggregate VALUES ('x')": {"ledger_api"},
        f"SELECT count(*) FROM {scratch}.position": {"replay"},
        f"CREATE TABLE {live}.more ()": set(),
        "CREATE TABLE public.more ()": set(),
        "CREATE SCHEMA more": {"replay"},
    }
    found: dict[str, set[str]] = {statement: set() for statement in allowed}
    for role in ("ledger", "ledger_api", "reader", "replay"):
        connection = await asyncpg.connect(place.url(role))
        for statement in allowed:
            try:
                await connection.execute("BEGIN")
                await connection.execute(statement)
                found[statement].add(role)
            except asyncpg.InsufficientPrivilegeError:
                pass
            finally:
                await connection.execute("ROLLBACK")
        await connection.close()
    assert found == allowed


@pytest.mark.servers
async def test_the_replay_role_cannot_touch_the_live_schema(place: Place) -> None:
    for refused in (drop_scratch, lambda url, schema: provision_scratch(url, schema, 8, create_books)):
        with pytest.raises(MissingPrecondition, match="is not a scratch schema"):
            await refused(place.url("replay"), place.ledger_schema)


@pytest.mark.servers
async def test_provisioning_again_changes_nothing_and_another_partition_count_is_refused(place: Place) -> None:
    await place.create()
    settings = place.settings(LENDLOG_PARTITIONS="4")
    with pytest.raises(MissingPrecondition, match="holds 8 partitions, not 4"):
        await provision_schemas(
            place.servers.admin_url, place.servers.home.secrets(), settings, services=["ledger"], site=SITE
        )


@pytest.mark.servers
async def test_the_database_holds_hashes_of_tokens_only(place: Place) -> None:
    tokens = {"officer": "first", "teller": "second"}
    for given in (tokens, tokens | {"officer": "renewed"}):
        await register_tokens(place.servers.admin_url, given, api_schema=place.api_schema, site=SITE)
    connection = await asyncpg.connect(place.url("ledger_api"))
    rows = await connection.fetch(
        f"SELECT role, name, encode(token_hash, 'escape') = encode(sha256('renewed'), 'escape') AS new"
        f" FROM {place.api_schema}.token ORDER BY role"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [("officer", "officer", True), ("teller", "teller", False)]


@pytest.mark.servers
async def test_a_topic_that_differs_is_refused(place: Place) -> None:
    bootstrap, prefix = place.kafka_bootstrap, place.prefix
    assert await ensure_topics(bootstrap, prefix=prefix, topics=LEDGER_TOPICS) == []
    with pytest.raises(MissingPrecondition, match="has 8 partitions, not 4"):
        await verify_topics(bootstrap, prefix=prefix, topics=LEDGER_TOPICS, partitions=4)
    with pytest.raises(MissingPrecondition, match=r"retention\.ms=-1, not 5"):
        await verify_topics(bootstrap, prefix=prefix, topics=[replace(LIFECYCLE, settings={"retention.ms": "5"})])
    with pytest.raises(MissingPrecondition, match="is missing: run `lendlog run`"):
        await verify_topics(bootstrap, prefix="nowhere.")


async def test_a_broker_that_does_not_answer_is_named() -> None:
    with pytest.raises(MissingPrecondition, match="No broker answers at"):
        await verify_topics("127.0.0.1:1")


@pytest.mark.servers
def test_the_run_file_holds_no_secret(servers: Platform) -> None:
    text = servers.home.run_file.read_text()
    assert not [secret for secret in servers.home.secrets().values() if secret in text]
