"""Embedded Apache Kafka: one process, KRaft, broker and controller combined, on the loopback only."""

import asyncio
import base64
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from lendlog.servers.home import Home
from lendlog.servers.java import find_java, jars
from lendlog.servers.processes import Child, Spec, complete, free_port, inherited, is_free, last_words, listens
from shared.errors import MissingPrecondition

START_SECONDS_MAX = 120
"""A broker that was killed checks its last segments first."""
HEAP = ("-Xms256m", "-Xmx768m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# One small broker for a short life: C1 alone and the serial collector leave the processors to the workers.

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "broker.session.timeout.ms": "3000",  # a killed broker is let in again only when its old session has ended
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "message.max.bytes": "8388608",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": "33554432",  # the default of 128 MiB is a sixth of our heap
    "log.retention.ms": "-1",
}

LOGGING = """\
status = error
shutdownHook = disable
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %m (%c{{1}})%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
logger.state.name = state.change.logger
logger.state.level = warn
logger.metrics.name = org.apache.kafka.server.metrics
logger.metrics.level = warn
"""


class Kafka:
    """One embedded broker in `home`/kafka. The caller holds the home's lock."""

    name = "kafka"

    def __init__(self, home: Home, *, port: int) -> None:
        self.home = home
        self.port = port
        self.child: Child | None = None
        self._folder = home.path / "kafka"
        self._log = home.logs / "kafka.log"
        self._console = home.logs / "kafka-console.log"

    @property
    def bootstrap(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    async def start(self, started: Callable[[Child], None] = lambda _: None) -> None:
        """Format the storage if there is none, start the broker and wait until it serves metadata.

        `started` is told of the process before the wait, so that it can be recorded.
        """
        java = find_java()
        folder = await jars(self.home)
        for _ in range(3):
            self.port = free_port(self.port)
            controller = free_port(self.port + 1, (self.port,))
            self._configure(controller)
            if not (self._folder / "data" / "meta.properties").exists():
                await self._format(java, folder)
            sizes = [path.stat().st_size if path.exists() else 0 for path in (self._log, self._console)]
            self.child = Child(self._spec(java, folder))
            started(self.child)
            if await self._answers():
                return
            words = last_words(self._log, after=sizes[0]) or last_words(self._console, after=sizes[1])
            if is_free(self.port) and is_free(controller):
                break
        raise MissingPrecondition(f"Apache Kafka did not start; see {self._log}: {words[:500]}")

    async def stop(self, seconds: float = 6.0) -> bool:
        """Controlled shutdown (about a second). SIGKILL after `seconds`."""
        return await self.child.stop(seconds) if self.child else True

    def _configure(self, controller: int) -> None:
        """Write server.properties and log4j2.properties: ports may differ at every start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS | {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self._folder / "data"),
        }
        lines = [f"{name}={value}".replace("\\", "\\\\") for name, value in settings.items()]
        (self._folder / "server.properties").write_text("\n".join(lines) + "\n")
        (self._folder / "log4j2.properties").write_text(LOGGING.format(file=self._log))

    async def _format(self, java: str, folder: Path) -> None:
        """Give the storage a random cluster id."""
        shutil.rmtree(self._folder / "data", ignore_errors=True)  # what a killed format left
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        tool = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._folder / "server.properties"))
        command = (java, "-Xmx128m", *self._class_path(folder), *tool)
        if await complete(Spec("kafka-format", command, self._console, self.home.path, inherited())) != 0:
            raise MissingPrecondition(f"Apache Kafka's storage could not be formatted: {last_words(self._console)}")

    def _class_path(self, folder: Path) -> tuple[str, ...]:
        return (f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}", "-cp", f"{folder}/*")

    def _spec(self, java: str, folder: Path) -> Spec:
        properties = (f"-Dlendlog.home={self.home.path}", "-Djava.awt.headless=true")
        program = ("kafka.Kafka", str(self._folder / "server.properties"))
        command = (java, *HEAP, *properties, *self._class_path(folder), *program)
        return Spec(self.name, command, self._console, self.home.path, inherited())

    async def _answers(self) -> bool:
        """Wait until the broker is registered and serves metadata. False: it ended."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.child is not None and self.child.alive:
            if listens(self.port) and await serves(self.bootstrap):
                return True
            if time.monotonic() > deadline:
                await self.child.stop(5)
                raise MissingPrecondition(
                    f"Apache Kafka has not started within {START_SECONDS_MAX} s; see {self._log}."
                )
            await asyncio.sleep(0.1)
        return False


async def serves(bootstrap: str) -> bool:
    """Whether a broker answers with at least one registered node."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await client.start()
        return bool((await client.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
