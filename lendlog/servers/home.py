"""LENDLOG_HOME: the folder of one installation, with its lock, secrets, tokens, run file, logs and servers' data."""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lendlog.services import SERVICES
from shared.access import ROLES
from shared.errors import MissingPrecondition

FREE_BYTES_MIN = 1 << 30
"""PostgreSQL keeps up to 4 GiB of write-ahead log and Kafka writes segments: below 1 GiB it is not worth a try."""

KEY_NAMES = ("dead_letter_key", "vault_key")
"""Base64 of 32 random bytes; the others are passwords."""
SECRET_NAMES = (
    "postgres",
    *(f"{service}{suffix}" for service in SERVICES for suffix in ("", "_api")),
    *("reader", "replay"),
    *KEY_NAMES,
)
API_ROLES = tuple(sorted(ROLES - {"applicant"}))
"""An applicant's token is bound to one borrower: there is none before somebody applies."""


def write_private(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it; only the owner may read it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The document at `path`; empty if there is none, or if what stands there is not a JSON object."""
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


class Home:
    """The folder. Making one of these creates it (0700) but starts and locks nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise MissingPrecondition(
                f"The folder {self.path} can't be written ({error.strerror}): set LENDLOG_HOME to one that can."
            ) from error

    @property
    def logs(self) -> Path:
        """Where every child process leaves its output."""
        return self.path / "logs"

    @property
    def run_file(self) -> Path:
        """What runs from this folder at the moment: see lendlog/servers/runfile.py."""
        return self.path / "run.json"

    def require_space(self) -> None:
        """Refuse to start on a full disk, in one sentence."""
        free = shutil.disk_usage(self.path).free
        if free < FREE_BYTES_MIN:
            raise MissingPrecondition(
                f"Only {free >> 20} MiB are free on the disk of {self.path}, and 1024 are needed: "
                "free some, or set LENDLOG_HOME to a folder on another disk."
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone. The kernel lets the lock go when the holder dies, however it dies."""
        with (self.path / "lock").open("a") as file:
            try:
                _lock(file.fileno())
            except OSError as error:
                holder = read_json(self.run_file).get("supervisor", {}).get("pid", "unknown")
                raise AlreadyRunning(
                    f"A platform already runs from {self.path} (process {holder}): stop it with Ctrl-C or "
                    f"`kill {holder}`, or set LENDLOG_HOME to another folder."
                ) from error
            yield

    def is_locked(self) -> bool:
        """Whether some process holds the folder at this moment."""
        try:
            with self.locked():
                return False
        except AlreadyRunning:
            return True

    def secrets(self) -> dict[str, str]:
        """Passwords by role, and the keys of KEY_NAMES; made at the first call, mode 0600."""
        path = self.path / "secrets.json"
        held = {str(name): str(value) for name, value in read_json(path).items()}
        missing = [name for name in SECRET_NAMES if name not in held]
        for name in missing:
            raw = secrets.token_bytes(32)
            held[name] = base64.b64encode(raw).decode() if name in KEY_NAMES else raw.hex()
        if missing:
            write_private(path, held)
        return held

    def tokens(self) -> dict[str, str]:
        """An API token for each role; made at the first call, mode 0600. The database holds their hashes only."""
        path = self.path / "tokens.json"
        held = {str(name): str(value) for name, value in read_json(path).items()}
        missing = [role for role in API_ROLES if role not in held]
        if missing:
            held |= {role: f"lendlog_{role}_{secrets.token_urlsafe(32)}" for role in missing}
            write_private(path, held)
        return held


def _lock(descriptor: int) -> None:
    """Take the lock. Whoever only asks `is_locked` holds it for microseconds, so a few more tries are due."""
    for _ in range(5):
        with contextlib.suppress(OSError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.02)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class AlreadyRunning(MissingPrecondition):
    """Another process holds the folder."""
