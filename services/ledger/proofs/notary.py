"""What is signed of one partition: only a head that the books hold and that continues the last signed one.

A log must never sign two heads of which neither continues the other (C2SP tlog-checkpoint). So the last head is on the
disk before anybody sees it, and each new one is held against it and against the books' own tree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.ledger.proofs.head_files import HeadFiles
from shared.checkpoint import Checkpoint, checkpoint_of, origin_of, sign_checkpoint
from shared.errors import Refusal
from shared.key_rotation import Accepted, RetiredKey, accepted_keys, verify_head
from shared.merkle import Tree, canonical, leaf_hash
from shared.proofs import EMPTY_ROOT, NotConsistent, consistency_proof
from shared.signed_note import Note, SigningKey
from shared.streams.ports import Record


class BooksDiffer(Refusal):
    """The books' tree is not that of the log."""


@dataclass(frozen=True, slots=True)
class Held:
    """How far the books are: a row of `position`."""

    partition: int
    next_offset: int
    size: int
    frontier: bytes
    open_date: date | None


def require_current(files: HeadFiles, key: SigningKey) -> list[Accepted]:
    """The chain of keys that ends with this one. Raises RetiredKey where a rotation took its place, NotARotation where
    none leads to it."""
    keys = accepted_keys(key.verifier(), files.rotations())
    if keys[-1].key != key.verifier():
        raise RetiredKey("The key was rotated: sign with the one that took its place.", field="key")
    return keys


class Notary:
    """Signs the heads of one partition. Not safe for two at once: the folder's lock is held by the caller."""

    def __init__(self, files: HeadFiles, partition: int, key: SigningKey) -> None:
        """Raises what `require_current` and `restore` raise."""
        self.partition = partition
        self._files = files
        self._key = key
        self._keys = require_current(files, key)
        self._tree = files.tree(partition, writable=True)
        try:
            self._adopt(files.latest(partition))
        except Refusal:
            self.close()
            raise

    def close(self) -> None:
        """Close the files."""
        self._tree.close()

    def _adopt(self, note: Note | None) -> None:
        """Take `note` as the last signed head. Raises what `verify_head` raises where our keys did not sign it, and
        OtherTree where it is that of another book."""
        self.last = Checkpoint(origin_of(self._key.name, self.partition), 0, EMPTY_ROOT)
        self.last_note = note
        if note is not None:
            self.last = verify_head(note, self._keys)
        if self._tree.size > self.last.size:
            self._tree.truncate(self.last.size)  # what was not yet signed may not have reached the disk whole
        if self._tree.size == self.last.size and self._tree.root(self.last.size) != self.last.root:
            self._tree.truncate(0)  # the files are damaged: the log says what they must be

    def restore(self, published: Note | None) -> None:
        """Learn of the last published head, which the folder forgets where it is lost. Raises as `verify_head`."""
        if published is not None and checkpoint_of(published).size > self.last.size:
            self._adopt(published)
            self._files.keep(self.partition, published)

    @property
    def is_provable(self) -> bool:
        """Whether the tree is there up to the last head: files that were lost are computed anew first."""
        return self._tree.size >= self.last.size

    @property
    def next_offset(self) -> int:
        """From where `take` wants records."""
        return self._tree.next_offset()

    def take(self, records: Iterable[Record]) -> None:
        """Add the next records of the log to the tree."""
        self._tree.append((record.offset, leaf_hash(canonical(record))) for record in records)

    def sign(self, held: Held) -> Note | None:
        """The signed head of what the books hold, written down; None where they hold no more than the last one.

        The records below `held.next_offset` were taken. Raises BooksDiffer and NotConsistent, and has then signed
        nothing.
        """
        tree, last = self._tree, self.last
        if tree.size < held.size or tree.root(held.size) != Tree(held.size, held.frontier).root():
            raise BooksDiffer(
                f"The books' tree of partition {held.partition} has {held.size} records and another root than the "
                f"log's, which has {tree.size}.",
                field="tree_frontier",
            )
        if held.size < last.size:
            return None  # books that were restored from a copy are on their way
        if tree.root(last.size) == last.root:
            return self._signed(held.size) if held.size > last.size else None
        raise NotConsistent(
            f"The log of partition {held.partition} does not continue its signed head of {last.size} records: nothing "
            "is signed.",
            field="root",
        )

    def _signed(self, size: int) -> Note:
        self._tree.sync()
        head = Checkpoint(origin_of(self._key.name, self.partition), size, self._tree.root(size))
        note = sign_checkpoint(head, self._key)
        self._files.keep(self.partition, note)
        self.last, self.last_note = head, note
        return note

    def consistency(self, old: int) -> Sequence[bytes]:
        """The proof from the head of `old` records to the last one."""
        return consistency_proof(old, self.last.size, self._tree.node)
