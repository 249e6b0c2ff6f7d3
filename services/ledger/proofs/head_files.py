"""The folder of heads: `p<partition>/<size>` for each that is kept, `p<partition>/head` the last one, `keys/<n>` each
rotation of the key. They are signed notes, public, and served or copied as they are."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.ledger.proofs.tree_files import TreeFiles
from shared.checkpoint import checkpoint_of
from shared.errors import MissingPrecondition
from shared.signed_note import Note, parse_note

DAY_SECONDS = 86_400


class HeadFiles:
    """The folder. Making one of these reads and writes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def partition(self, partition: int) -> Path:
        """Where a partition's files are."""
        return self.folder / f"p{partition}"

    def tree(self, partition: int, *, writable: bool = False) -> TreeFiles:
        """The partition's tree. MissingPrecondition where there is none to read."""
        try:
            return TreeFiles(self.partition(partition), writable=writable)
        except FileNotFoundError:
            raise MissingPrecondition(
                f"The folder {self.folder} has no tree of partition {partition}: the ledger's notary writes it, which "
                "`lendlog run` starts."
            ) from None

    def partitions(self) -> list[int]:
        """Partitions that have a head."""
        found = self.folder.glob("p*/head")
        return sorted(int(path.parent.name[1:]) for path in found if path.parent.name[1:].isdecimal())

    def latest(self, partition: int) -> Note | None:
        """The last signed head."""
        return _read(self.partition(partition) / "head")

    def of_size(self, partition: int, size: int) -> Note | None:
        """The head of this size, if one was signed."""
        return _read(self.partition(partition) / str(size))

    def all(self, partition: int) -> Iterator[Note]:
        """Every signed head, smallest first."""
        sizes = (int(path.name) for path in self.partition(partition).glob("[0-9]*") if path.name.isdecimal())
        for size in sorted(sizes):
            if note := self.of_size(partition, size):
                yield note

    def keep(self, partition: int, note: Note) -> None:
        """Write a head down, on the disk before this returns: a head that left is never forgotten."""
        folder = self.partition(partition)
        folder.mkdir(parents=True, exist_ok=True)
        write_public(folder / str(checkpoint_of(note).size), note.render())
        write_public(folder / "head", note.render())

    def prune(self, partition: int, *, before: float) -> int:
        """Delete heads that were written before this time (POSIX seconds) and are not the last of their UTC day;
        returns how many. A later head commits to all that an earlier one does, and the topic has them all."""
        latest = self.latest(partition)
        last_of_day = {checkpoint_of(latest).size} if latest else set()
        old: dict[int, list[int]] = {}
        for path in self.partition(partition).glob("[0-9]*"):
            if path.name.isdecimal() and (written := path.stat().st_mtime) < before:
                old.setdefault(int(written // DAY_SECONDS), []).append(int(path.name))
        last_of_day |= {max(sizes) for sizes in old.values()}
        gone = {size for sizes in old.values() for size in sizes} - last_of_day
        for size in gone:
            (self.partition(partition) / str(size)).unlink()
        return len(gone)

    def rotations(self) -> list[Note]:
        """Rotations of the key, oldest first."""
        paths = sorted((self.folder / "keys").glob("[0-9]*"), key=lambda path: int(path.name))
        return [note for path in paths if (note := _read(path))]

    def add_rotation(self, note: Note) -> None:
        """Write a rotation down."""
        (self.folder / "keys").mkdir(parents=True, exist_ok=True)
        write_public(self.folder / "keys" / str(len(self.rotations()) + 1), note.render())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone, for signing. MissingPrecondition while another process does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise MissingPrecondition(
                    f"Another process signs heads into {self.folder}: stop it first (`lendlog run` starts one)."
                ) from None
            yield


def write_public(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, and that it outlives a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> Note | None:
    try:
        return parse_note(path.read_bytes())
    except FileNotFoundError:
        return None
