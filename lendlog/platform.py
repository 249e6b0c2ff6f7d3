"""The whole platform on one machine: servers, provisioning, topics and service processes; or what runs already."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from lendlog.servers.home import AlreadyRunning, Home
from lendlog.servers.kafka import Kafka
from lendlog.servers.postgres import ADMINISTRATOR, Postgres
from lendlog.servers.processes import Spec, free_port, inherited
from lendlog.servers.provision import SITE, provision_ledger, register_tokens
from lendlog.servers.runfile import RunFile, end_survivors
from lendlog.servers.supervisor import Supervisor, report
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings
from shared.streams.topic_admin import ensure_topics

READY_SECONDS_MAX = 60.0
ATTACH_SECONDS_MAX = 150.0
"""Another start may be in its crash recovery (120 s)."""


@dataclass(slots=True)
class Platform:
    """Servers that run, and how to reach them. Made by the context managers below."""

    settings: PlatformSettings
    home: Home
    run: RunFile

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the broker."""
        return str(self.run.addresses["kafka"])

    @property
    def api_url(self) -> str:
        """http://host:port of the API; MissingPrecondition when the platform runs without services."""
        if api := self.run.addresses.get("api"):
            return str(api)
        raise MissingPrecondition("No API runs: start the platform with `lendlog run`.")

    @property
    def has_services(self) -> bool:
        """Whether workers and API run, and not the servers alone."""
        return "api" in self.run.addresses

    @property
    def admin_url(self) -> str:
        """The database administrator's URL."""
        if self.settings.postgres_url:
            return self.settings.postgres_url.get_secret_value()
        parts = urlsplit(str(self.run.addresses["postgres"]))
        if not self.run.addresses.get("embedded_postgres"):
            raise MissingPrecondition("The platform runs on a database server of yours: set LENDLOG_POSTGRES_URL.")
        credentials = f"{ADMINISTRATOR}:{self.home.secrets()['postgres']}"
        return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc}", path="/postgres"))

    def url(self, role: str) -> str:
        """The URL with which a role (ledger, ledger_api, reader, replay) connects."""
        return SITE.url(str(self.run.addresses["postgres"]), role, self.home.secrets())

    def service_environment(self, role: str, *, port: int = 0) -> dict[str, str]:
        """This process's environment with what a service process of `role` needs (ServiceSettings)."""
        return inherited(
            LENDLOG_KAFKA_BOOTSTRAP=self.kafka_bootstrap,
            LENDLOG_DATABASE_URL=self.url(role),
            LENDLOG_DEAD_LETTER_KEY=self.home.secrets()["dead_letter_key"],
            LENDLOG_PORT=str(port),
        )

    def service_settings(self, role: str) -> ServiceSettings:
        """The same for code in this process."""
        return ServiceSettings.model_validate(
            ServiceSettings().model_dump()
            | {
                "kafka_bootstrap": self.kafka_bootstrap,
                "database_url": self.url(role),
                "dead_letter_key": self.home.secrets()["dead_letter_key"],
            }
        )

    def tokens(self) -> dict[str, str]:
        """API tokens by role (officer, teller, operator, auditor)."""
        return self.home.tokens()


@asynccontextmanager
async def servers(settings: PlatformSettings, *, say: Callable[[str], None] = report) -> AsyncIterator[Platform]:
    """The servers that the environment names, else embedded ones, for the duration of the context, bare.

    Raises MissingPrecondition (AlreadyRunning for a second start) with one sentence that says what to do.
    """
    async with _supervised(settings, say) as (platform, _):
        platform.run.state = "running"
        platform.run.write()
        yield platform


@asynccontextmanager
async def platform(
    settings: PlatformSettings, *, wait: bool = True, say: Callable[[str], None] = report
) -> AsyncIterator[Platform]:
    """Servers, database, topics, workers and the API, until the context ends; what dies meanwhile is started again.

    `wait`: until every service says that it is ready, see `until_ready`.
    """
    async with _supervised(settings, say) as (running, supervisor):
        await provision(running)
        addresses = running.run.addresses
        taken: list[int] = []
        for index in range(settings.ledger_workers + 1):
            taken.append(free_port(settings.metrics_port if index else settings.api_port, taken))
        addresses["api"] = f"http://127.0.0.1:{taken[0]}"
        addresses["metrics"] = [f"http://127.0.0.1:{port}/metrics" for port in taken[1:]]
        running.run.state = "running"
        supervisor.start_services(_services(running, taken))
        if wait:
            await until_ready(running, say)
        yield running


