"""Child processes in sessions of their own, free ports, and stopping within a time."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lendlog.servers.runfile import MARKER, Identity

POLL_SECONDS = 0.05
LOG_BYTES_MAX = 50_000_000
"""At a start, a log beyond this is kept as .log.1 and a new one begun."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How to start a child. `prefix` replaces itself with `command` (unshare does); `ending` asks it to leave."""

    name: str
    command: tuple[str, ...]
    log: Path
    home: Path
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    ending: signal.Signals = signal.SIGTERM


class Child:
    """A running child. It belongs to no event loop, so that whoever started it may stop it from another one."""

    def __init__(self, spec: Spec) -> None:
        """Start it. Its own session keeps a terminal's Ctrl-C from it: the supervisor decides who ends when."""
        self.spec = spec
        if spec.log.exists() and spec.log.stat().st_size > LOG_BYTES_MAX:
            spec.log.replace(spec.log.with_suffix(".log.1"))
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*spec.prefix, *spec.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**spec.environment, MARKER: str(spec.home)},
                start_new_session=True,
            )
        self.started = time.monotonic()
        self.identity = Identity.of(spec.name, self._process.pid, spec.command)

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        if self.alive:
            self._process.send_signal(number)

    async def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long. Returns whether it has."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def stop(self, seconds: float) -> bool:
        """Ask it to leave; kill it and its children after `seconds`. Returns whether it left by itself."""
        self.send(self.spec.ending)
        if await self.wait(max(seconds, 0.0)):
            return True
        await self.kill()
        return False

    async def kill(self) -> None:
        """End it with SIGKILL, its children with it."""
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.pid).children(recursive=True)
        self.send(signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        await self.wait(5)


async def complete(spec: Spec) -> int:
    """Run a child to its end and return its exit code. It doesn't outlive a cancellation."""
    child = Child(spec)
    try:
        await child.wait(float("inf"))
    finally:
        await child.kill()
    return child.exit_code or 0


def last_words(log: Path, *, lines: int = 3, after: int = 0) -> str:
    """The last lines that a child wrote after byte `after`, on one line, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(after, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())


def listens(port: int) -> bool:
    """Whether something takes connections at this port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(preferred: int, taken: Sequence[int] = ()) -> int:
    """`preferred`, or the next free one above it; 0: any that is free."""
    if preferred == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])
    return next(port for port in range(preferred, 65536) if port not in taken and is_free(port))


def inherited(**more: str) -> dict[str, str]:
    """This process's environment for a child, without what only the supervisor may know (the administrator's URL)."""
    kept = {name: value for name, value in os.environ.items() if name != "LENDLOG_POSTGRES_URL"}
    return kept | more
