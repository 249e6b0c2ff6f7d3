"""The same two servers from Docker images: where somebody asks for it, or where Java, Maven or the wheel is missing.

Each container is a foreground `docker run` under the supervisor: its output is the server's log, and a signal that the
client gets goes on to the server. Data are in named volumes, a pair for each home. The engine is this machine's: ports
are published on the loopback.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from lendlog.servers import kafka, postgres
from lendlog.servers.home import Home
from lendlog.servers.java import find_java
from lendlog.servers.kafka import Kafka
from lendlog.servers.postgres import ADMINISTRATOR, Postgres
from lendlog.servers.processes import Child, Spec, complete, free_port, inherited, last_words
from shared.errors import MissingPrecondition

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.4.0"
CONTROLLER_PORT = 9093
"""Inside the container, where nothing else listens."""
CLUSTER_ID = "bGVuZGxvZy1vbmUtaG9tZQ"
"""A volume holds one broker, so that every home may have the same."""
MARKER = "container"
"""File in `home`/<server>: the name of the container and of the volume that holds the server's data."""
ENGINE_SECONDS = 10
"""For the engine to say its version."""
CONFINED = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--log-driver=none")
# The client, which is attached, has the output; without a driver the engine keeps no second copy of it.

Server = TypeVar("Server", Postgres, Kafka)


def engine_answers() -> bool:
    """Whether there is a `docker` command whose engine answers."""
    if not shutil.which("docker"):
        return False
    asked = ("docker", "version", "--format", "{{.Server.Version}}")
    try:
        answer = subprocess.run(asked, capture_output=True, timeout=ENGINE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())


def postgres_server(home: Home, *, port: int, asked: str = "") -> Postgres:
    """The database server of this home: embedded, unless Docker is asked for, has its data, or is all that there is.

    Raises MissingPrecondition where it would leave data behind, or where what is asked for is not to be had.
    """

    def embedded_runs() -> None:
        postgres.installation()
        postgres.unprivileged()

    return _chosen(home, port, Postgres, DockerPostgres, embedded_runs, asked)


def kafka_server(home: Home, *, port: int, asked: str = "") -> Kafka:
    """The broker of this home, likewise."""

    def embedded_runs() -> None:
        find_java()
        fetched = os.environ.get("LENDLOG_KAFKA_JARS") or (home.path / "kafka" / "jars" / "complete").exists()
        if not fetched and not shutil.which("mvn"):
            raise MissingPrecondition("Maven is missing, which fetches the broker.")

    return _chosen(home, port, Kafka, DockerKafka, embedded_runs, asked)


def _chosen(
    home: Home,
    port: int,
    embedded: Callable[..., Server],
    docker: Callable[..., Server],
    embedded_runs: Callable[[], None],
    asked: str,
) -> Server:
    if asked not in ("", "embedded", "docker"):
        raise MissingPrecondition(f"LENDLOG_SERVERS is {asked!r}: set it to embedded or docker, or unset it.")
    server = embedded(home, port=port)
    folder = home.path / server.name
    if (folder / MARKER).exists():
        if asked == "embedded":
            raise MissingPrecondition(
                f"The data of {home.path} are in Docker's volume {_name(home, server.name)}: unset LENDLOG_SERVERS, or "
                "set LENDLOG_HOME to another folder."
            )
        return docker(home, port=port)
    if (folder / "data").exists():
        if asked == "docker":
            raise MissingPrecondition(
                f"{folder} has the embedded server's data: unset LENDLOG_SERVERS, or set another LENDLOG_HOME."
            )
        return server
    if asked == "docker":
        return docker(home, port=port)
    try:
        embedded_runs()
    except MissingPrecondition:
        if not asked and engine_answers():
            return docker(home, port=port)
    return server  # whose start says what is missing


class DockerPostgres(Postgres):
    """PostgreSQL 18 from its official image, with the embedded server's settings."""

    async def start(self, started: Callable[[Child], None] = lambda _: None) -> None:
        """Make the container and wait until it serves; the image makes the cluster when the volume is empty."""
        await _prepare(self.home, self.name, POSTGRES_IMAGE)
        self.port = free_port(self.port)
        settings = postgres.SETTINGS | {"listen_addresses": "*"}
        spec = _spec(
            self.home,
            self.name,
            POSTGRES_IMAGE,
            user="999:999",
            port=(self.port, 5432),
            data="/var/lib/postgresql",
            environment={
                "POSTGRES_USER": ADMINISTRATOR,
                "POSTGRES_PASSWORD": self.home.secrets()["postgres"],
                "POSTGRES_INITDB_ARGS": "--data-checksums --encoding=UTF8 --auth-host=scram-sha-256 --locale=C "
                "--locale-provider=builtin --builtin-locale=C.UTF-8",
            },
            more=("--shm-size=256m",),
            command=("postgres", *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))),
            ending=signal.SIGINT,  # fast shutdown
        )
        self.child = Child(spec)
        started(self.child)
        if not await self._answers():
            await _remove(self.home, self.name)
            raise MissingPrecondition(f"PostgreSQL's container ended; see {spec.log}: {last_words(spec.log)[:500]}")

    async def stop(self, seconds: float = 5.0) -> bool:
        """Fast shutdown; after `seconds` the container is removed as it is."""
        return await _stop(self.home, self.name, self.child, seconds)


