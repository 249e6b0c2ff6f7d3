"""Keeps servers and services alive, and ends them in the right order within a time: services, broker, database."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lendlog.servers.home import Home
from lendlog.servers.kafka import Kafka
from lendlog.servers.postgres import Postgres
from lendlog.servers.processes import Child, Spec, is_free
from lendlog.servers.runfile import RunFile
from shared.errors import MissingPrecondition

STOP_SECONDS = 10.0
"""For all to leave; SIGKILL then."""
SERVICES_SECONDS = 5.0
"""Of them, for the services, which commit what they have in hand."""
POLL_SECONDS = 0.2
BACK_OFF_SECONDS = (0.5, 30.0)
PORT_SECONDS = 5.0
"""A server that was killed gives its port back within this; else the next free one is taken."""
STEADY_SECONDS = 60.0
"""A child that lived this long starts again without delay."""

Embedded = Postgres | Kafka


def report(line: str) -> None:
    """A plain line for the operator. Standard output belongs to the command's result."""
    sys.stderr.write(f"lendlog: {line}\n")
    sys.stderr.flush()


@dataclass(slots=True)
class _Watched:
    """A service: how to start it (asked at each start, since addresses may change), and how it fared."""

    build: Callable[[], Spec]
    child: Child | None = None
    delay: float = 0.0
    due: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Everything that this process started. The caller holds the home's lock from before to after."""

    home: Home
    run: RunFile
    say: Callable[[str], None] = report
    postgres: Postgres | None = None
    kafka: Kafka | None = None
    services: dict[str, _Watched] = field(default_factory=dict)
    _repairs: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _watching: asyncio.Task[None] | None = None

    def record(self, child: Child) -> None:
        """Into run.json before anything else happens, so that a next start can end it."""
        self.run.processes[child.spec.name] = child.identity
        self.run.write()

    async def start_server(self, server: Embedded) -> None:
        """Start an embedded server and wait until it serves. It is ours to stop, also when the start fails."""
        if isinstance(server, Postgres):
            self.postgres = server
        else:
            self.kafka = server
        await server.start(self.record)
        self._publish(server)

    def start_services(self, builds: Mapping[str, Callable[[], Spec]]) -> None:
        """Start each and watch from now on: what dies is started again, later and later, and counted."""
        for name, build in builds.items():
            self.services[name] = _Watched(build)
            self._start_service(name)
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """End everything within `seconds` and remove run.json. Returns whether all left by themselves."""
        deadline = time.monotonic() + seconds
        self.run.state = "stopping"
        self.run.write()
        tasks = [task for task in (self._watching, *self._repairs.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        children = [service.child for service in self.services.values() if service.child]
        left = [*await asyncio.gather(*(child.stop(min(SERVICES_SECONDS, seconds)) for child in children))]
        if self.kafka:
            left.append(await self.kafka.stop(max(0.5, deadline - time.monotonic() - 2.0)))
        if self.postgres:
            left.append(await self.postgres.stop(max(0.5, deadline - time.monotonic())))
        self.run.path.unlink(missing_ok=True)
        return all(left)

    def _start_service(self, name: str) -> None:
        service = self.services[name]
        service.child = Child(service.build())
        self.record(service.child)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for server in (self.postgres, self.kafka):
                repair = self._repairs.get(server.name) if server else None
                if server and server.child and not server.child.alive and (repair is None or repair.done()):
                    self._repairs[server.name] = asyncio.create_task(self._repair(server))
            for name, service in self.services.items():
                try:
                    self._revive(name, service)
                except OSError as error:  # a full disk or table of processes: say so, and go on watching
                    self.say(f"{name} can't be started: {error}")
                    service.due = time.monotonic() + BACK_OFF_SECONDS[1]

    def _revive(self, name: str, service: _Watched) -> None:
        """Start a dead service again once its delay is over."""
        if service.child is None or service.child.alive:
            return
        now = time.monotonic()
        if service.due == 0.0:
            lived = now - service.child.started
            low, high = BACK_OFF_SECONDS
            service.delay = low if lived > STEADY_SECONDS else min(high, max(low, service.delay * 2))
            service.due = now + service.delay
            self._count(name, f"ended with code {service.child.exit_code}; see {service.child.spec.log}")
        elif now >= service.due:
            service.due = 0.0
            self._start_service(name)

    async def _repair(self, server: Embedded) -> None:
        """Start a dead server again, its recovery included. Should it come up at another port, services follow."""
        port, code = server.port, server.child.exit_code if server.child else None
        self._count(server.name, f"ended with code {code}; it is started again")
        for _ in range(int(PORT_SECONDS / POLL_SECONDS)):
            if is_free(port):
                break
            await asyncio.sleep(POLL_SECONDS)
        try:
            await server.start(self.record)
        except (MissingPrecondition, OSError) as error:
            self.say(str(error))
            await asyncio.sleep(BACK_OFF_SECONDS[1] / 6)
            return
        self._publish(server)
        if server.port != port:
            await asyncio.gather(*(s.child.stop(SERVICES_SECONDS) for s in self.services.values() if s.child))

    def _publish(self, server: Embedded) -> None:
        """Write where the server is reached; no secret among it."""
        if isinstance(server, Postgres):
            address = f"postgresql://127.0.0.1:{server.port}/postgres"
            self.run.addresses |= {"postgres": address, "embedded_postgres": True}
        else:
            self.run.addresses["kafka"] = server.bootstrap
        self.run.write()

    def _count(self, name: str, what: str) -> None:
        self.run.restarts[name] = self.run.restarts.get(name, 0) + 1
        self.run.write()
        self.say(f"{name} {what}")
