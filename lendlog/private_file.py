"""A file that only its owner may read, and that is there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import MissingPrecondition


def require_new(path: Path) -> None:
    """Raise MissingPrecondition if there is such a file."""
    if path.exists():
        raise MissingPrecondition(f"{path} exists: name another file.")


@contextmanager
def private_file(path: Path, content: bytes) -> Iterator[Path]:
    """Write `content` beside `path` (mode 0600); on leaving it gets its name, unless an error leaves: then it is gone.
    Raises MissingPrecondition if `path` exists or can't be written: nothing is written over. Where it gets no name
    in the end, it stays under the other one, and the sentence says so."""
    waiting = path.with_name(f"{path.name}.{os.getpid()}.part")
    require_new(path)
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise MissingPrecondition(f"{path} can't be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield waiting
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    try:
        os.link(waiting, path)  # unlike a rename, it takes no other file's place
    except OSError as error:
        raise MissingPrecondition(f"{path} can't be made ({error.strerror}): what was made is {waiting}.") from error
    waiting.unlink()
