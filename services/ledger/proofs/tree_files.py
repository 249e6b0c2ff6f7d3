"""The tree of one partition as two append-only files, so that a proof reads a few hashes of a log of any length.

`offsets` holds the offset of each record as 8 bytes. `hashes` holds 32 bytes a node: after each leaf the nodes that it
completes, upwards, so that a tree's nodes never move. Nothing here is the truth: it is computed anew from the log.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from struct import Struct

from shared.merkle import HASH_BYTES
from shared.proofs import node_hash, root_of

_OFFSET = Struct(">q")


def nodes_before(leaf: int) -> int:
    """How many nodes stand before the leaf of this index: one a leaf, one a completed pair of nodes."""
    return 2 * leaf - leaf.bit_count()


class TreeFiles:
    """The files of one partition. One process appends; others read, each by an instance of its own."""

    def __init__(self, folder: Path, *, writable: bool = False) -> None:
        flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
        if writable:
            folder.mkdir(parents=True, exist_ok=True)
        self._offsets = os.open(folder / "offsets", flags, 0o644)
        try:
            self._hashes = os.open(folder / "hashes", flags, 0o644)
        except OSError:
            os.close(self._offsets)
            raise
        self.size = min(os.fstat(self._offsets).st_size // _OFFSET.size, self._leaves_of_hashes())
        """Records whose nodes are all there."""

    def close(self) -> None:
        """Close both files."""
        os.close(self._offsets)
        os.close(self._hashes)

    def __enter__(self) -> "TreeFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _leaves_of_hashes(self) -> int:
        nodes = os.fstat(self._hashes).st_size // HASH_BYTES
        low, high = 0, nodes
        while low < high:  # the most leaves whose nodes fit
            middle = (low + high + 1) // 2
            low, high = (middle, high) if nodes_before(middle) <= nodes else (low, middle - 1)
        return low

    def node(self, level: int, i: int) -> bytes:
        """The root over the 2**level records from i * 2**level on (a `shared.proofs.Node`)."""
        place = nodes_before(((i + 1) << level) - 1) + level
        return os.pread(self._hashes, HASH_BYTES, place * HASH_BYTES)

    def root(self, size: int) -> bytes:
        """The root of the first `size` records."""
        return root_of(size, self.node)

    def offset(self, index: int) -> int:
        """The offset of the record at this index."""
        found: tuple[int] = _OFFSET.unpack(os.pread(self._offsets, _OFFSET.size, index * _OFFSET.size))
        return found[0]

    def next_offset(self) -> int:
        """The first offset that may hold the next record."""
        return self.offset(self.size - 1) + 1 if self.size else 0

    def index(self, offset: int) -> int | None:
        """The index of the record at this offset; None where the files have none."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.offset(middle) < offset else (low, middle)
        return low if low < self.size and self.offset(low) == offset else None

    def truncate(self, size: int) -> None:
        """Forget the records from this index on."""
        self.size = min(self.size, size)
        os.ftruncate(self._offsets, self.size * _OFFSET.size)
        os.ftruncate(self._hashes, nodes_before(self.size) * HASH_BYTES)

    def append(self, leaves: Iterable[tuple[int, bytes]]) -> None:
        """Add (offset, leaf hash) of the next records, in order."""
        size, offsets, nodes = self.size, bytearray(), bytearray()
        peaks: list[bytes] = self._peaks()
        for offset, leaf in leaves:
            offsets += _OFFSET.pack(offset)
            nodes += leaf
            node, bits = leaf, size
            while bits & 1:
                node, bits = node_hash(peaks.pop(), node), bits >> 1
                nodes += node
            peaks.append(node)
            size += 1
        _write(self._hashes, bytes(nodes), nodes_before(self.size) * HASH_BYTES)
        _write(self._offsets, bytes(offsets), self.size * _OFFSET.size)
        self.size = size

    def sync(self) -> None:
        """Return once everything is on the disk."""
        os.fsync(self._hashes)
        os.fsync(self._offsets)

    def _peaks(self) -> list[bytes]:
        peaks, start = [], 0
        for level in reversed(range(self.size.bit_length())):
            if self.size >> level & 1:
                peaks.append(self.node(level, start >> level))
                start += 1 << level
        return peaks


def _write(descriptor: int, content: bytes, place: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, place)
        content, place = content[written:], place + written