@asynccontextmanager
async def attach_or_start(
    settings: PlatformSettings, *, services: bool = False, say: Callable[[str], None] = report
) -> AsyncIterator[Platform]:
    """For a command: what runs from the home already, else servers (or the whole platform) for its duration.

    Either way the database is provisioned and the topics are there.
    """
    home = Home(settings.home)
    deadline = time.monotonic() + ATTACH_SECONDS_MAX
    while True:
        if running := await attach(settings, home, deadline):
            if services and not running.has_services:
                raise MissingPrecondition(
                    f"Another command uses {home.path}: wait for its end, or start `lendlog run`."
                )
            if services:
                await until_ready(running, say)
            yield running
            return
        context = platform if services else servers
        async with contextlib.AsyncExitStack() as stack:
            try:
                running = await stack.enter_async_context(context(settings, say=say))
            except AlreadyRunning:
                continue
            if not services:
                await provision(running)
            yield running
            return


async def attach(settings: PlatformSettings, home: Home, deadline: float = 0.0) -> Platform | None:
    """What runs from the home, waiting until `deadline` (monotonic seconds) for a start under way; or None."""
    while home.is_locked():
        run = RunFile.load(home.run_file)
        if run and run.state == "running" and run.is_alive():
            return Platform(settings, home, run)
        if time.monotonic() >= deadline:
            raise MissingPrecondition(f"The platform in {home.path} is starting or stopping: try again in a moment.")
        await asyncio.sleep(0.2)
    return None


async def provision(running: Platform) -> None:
    """Database, roles, schemas, tokens and topics; idempotent."""
    names = ServiceSettings()
    await provision_ledger(
        running.admin_url,
        running.home.secrets(),
        ledger_schema=names.ledger_schema,
        api_schema=names.ledger_api_schema,
        partitions=names.partitions,
    )
    await register_tokens(running.admin_url, running.tokens(), api_schema=names.ledger_api_schema)
    await ensure_topics(running.kafka_bootstrap, prefix=names.topic_prefix, partitions=names.partitions)


@asynccontextmanager
async def _supervised(
    settings: PlatformSettings, say: Callable[[str], None]
) -> AsyncIterator[tuple[Platform, Supervisor]]:
    """Lock the home, end what a dead supervisor left, start the servers; on leaving, end everything."""
    home = Home(settings.home)
    with home.locked():
        if count := end_survivors(home.path, home.run_file):
            say(f"ended {count} processes that a killed run had left")
        home.require_space()
        run = RunFile.new(home.run_file)
        run.write()
        supervisor = Supervisor(home, run, say)
        try:
            await _start_servers(settings, supervisor)
            yield Platform(settings, home, run), supervisor
        finally:
            await supervisor.stop()


async def _start_servers(settings: PlatformSettings, supervisor: Supervisor) -> None:
    home, addresses = supervisor.home, supervisor.run.addresses
    if settings.postgres_url:
        parts = urlsplit(settings.postgres_url.get_secret_value())
        addresses["postgres"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    else:
        await supervisor.start_server(Postgres(home, port=settings.postgres_port))
    if settings.kafka_bootstrap:
        addresses["kafka"] = settings.kafka_bootstrap
    else:
        await supervisor.start_server(Kafka(home, port=settings.kafka_port))
    supervisor.run.write()


def _services(running: Platform, ports: list[int]) -> dict[str, Callable[[], Spec]]:
    """How to start the API (first port) and each worker (the others)."""

    def build(name: str, module: str, role: str, port: int) -> Spec:
        log = running.home.logs / f"{name}.log"
        environment = running.service_environment(role, port=port)
        return Spec(name, (sys.executable, "-m", module), log, running.home.path, environment)

    builds: dict[str, Callable[[], Spec]] = {
        "ledger-api": lambda: build("ledger-api", "services.ledger.api", "ledger_api", ports[0])
    }
    for index, port in enumerate(ports[1:], start=1):
        name = f"ledger-worker-{index}"
        builds[name] = lambda name=name, port=port: build(name, "services.ledger.app", "ledger", port)  # type: ignore[misc]
    return builds


async def until_ready(running: Platform, say: Callable[[str], None] = report) -> bool:
    """Wait until the API and each worker say that they are ready; say which isn't in time. Returns whether all are."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    ports = [urlsplit(url).port or 0 for url in (running.api_url, *running.run.addresses["metrics"])]
    ready = True
    for port in ports:
        while await http_status(port, "/readyz") != 200:
            if time.monotonic() > deadline:
                say(f"the service at port {port} is not ready after {READY_SECONDS_MAX:.0f} s; see the logs")
                ready = False
                break
            await asyncio.sleep(0.1)
    return ready


async def http_status(port: int, path: str) -> int:
    """The status code of a GET on the loopback; 0 when nothing answers within 2 s."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
                words = (await reader.readline()).split()
            return int(words[1]) if len(words) > 1 else 0
    except (OSError, TimeoutError, ValueError):
        return 0
