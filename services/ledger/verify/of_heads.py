"""The check of the log against the heads that were signed of it: nothing below one was ever changed."""

from collections.abc import Iterator
from itertools import islice

from services.ledger.proofs.heads_check import heads_that_differ
from services.ledger.verify.rows import Books, Finding
from shared.checkpoint import checkpoint_of
from shared.errors import Refusal
from shared.merkle import leaf_hash
from shared.signed_note import Note


def heads_are_beginnings(books: Books) -> Iterator[Finding]:
    """Every signed head is one of the book's key, over a beginning of the log: also a log that was rewritten with all
    books recomputed from it, which agrees with itself, is not the one that was signed."""
    if books.signed is None:
        return
    tree = books.tree_before()
    size, leaves = tree.size + len(books.log), iter(books.log)

    def root(of: int) -> bytes:
        tree.append(leaf_hash(leaf) for _, leaf in islice(leaves, of - tree.size))
        return tree.root()

    found = heads_that_differ(
        compared(books), origin=books.signed.origin(books.partition), keys=books.signed.keys, size=size, root=root
    )
    for bad in found:
        yield Finding("signed head", {"partition": books.partition, "size": bad.size}, bad.problem)


def compared(books: Books) -> list[Note]:
    """The partition's heads that the check looks at: those of more records than were audited before."""
    notes = books.signed.notes.get(books.partition, ()) if books.signed is not None else ()
    before = books.tree_before().size
    return [note for note in notes if not before or _size(note) > before]


def _size(note: Note) -> int:
    """Of a head that says nonsense more than any: it is looked at."""
    try:
        return checkpoint_of(note).size
    except Refusal:
        return 1 << 63
