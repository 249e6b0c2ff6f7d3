"""What a simulation was answered, written down as it comes, so that one that was killed goes on where it was.

A lender's life is a function of its seed and of the answers: told the same again, the desks ask the same again. What
the journal has is not asked a second time. What was asked and not written down is asked again under the same
idempotency key, and a command that was recorded answers as it did. Idempotency keys alone would not do: they keep
neither what was read on an earlier day nor what was refused then and would be accepted now.
"""

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

from shared.errors import MissingPrecondition


class JournalBroken(MissingPrecondition):
    """The journal of the simulation can't be read."""


class Journal:
    """Answers by what was asked, each in the order in which it came; on disk a JSON array [name, answer] a line."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Read what is there, unless a `fresh` one begins. A last line that a kill cut off is dropped. Raises
        JournalBroken. Use as a context manager."""
        self._told: dict[str, deque[Any]] = {}
        self.count = 0
        """Answers that are not recalled yet."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if fresh else 0), 0o600)
        self._file = os.fdopen(descriptor, "r+b")
        try:
            whole = self._read(path)
        except JournalBroken:
            self._file.close()
            raise
        self._file.seek(whole)
        self._file.truncate()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read(self, path: Path) -> int:
        """Take in what is whole; returns how many bytes that is."""
        whole = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                name, answer = json.loads(line)
            except ValueError:
                sentence = f"{path}:{number} is no answer: simulate into a home of its own, with LENDLOG_HOME."
                raise JournalBroken(sentence) from None
            self._told.setdefault(name, deque()).append(answer)
            self.count += 1
            whole += len(line)
        return whole

    def names(self, begin: str) -> int:
        """Of how many names that begin so an answer is not recalled yet."""
        return sum(name.startswith(begin) for name, answers in self._told.items() if answers)

    def has(self, name: str) -> bool:
        """Whether the next time that this is asked the answer is known."""
        return bool(self._told.get(name))

    def recall(self, name: str) -> Any:
        """The answer; there is one (`has`)."""
        self.count -= 1
        return self._told[name].popleft()

    def keep(self, name: str, answer: Any) -> None:
        """Write an answer down, before anything follows from it; it outlives this process."""
        self._file.write(json.dumps([name, answer], ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def sync(self) -> None:
        """Let what was written outlive the machine, too."""
        os.fsync(self._file.fileno())