class DockerKafka(Kafka):
    """Apache Kafka from its official image, with the embedded broker's settings."""

    async def start(self, started: Callable[[Child], None] = lambda _: None) -> None:
        """Make the container and wait until it serves; the image formats the volume when it is empty."""
        await _prepare(self.home, self.name, KAFKA_IMAGE)
        self.port = free_port(self.port)
        controller = CONTROLLER_PORT if self.port != CONTROLLER_PORT else CONTROLLER_PORT + 1
        settings = kafka.SETTINGS | {
            "listeners": f"PLAINTEXT://:{self.port},CONTROLLER://:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@localhost:{controller}",
            "log.dirs": "/var/lib/kafka/data",
        }
        variables = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
        spec = _spec(
            self.home,
            self.name,
            KAFKA_IMAGE,
            user="1000:1000",
            port=(self.port, self.port),
            data="/var/lib/kafka/data",
            environment=variables | {"CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": " ".join(kafka.HEAP[:2])},
        )
        self.child = Child(spec)
        started(self.child)
        if not await self._answers():
            await _remove(self.home, self.name)
            raise MissingPrecondition(f"Apache Kafka's container ended; see {spec.log}: {last_words(spec.log)[:500]}")

    async def stop(self, seconds: float = 6.0) -> bool:
        """Controlled shutdown; after `seconds` the container is removed as it is."""
        return await _stop(self.home, self.name, self.child, seconds)


def _name(home: Home, server: str) -> str:
    """Of the container and its volume: one for each home and server."""
    return f"lendlog-{hashlib.sha256(os.fsencode(home.path)).hexdigest()[:12]}-{server}"


def _log(home: Home, server: str) -> Path:
    return home.logs / f"{server}.log"


def _spec(
    home: Home,
    server: str,
    image: str,
    *,
    user: str,
    port: tuple[int, int],
    data: str,
    environment: Mapping[str, str],
    more: tuple[str, ...] = (),
    command: tuple[str, ...] = (),
    ending: signal.Signals = signal.SIGTERM,
) -> Spec:
    """`docker run` in the foreground. Values of variables are in the client's environment, not among its arguments."""
    name = _name(home, server)
    options = (
        f"--name={name}",
        "--rm",
        f"--user={user}",
        *CONFINED,
        f"--publish=127.0.0.1:{port[0]}:{port[1]}",
        f"--volume={name}:{data}",
        *(f"--env={variable}" for variable in environment),
        *more,
    )
    words = ("docker", "run", *options, image, *command)
    return Spec(server, words, _log(home, server), home.path, inherited(**environment), ending=ending)


async def _prepare(home: Home, server: str, image: str) -> None:
    """Fetch the image if need be, note where the data are, and remove a container that a killed run left."""
    if not engine_answers():
        raise MissingPrecondition(
            "No Docker engine answers (`docker version`): start it, or unset LENDLOG_SERVERS for the embedded servers."
        )
    there = await _docker(home, server, "image", "inspect", "--format={{.Id}}", image) == 0
    if not there and await _docker(home, server, "pull", "--quiet", image) != 0:
        words = last_words(_log(home, server), lines=1)[:300]
        raise MissingPrecondition(f"The image {image} could not be fetched: {words}")
    marker = home.path / server / MARKER
    marker.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker.write_text(_name(home, server) + "\n")
    await _remove(home, server)


async def _stop(home: Home, server: str, child: Child | None, seconds: float) -> bool:
    """Signal the client, which passes it on; a client that was killed leaves its container, so that is removed."""
    if child is None:
        return True
    left = await child.stop(seconds)
    if not left:
        await _remove(home, server)
    return left


async def _remove(home: Home, server: str) -> None:
    """Remove the container, should there be one. The volume stays."""
    await _docker(home, server, "rm", "--force", _name(home, server))


async def _docker(home: Home, server: str, *words: str) -> int:
    """Another `docker` command, its output in the server's log; its exit code."""
    return await complete(Spec(f"docker {words[0]}", ("docker", *words), _log(home, server), home.path, inherited()))
