"""Every proof of every tree verifies, and a change anywhere is seen."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.merkle import Tree, leaf_hash
from shared.proofs import (
    NotConsistent,
    NotIncluded,
    consistency_proof,
    inclusion_proof,
    node_hash,
    nodes_of,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZE_MAX = 200
LEAVES = [leaf_hash(str(n).encode()) for n in range(SIZE_MAX)]
NODE = nodes_of(LEAVES)


def specified_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(specified_root(leaves[:k]), specified_root(leaves[k:]))


def specified_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1: PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*specified_path(m, leaves[:k]), specified_root(leaves[k:])]
    return [*specified_path(m - k, leaves[k:]), specified_root(leaves[:k])]


def specified_consistency(m: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2: SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if whole else [specified_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*specified_consistency(m, leaves[:k], whole=whole), specified_root(leaves[k:])]
    return [*specified_consistency(m - k, leaves[k:], whole=False), specified_root(leaves[:k])]


ROOTS = [specified_root(LEAVES[:size]) for size in range(SIZE_MAX)]


def test_roots_of_all_sizes_are_the_specifications() -> None:
    tree = Tree()
    for size in range(SIZE_MAX):
        assert root_of(size, NODE) == ROOTS[size] == tree.root()
        tree.append([LEAVES[size]])


def test_every_leaf_of_every_tree_is_proved() -> None:
    for size in range(1, SIZE_MAX):
        for index in range(size):
            path = inclusion_proof(index, size, NODE)
            verify_inclusion(LEAVES[index], index=index, size=size, path=path, root=ROOTS[size])


def test_every_tree_continues_every_smaller_one() -> None:
    for new in range(SIZE_MAX):
        for old in range(new + 1):
            path = consistency_proof(old, new, NODE)
            verify_consistency(old=old, old_root=ROOTS[old], new=new, new_root=ROOTS[new], path=path)


@given(st.data())
def test_proofs_are_the_specifications(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX - 1))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert inclusion_proof(index, size, NODE) == specified_path(index, LEAVES[:size])
    assert consistency_proof(old, size, NODE) == specified_consistency(old, LEAVES[:size])


def flipped(data: st.DataObject, parts: list[bytes]) -> list[bytes]:
    """The parts with one bit of one of them turned over."""
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    return [*parts[:which], bytes(changed), *parts[which + 1 :]]


@given(st.data())
def test_a_changed_inclusion_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX - 1))
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, NODE)
    leaf, root, *changed = flipped(data, [LEAVES[index], ROOTS[size], *path])
    with pytest.raises(NotIncluded):
        verify_inclusion(leaf, index=index, size=size, path=changed, root=root)
    longer = [*path, data.draw(st.sampled_from([LEAVES[0], ROOTS[size]]))]
    for other in ([*longer], path[:-1] if path else longer, path[1:] if path else longer):
        with pytest.raises(NotIncluded):
            verify_inclusion(LEAVES[index], index=index, size=size, path=other, root=ROOTS[size])


@given(st.data())
def test_a_leaf_stands_at_its_own_index_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, SIZE_MAX - 1))
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    path = inclusion_proof(index, size, NODE)
    with pytest.raises(NotIncluded):
        verify_inclusion(LEAVES[index], index=other, size=size, path=path, root=ROOTS[size])


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, SIZE_MAX - 1))
    old = data.draw(st.integers(1, new - 1))
    path = consistency_proof(old, new, NODE)
    old_root, new_root, *changed = flipped(data, [ROOTS[old], ROOTS[new], *path])
    with pytest.raises(NotConsistent):
        verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, path=changed)
    for other in ([*path, LEAVES[0]], path[:-1], path[1:]):
        with pytest.raises(NotConsistent):
            verify_consistency(old=old, old_root=ROOTS[old], new=new, new_root=ROOTS[new], path=other)


@given(st.data())
def test_a_rewritten_history_has_no_proof(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, SIZE_MAX - 1))
    old = data.draw(st.integers(1, new - 1))
    rewritten = list(LEAVES[:new])
    rewritten[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    node = nodes_of(rewritten)
    with pytest.raises(NotConsistent):
        verify_consistency(
            old=old,
            old_root=ROOTS[old],
            new=new,
            new_root=root_of(new, node),
            path=consistency_proof(old, new, node),
        )
