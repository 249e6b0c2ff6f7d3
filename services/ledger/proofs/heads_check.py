"""The heads that were signed, held against the tree of the log as it is now."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.ledger.proofs.head_files import HeadFiles
from shared.checkpoint import Checkpoint, OtherTree, checkpoint_of, origin_of
from shared.errors import Refusal
from shared.key_rotation import Accepted, accepted_keys, verify_head
from shared.signed_note import Note, VerifierKey


class BadHead(NamedTuple):
    """A head that was signed and does not fit: its size, and why."""

    size: int
    problem: str


class SignedHeads(NamedTuple):
    """Heads by partition, smallest first, and the keys that may have signed them, latest last."""

    notes: Mapping[int, Sequence[Note]]
    keys: Sequence[Accepted]

    def origin(self, partition: int) -> str:
        """Whose head a partition's is."""
        return origin_of(self.keys[-1].key.name, partition)


def signed_heads(files: HeadFiles, trusted: VerifierKey) -> SignedHeads:
    """Every head in the folder, by the trusted key and those that its rotations lead to. Raises NotARotation."""
    notes = {partition: list(files.all(partition)) for partition in files.partitions()}
    return SignedHeads(notes, accepted_keys(trusted, files.rotations()))


def heads_that_differ(
    heads: Iterable[Note], *, origin: str, keys: Sequence[Accepted], size: int, root: Callable[[int], bytes]
) -> Iterator[BadHead]:
    """Each head that none of the keys signed, that is another tree's, or that is not a beginning of the tree of `size`
    leaves: then the log was shortened or rewritten below it. `root`: of the first so many leaves of that tree, asked
    for in ascending order.
    """
    sound: list[Checkpoint] = []
    for note in heads:
        stated = -1
        try:
            stated = checkpoint_of(note).size
            head = verify_head(note, keys)
            if head.origin != origin:
                raise OtherTree(f"The head is that of {head.origin}, not of {origin}.")
        except Refusal as refusal:
            yield BadHead(stated, refusal.detail)
        else:
            sound.append(head)
    for head in sorted(sound, key=lambda head: head.size):
        if head.size > size:
            yield BadHead(head.size, f"a head of {head.size} records was signed, the log has {size}")
        elif root(head.size) != head.root:
            yield BadHead(head.size, f"the first {head.size} records of the log are not those that were signed")
