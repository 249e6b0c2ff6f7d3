"""Inclusion and consistency proofs in the RFC 6962 tree, made from the hashes of its perfect subtrees and verified from
roots alone.

Sources: RFC 6962, 2.1.1 (audit paths) and 2.1.2 (consistency proofs); how they are verified: RFC 9162, 2.1.3.2 and
2.1.4.2.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from shared.errors import Refusal
from shared.merkle import HASH_BYTES, Tree

Node = Callable[[int, int], bytes]
"""(level, i) → the root over the 2**level leaves from i * 2**level on, which are all there."""

EMPTY_ROOT = Tree().root()


class NotIncluded(Refusal):
    """The inclusion proof does not lead from the record to the head."""


class NotConsistent(Refusal):
    """The later head does not continue the earlier one."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def nodes_of(leaves: Sequence[bytes]) -> Node:
    """The perfect subtrees over leaf hashes in memory."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, i: levels[level][i]


def root_of(size: int, node: Node) -> bytes:
    """The Merkle tree hash of the first `size` leaves."""
    return _range_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of the leaf at `index` in the tree of `size` leaves, from its sibling up; 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start = split
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """What shows that the tree of `new` leaves begins with the tree of `old` ones; empty where either is trivial."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not continue one of {old}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end = 0, new
    while old != end:
        split = start + _split(end - start)
        if old <= split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start = split
    if start:  # else the old root itself stands first, which the verifier has
        path.append(_range_root(start, end, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raises NotIncluded unless the leaf hash stands at `index` in the tree of `size` leaves with this root."""
    if not 0 <= index < size:
        raise NotIncluded(f"A tree of {size} records has no record {index}.", field="index")
    _require_hashes((leaf, root, *path), NotIncluded)
    found = leaf
    for hashed, is_left in _climb(path, at=index, last=size - 1, refusal=NotIncluded):
        found = node_hash(hashed, found) if is_left else node_hash(found, hashed)
    if found != root:
        raise NotIncluded(f"Record {index} is not in the tree with this root.", field="path")


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raises NotConsistent unless the tree of `new` leaves begins with the tree of `old` leaves. A tree without a leaf
    is continued by every one."""
    if not 0 <= old <= new:
        raise NotConsistent(f"A tree of {new} records does not continue one of {old}.", field="size")
    _require_hashes((old_root, new_root, *path), NotConsistent)
    if old in (0, new):
        if path:
            raise NotConsistent("No consistency proof is due here, and there is one.", field="path")
        if old_root != (new_root if old else EMPTY_ROOT):
            raise NotConsistent(f"Two heads of {old} records differ.", field="root")
        return
    if not path:
        raise NotConsistent("The consistency proof is missing.", field="path")
    first, *rest = path if old & old - 1 else (old_root, *path)  # a perfect old tree is a subtree itself
    level = (old & -old).bit_length() - 1
    earlier = later = first
    for hashed, is_left in _climb(rest, at=old - 1 >> level, last=new - 1 >> level, refusal=NotConsistent):
        if is_left:
            earlier, later = node_hash(hashed, earlier), node_hash(hashed, later)
        else:
            later = node_hash(later, hashed)
    if earlier != old_root:
        raise NotConsistent(f"The proof does not start at the head of {old} records.", field="path")
    if later != new_root:
        raise NotConsistent(f"The head of {new} records does not continue that of {old}.", field="path")


def _climb(path: Sequence[bytes], *, at: int, last: int, refusal: type[Refusal]) -> Iterator[tuple[bytes, bool]]:
    """The hashes of a path from the node `at` up to the root, each with whether it stands on the left; `last` is the
    last node of that level. Raises the refusal for a path of another length than the tree's."""
    for hashed in path:
        if last == 0:
            raise refusal("The proof is too long for the size of the tree.", field="path")
        while not at & 1 and at == last:  # alone at the end of its level: it goes up as it is
            at, last = at >> 1, last >> 1
        yield hashed, bool(at & 1)
        at, last = at >> 1, last >> 1
    while not at & 1 and at == last and last:
        at, last = at >> 1, last >> 1
    if last:
        raise refusal("The proof is too short for the size of the tree.", field="path")


def _require_hashes(hashes: Sequence[bytes], refusal: type[Refusal]) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise refusal(f"A hash has {HASH_BYTES} bytes.", field="path")


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, node: Node) -> bytes:
    """The Merkle tree hash of the leaves [start, end), where `start` is a multiple of the range's leading power."""
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(node(level, start >> level))
        start += 1 << level
    found = peaks.pop()
    while peaks:
        found = node_hash(peaks.pop(), found)
    return found
