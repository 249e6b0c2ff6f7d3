"""RFC 6962 Merkle tree hash over an append-only log, kept as its frontier; and the record that is a leaf (D14).

Source: RFC 6962, 2.1: leaf hash = SHA-256(0x00 || leaf), node hash = SHA-256(0x01 || left || right).
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct

from shared.streams.ports import Record

HASH_BYTES = 32
_HEAD = Struct(">IQq")  # partition, offset, timestamp in milliseconds
_LENGTH = Struct(">i")
_NONE = _LENGTH.pack(-1)


def _field(value: bytes | None) -> bytes:
    return _NONE if value is None else _LENGTH.pack(len(value)) + value


def canonical(record: Record) -> bytes:
    """A record as length-prefixed bytes: no two records give the same. The topic's name belongs to the tree."""
    key, value = record.key, record.value
    pack = _LENGTH.pack
    parts = [
        _HEAD.pack(record.partition, record.offset, record.timestamp),
        _NONE if key is None else pack(len(key)) + key,
        _NONE if value is None else pack(len(value)) + value,
    ]
    for name, content in record.headers:
        parts.append(_field(name.encode()))
        parts.append(_field(content))
    return b"".join(parts)


def record_of(leaf: bytes, topic: str = "") -> Record:
    """The record that `canonical` made these bytes of."""
    partition, offset, timestamp = _HEAD.unpack_from(leaf)
    fields: list[bytes | None] = []
    at = _HEAD.size
    while at < len(leaf):
        (length,) = _LENGTH.unpack_from(leaf, at)
        at += _LENGTH.size
        fields.append(None if length < 0 else leaf[at : at + length])
        at += max(length, 0)
    names, contents = fields[2::2], fields[3::2]
    headers = tuple((name.decode(), content or b"") for name, content in zip(names, contents, strict=True) if name)
    return Record(topic, partition, offset, timestamp, fields[0], fields[1], headers)


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


class Tree:
    """A growing tree, held as the roots of its perfect subtrees, largest first: 32 bytes a set bit of `size`."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        if len(frontier) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(frontier)} bytes")
        self.size = size
        self.peaks = [frontier[i : i + HASH_BYTES] for i in range(0, len(frontier), HASH_BYTES)]

    def append(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        peaks, size = self.peaks, self.size
        for leaf in hashes:
            node, bits = leaf, size
            while bits & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                bits >>= 1
            peaks.append(node)
            size += 1
        self.size = size

    def frontier(self) -> bytes:
        """What has to be stored to go on."""
        return b"".join(self.peaks)

    def root(self) -> bytes:
        """The Merkle tree hash; of the empty tree, SHA-256 of nothing."""
        if not self.peaks:
            return sha256(b"").digest()
        node = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            node = sha256(b"\x01" + left + node).digest()
        return node
