"""A file that its owner alone may read, which is there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import MissingPrecondition


@contextmanager
def private_file(path: Path, content: bytes) -> Iterator[None]:
    """The content is safe on disk as `<path>.part` while the context lasts, and becomes `path` at its end; where the
    context fails, nothing stays. Raises MissingPrecondition for a file that is there already."""
    if path.exists():
        raise MissingPrecondition(f"{path} exists: name another file, or put that one away.")
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield
    except BaseException:
        part.unlink()
        raise
    part.rename(path)
