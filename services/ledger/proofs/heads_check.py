"""The heads that were signed, held against the tree of the log as it is now."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.checkpoint import OtherTree, checkpoint_of
from shared.errors import Refusal
from shared.key_rotation import Accepted, verify_head
from shared.proofs import Node, root_of
from shared.signed_note import Note


class BadHead(NamedTuple):
    """A head that was signed and does not fit: its size, and why."""

    size: int
    problem: str


def heads_that_differ(
    heads: Iterable[Note], *, origin: str, keys: Sequence[Accepted], size: int, node: Node
) -> Iterator[BadHead]:
    """Each head that none of the keys signed, that is another tree's, or that is not a beginning of the tree of `size`
    leaves: then the log was shortened or rewritten below it. `node`: of the tree, for example `nodes_of(leaf hashes)`.
    """
    for note in heads:
        stated = -1
        try:
            stated = checkpoint_of(note).size
            head = verify_head(note, keys)
            if head.origin != origin:
                raise OtherTree(f"The head is that of {head.origin}, not of {origin}.")
        except Refusal as refusal:
            yield BadHead(stated, refusal.detail)
            continue
        if head.size > size:
            yield BadHead(head.size, f"a head of {head.size} records was signed, the log has {size}")
        elif root_of(head.size, node) != head.root:
            yield BadHead(head.size, f"the first {head.size} records of the log are not those that were signed")
