"""Servers from Docker, with a `docker` that records what it is told: no engine is needed, and none is asked."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lendlog.servers import docker
from lendlog.servers.docker import DockerKafka, DockerPostgres, engine_answers, kafka_server, postgres_server
from lendlog.servers.home import Home
from lendlog.servers.kafka import Kafka
from lendlog.servers.postgres import Postgres
from lendlog.servers.processes import Child
from shared.errors import MissingPrecondition
from tests.waiting import until

DOCKER = """#!{python}
import json, os, signal, sys, time
words = sys.argv[1:]
folder = {folder!r}

def note(**more):
    with open(folder + "/calls", "a") as file:
        file.write(json.dumps({{"words": words, "environment": dict(os.environ)}} | more) + "\\n")

def heard(number, _):
    note(signal=number)
    if not os.path.exists(folder + "/stubborn"):
        sys.exit(0)

if words[0] == "run":
    signal.signal(signal.SIGTERM, heard)
    signal.signal(signal.SIGINT, heard)
    note()
    while True:
        time.sleep(0.05)
note()
if words[0] == "version":
    print("28.0" if os.path.exists(folder + "/engine") else "")
sys.exit(1 if words[:2] == ["image", "inspect"] and not os.path.exists(folder + "/image") else 0)
"""


class Engine:
    """What the stand-in keeps in a folder: `engine` and `image` are there, `stubborn` containers ignore signals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "bin" / "docker"
        program.parent.mkdir(parents=True)
        program.write_text(DOCKER.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        self.have("engine")
        self.have("image")

    def have(self, what: str, there: bool = True) -> None:
        path = self.folder / what
        path.touch() if there else path.unlink()

    def calls(self) -> list[dict[str, Any]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def words(self) -> list[str]:
        """The first word of every call that was no signal."""
        return [call["words"][0] for call in self.calls() if "signal" not in call]

    def run(self) -> dict[str, Any]:
        """The call that made a container."""
        return next(call for call in self.calls() if call["words"][0] == "run")

    async def runs(self) -> bool:
        return "run" in self.words()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(tmp_path / "engine")
    monkeypatch.setenv("PATH", f"{made.folder / 'bin'}:{os.environ['PATH']}")
    return made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """A server answers as soon as its container was made."""

    async def answers(_: object) -> bool:
        await until(engine.runs)
        return True

    monkeypatch.setattr(Postgres, "_answers", answers)
    monkeypatch.setattr(Kafka, "_answers", answers)


def test_an_engine_answers_when_it_says_its_version(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert engine_answers()
    engine.have("engine", there=False)
    assert not engine_answers()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not engine_answers()


@pytest.mark.usefixtures("answering")
async def test_the_database_runs_confined_on_the_loopback_and_its_password_is_no_argument(
    engine: Engine, home: Home
) -> None:
    server = DockerPostgres(home, port=0)
    told: list[Child] = []
    await server.start(told.append)
    try:
        assert engine.words() == ["version", "image", "rm", "run"]
        words, environment = engine.run()["words"], engine.run()["environment"]
        assert f"--publish=127.0.0.1:{server.port}:5432" in words
        assert {"--rm", "--user=999:999", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= set(words)
        assert {"fsync=on", "synchronous_commit=on", "listen_addresses=*"} <= set(words)
        assert words[words.index("postgres:18") + 1] == "postgres"
        password = home.secrets()["postgres"]
        assert environment["POSTGRES_PASSWORD"] == password
        assert "--env=POSTGRES_PASSWORD" in words
        assert password not in " ".join(words)
        assert server.url.endswith(f"@127.0.0.1:{server.port}/postgres")
        assert told == [server.child]
    finally:
        assert await server.stop()
    assert engine.calls()[-1]["signal"] == signal.SIGINT
    assert engine.words().count("rm") == 1


@pytest.mark.usefixtures("answering")
async def test_the_broker_has_the_embedded_ones_settings_as_variables(engine: Engine, home: Home) -> None:
    server = DockerKafka(home, port=0)
    await server.start()
    try:
        words, environment = engine.run()["words"], engine.run()["environment"]
        assert words[-1] == docker.KAFKA_IMAGE
        assert environment["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{server.bootstrap}"
        assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
        assert environment["KAFKA_LOG_RETENTION_MS"] == "-1"
        given = {word.removeprefix("--env=") for word in words if word.startswith("--env=")}
        assert {name for name in environment if name.startswith("KAFKA_")} <= given
    finally:
        assert await server.stop()
    assert engine.calls()[-1]["signal"] == signal.SIGTERM


@pytest.mark.usefixtures("answering")
async def test_a_container_that_ignores_its_signal_is_removed_by_name(engine: Engine, home: Home) -> None:
    server = DockerKafka(home, port=0)
    await server.start()
    engine.have("stubborn")
    assert not await server.stop(0.3)
    name = next(word for word in engine.run()["words"] if word.startswith("--name=")).removeprefix("--name=")
    assert engine.calls()[-1]["words"] == ["rm", "--force", name]
    assert server.child is not None
    assert not server.child.alive


@pytest.mark.usefixtures("answering")
async def test_a_missing_image_is_fetched_first(engine: Engine, home: Home) -> None:
    engine.have("image", there=False)
    server = DockerKafka(home, port=0)
    await server.start()
    await server.stop()
    assert engine.words() == ["version", "image", "pull", "rm", "run"]


async def test_without_an_engine_the_start_is_refused_in_one_sentence(engine: Engine, home: Home) -> None:
    engine.have("engine", there=False)
    for server in (DockerPostgres(home, port=0), DockerKafka(home, port=0)):
        with pytest.raises(MissingPrecondition, match="No Docker engine answers"):
            await server.start()
    assert postgres_server(home, port=0).__class__ is Postgres


def test_two_homes_have_containers_and_volumes_of_their_own(home: Home, tmp_path: Path) -> None:
    names = {docker._name(one, server) for one in (home, Home(tmp_path / "other")) for server in ("postgres", "kafka")}
    assert len(names) == 4


def test_embedded_servers_come_first_and_docker_where_java_or_maven_is_missing(
    engine: Engine, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert kafka_server(home, port=0).__class__ is Kafka
    assert kafka_server(home, port=0, asked="docker").__class__ is DockerKafka
    with pytest.raises(MissingPrecondition, match="LENDLOG_SERVERS is 'podman'"):
        kafka_server(home, port=0, asked="podman")
    monkeypatch.delenv("LENDLOG_KAFKA_JARS", raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    assert kafka_server(home, port=0).__class__ is DockerKafka
    assert kafka_server(home, port=0, asked="embedded").__class__ is Kafka
    engine.have("engine", there=False)
    assert kafka_server(home, port=0).__class__ is Kafka


def test_a_home_keeps_to_where_its_data_are(engine: Engine, home: Home) -> None:
    (home.path / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(MissingPrecondition, match="has the embedded server's data"):
        postgres_server(home, port=0, asked="docker")
    assert postgres_server(home, port=0).__class__ is Postgres
    (home.path / "kafka").mkdir()
    (home.path / "kafka" / docker.MARKER).write_text("lendlog-x-kafka\n")
    assert kafka_server(home, port=0).__class__ is DockerKafka
    with pytest.raises(MissingPrecondition, match="are in Docker's volume lendlog-"):
        kafka_server(home, port=0, asked="embedded")


@pytest.mark.usefixtures("answering")
async def test_what_ran_once_is_remembered(engine: Engine, home: Home) -> None:
    server = DockerPostgres(home, port=0)
    await server.start()
    await server.stop()
    assert postgres_server(home, port=0).__class__ is DockerPostgres
