"""Named places at which a test may end the process: the list in code, and the hook (fault matrix, F2).

A point costs one dictionary look-up; only a process started with LENDLOG_CRASH_AT ends at one.
"""

import os
from collections import Counter
from pathlib import Path

POINTS = (
    "claim.after-epoch",
    "batch.before-begin",
    "batch.after-lock",
    "batch.after-fold",
    "batch.after-write",
    "batch.before-commit",
    "batch.after-commit",
    "closing.between-transactions",
    "relay.before-publish",
    "relay.after-publish",
    "relay.after-mark",
    "snapshots.before-flush",
    "snapshots.after-flush",
    "snapshots.after-mark",
    "command-relay.before-publish",
    "command-relay.after-publish",
)
EXIT_CODE = 137
_passed: Counter[str] = Counter()
_armed: dict[str, int] = {}
_log: Path | None = None


def arm(specification: str | None, log: Path | None = None) -> None:
    """Arm `point:n` (n-th passing, from 1); None disarms. The point must be in POINTS."""
    global _log  # noqa: PLW0603 - a crash point is a property of the process
    _armed.clear()
    _passed.clear()
    _log = log
    if specification:
        point, _, count = specification.partition(":")
        if point not in POINTS:
            raise ValueError(f"{point!r} is no crash point; there are {', '.join(POINTS)}")
        _armed[point] = int(count or 1)


def reach(point: str) -> None:
    """Pass a crash point: returns, or never (the process ends as by SIGKILL, without clean-up)."""
    if not _armed:
        return
    assert point in POINTS, point
    _passed[point] += 1
    if _armed.get(point) == _passed[point]:
        if _log is not None:
            with _log.open("a") as file:
                file.write(point + "\n")
        os._exit(EXIT_CODE)
