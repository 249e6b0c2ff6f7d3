"""run.json: which processes run from a folder, and at which addresses. Written whole and atomically at every change."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lendlog.servers.home import read_json, write_private

MARKER = "LENDLOG_SUPERVISED_HOME"
"""Environment variable of every child: one that its parent had no time to record is found by it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that can't be mistaken for another one that got its number later. `created`: seconds since 1970."""

    name: str
    pid: int
    created: float
    command: tuple[str, ...]

    @classmethod
    def of(cls, name: str, pid: int, command: Iterable[str]) -> "Identity":
        """The identity of a process that was just started."""
        with contextlib.suppress(psutil.Error):
            return cls(name, pid, psutil.Process(pid).create_time(), tuple(command))
        return cls(name, pid, time.time(), tuple(command))

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Identity":
        """From run.json."""
        command = tuple(map(str, document["command"]))
        return cls(str(document["name"]), int(document["pid"]), float(document["created"]), command)

    def process(self) -> psutil.Process | None:
        """The living process, if number, time of creation and program still fit."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > 1.0 or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if tuple(process.cmdline()[1:]) == self.command[1:] else None
        except psutil.Error:
            return None


@dataclass(slots=True)
class RunFile:
    """The document. `addresses` hold no secret. `state` is starting, running or stopping."""

    path: Path
    state: str = "starting"
    supervisor: Identity | None = None
    processes: dict[str, Identity] = field(default_factory=dict)
    addresses: dict[str, Any] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    started_at: float = field(default_factory=time.time)

    @classmethod
    def new(cls, path: Path) -> "RunFile":
        """For this process as the supervisor. Nothing is written yet."""
        me = psutil.Process()
        return cls(path, supervisor=Identity.of("supervisor", os.getpid(), me.cmdline()))

    @classmethod
    def load(cls, path: Path) -> "RunFile | None":
        """What stands in the file, or None where there is none that can be read."""
        document = read_json(path)
        try:
            return cls(
                path,
                str(document["state"]),
                Identity.read(document["supervisor"]),
                {p["name"]: Identity.read(p) for p in document["processes"]},
                dict(document["addresses"]),
                {str(name): int(count) for name, count in document["restarts"].items()},
                float(document["started_at"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def write(self) -> None:
        """Replace the file."""
        write_private(
            self.path,
            {
                "state": self.state,
                "started_at": self.started_at,
                "supervisor": asdict(self.supervisor) if self.supervisor else None,
                "processes": [asdict(identity) for identity in self.processes.values()],
                "addresses": self.addresses,
                "restarts": self.restarts,
            },
        )

    def is_alive(self) -> bool:
        """Whether the supervisor that wrote the file still lives."""
        return self.supervisor is not None and self.supervisor.process() is not None

    def survivors(self, home: Path) -> list[psutil.Process]:
        """Processes that a dead supervisor of `home` left: those recorded, and those that carry its marker."""
        found = {process.pid: process for identity in self.processes.values() if (process := identity.process())}
        kin = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid not in kin and process.environ().get(MARKER) == str(home):
                    found[process.pid] = process
        return list(found.values())


def end_survivors(home: Path, path: Path, *, seconds: float = 10.0) -> int:
    """Terminate what a dead supervisor of `home` left, then kill; the caller holds the folder's lock. Returns how many.

    All are asked at once and have `seconds` (PostgreSQL by SIGINT, its fast shutdown); what is left then is killed.
    """
    file = RunFile.load(path) or RunFile(path)
    survivors = file.survivors(home)
    families = {child.pid: child for process in survivors for child in _children(process)}
    families |= {process.pid: process for process in survivors}
    for process in survivors:
        with contextlib.suppress(psutil.Error):
            process.resume()  # a stopped process hears nothing but SIGKILL
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(list(families.values()), timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    path.unlink(missing_ok=True)
    return len(survivors)


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []
