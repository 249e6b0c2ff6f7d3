"""The whole platform on one machine: servers, provisioning, topics and service processes; or what runs already."""

import asyncio
import contextlib
import functools
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from lendlog.checkpoint_keys import CHECKPOINTS, home_key
from lendlog.servers.docker import kafka_server, postgres_server
from lendlog.servers.home import AlreadyRunning, Home
from lendlog.servers.postgres import ADMINISTRATOR
from lendlog.servers.processes import Spec, inherited
from lendlog.servers.provision import SITE, provision_schemas, register_tokens
from lendlog.servers.runfile import RunFile, end_survivors
from lendlog.servers.supervisor import Supervisor, report
from lendlog.service_processes import NOTARY, Process, place, write_targets
from lendlog.services import SERVICES, schemas_of
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

    def api_url(self, service: str) -> str:
        """http://host:port of a service's API; MissingPrecondition where it does not run."""
        if api := self.run.addresses.get(f"{service}-api"):
            return str(api)
        raise MissingPrecondition(f"No API of {service} runs: start the platform with `lendlog run`.")

    @property
    def services(self) -> tuple[str, ...]:
        """The services that run; none where only the servers do."""
        return tuple(name for name in SERVICES if f"{name}-api" in self.run.addresses)

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
        """The URL with which a role (a service, its `_api`, reader, replay) connects."""
        return SITE.url(str(self.run.addresses["postgres"]), role, self.home.secrets())

    def service_environment(self, role: str, *, port: int = 0) -> dict[str, str]:
        """This process's environment with what a service process of `role` needs (ServiceSettings)."""
        secrets = self.home.secrets()
        more = {}
        if role == "origination_api":
            more["LENDLOG_VAULT_KEY"] = secrets["vault_key"]
        if role == "collections_api" and "origination-api" in self.run.addresses:
            more["LENDLOG_ORIGINATION_URL"] = self.api_url("origination")
            more["LENDLOG_ORIGINATION_TOKEN"] = self.tokens()["service"]
        return inherited(
            LENDLOG_KAFKA_BOOTSTRAP=self.kafka_bootstrap,
            LENDLOG_DATABASE_URL=self.url(role),
            LENDLOG_DEAD_LETTER_KEY=secrets["dead_letter_key"],
            LENDLOG_PORT=str(port),
            **more,
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
        """API tokens by role; the applicant's excepted."""
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
    """Servers, database, topics, workers and APIs, until the context ends; what dies meanwhile is started again.

    `wait`: until every service says that it is ready, see `until_ready`.
    """
    async with _supervised(settings, say) as (running, supervisor):
        await provision(running)
        processes = place(running.run.addresses, settings)
        running.run.state = "running"
        supervisor.start_services(_specs(running, processes))
        write_targets(running.home.path / "prometheus-targets.json", processes)
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
            if services and not running.services:
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
    names, chosen = ServiceSettings(), running.settings.service_names()
    await provision_schemas(running.admin_url, running.home.secrets(), names, services=chosen)
    for service in chosen:
        api_schema = schemas_of(service, names).api_schema
        await register_tokens(running.admin_url, running.tokens(), api_schema=api_schema)
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
        await supervisor.start_server(postgres_server(home, port=settings.postgres_port, asked=settings.servers))
    if settings.kafka_bootstrap:
        addresses["kafka"] = settings.kafka_bootstrap
    else:
        await supervisor.start_server(kafka_server(home, port=settings.kafka_port, asked=settings.servers))
    supervisor.run.write()


def _specs(running: Platform, processes: Sequence[Process]) -> dict[str, Callable[[], Spec]]:
    """How to start each process."""

    def build(process: Process) -> Spec:
        log = running.home.logs / f"{process.name}.log"
        environment = running.service_environment(process.role, port=process.port)
        environment.setdefault("LENDLOG_CHECKPOINTS", str(running.home.path / CHECKPOINTS))
        if process.name == NOTARY:
            environment["LENDLOG_CHECKPOINT_KEY"] = home_key(running.home.path, make=True).text()
        return Spec(process.name, (sys.executable, "-m", process.module), log, running.home.path, environment)

    return {process.name: functools.partial(build, process) for process in processes}


async def until_ready(running: Platform, say: Callable[[str], None] = report) -> bool:
    """Wait until each API and worker says that it is ready; say which isn't in time. Returns whether all are."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    urls = [*(running.api_url(name) for name in running.services), *running.run.addresses["metrics"]]
    ports = [urlsplit(url).port or 0 for url in urls]
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
