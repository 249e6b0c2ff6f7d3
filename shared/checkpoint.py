"""Heads of a tree as signed notes (checkpoints), and the timed signature of a witness below them.

Sources: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint) and tlog-cosignature (https://c2sp.org/tlog-cosignature).
A book has one key name, such as `lendlog.dev/ledger/4f0c2b9a1d3e5f60`; the tree of its partition 3 has the origin
`<name>/p3`, and signs with the book's key under that name, as the source asks.
"""

import re
from dataclasses import dataclass
from struct import Struct

from shared.errors import Refusal
from shared.merkle import HASH_BYTES
from shared.signed_note import (
    COSIGNATURE,
    Note,
    NotSigned,
    Signature,
    SigningKey,
    VerifierKey,
    WrongSignature,
    decoded,
    encoded,
    require_signature,
    sign_note,
)

SIZE_MAX = (1 << 63) - 1
_TIME = Struct(">Q")
_ORIGIN = re.compile(r"(?P<book>\S+)/p(?P<partition>0|[1-9][0-9]{0,4})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class NotACheckpoint(Refusal):
    """The note is not the head of a tree."""


class OtherTree(Refusal):
    """The head is that of another tree."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree: whose it is, over how many records, its root. We write no extension lines, which nobody could
    check; those of others are kept, since they are signed."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note's text."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), encoded(self.root), *self.extensions))

    @property
    def book(self) -> str:
        """The name of the book, and of its key. Raises OtherTree where the origin is not one of ours."""
        return self._place()[0]

    @property
    def partition(self) -> int:
        """The partition. Raises OtherTree where the origin is not one of ours."""
        return self._place()[1]

    def _place(self) -> tuple[str, int]:
        found = _ORIGIN.fullmatch(self.origin)
        if found is None:
            raise OtherTree(f"{self.origin} does not name a partition of a book.", field="origin")
        return found["book"], int(found["partition"])


def origin_of(book: str, partition: int) -> str:
    """The origin of a partition's tree."""
    return f"{book}/p{partition}"


def checkpoint_of(note: Note) -> Checkpoint:
    """The head that the note's text states, signatures not verified. Raises NotACheckpoint."""
    lines = note.text[:-1].split("\n")
    root = decoded(lines[2]) if len(lines) > 2 else None
    if root is None or len(root) != HASH_BYTES or not all(lines) or not _NUMBER.fullmatch(lines[1]):
        raise NotACheckpoint("A head states its origin, its size and its root, each on a line.", field="note")
    if int(lines[1]) > SIZE_MAX:
        raise NotACheckpoint("The size of the head is no record count.", field="note")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def sign_checkpoint(head: Checkpoint, key: SigningKey) -> Note:
    """The head, signed by the book's key under the name of the tree."""
    return sign_note(head.text(), key.named(head.origin))


def verify_checkpoint(note: Note, key: VerifierKey) -> Checkpoint:
    """The head, once the book's key has signed it; a key of the name of one tree serves, too.

    Raises NotACheckpoint, OtherTree, NotSigned, WrongSignature.
    """
    head = checkpoint_of(note)
    if key.name not in (head.origin, head.book):
        raise OtherTree(f"The head is that of {head.origin}, the key that of {key.name}.", field="origin")
    require_signature(note, VerifierKey(head.origin, key.kind, key.public))
    return head


def cosign(note: Note, key: SigningKey, *, seconds: int) -> Note:
    """The note with a witness's signature below it: as of this time (POSIX seconds) no larger head was seen.

    `key` is of the kind COSIGNATURE.
    """
    assert key.kind == COSIGNATURE, "a witness signs with a key of its own kind"
    value = _TIME.pack(seconds) + key.sign(_cosigned(note, seconds))
    return note.with_signatures([Signature(key.name, key.verifier().key_id, value)])


def verify_cosignature(note: Note, key: VerifierKey) -> int:
    """When the witness saw the head, as POSIX seconds; the latest where it signed more than once. Raises NotSigned,
    WrongSignature."""
    signatures = note.signatures_of(key)
    if not signatures:
        raise NotSigned(f"The head has no signature of the witness {key.name}.", field="witness")
    times: list[int] = []
    for signature in signatures:
        if len(signature.value) <= _TIME.size:
            raise WrongSignature(f"The signature of the witness {key.name} has no time.", field="signature")
        (seconds,) = _TIME.unpack_from(signature.value)
        key.verify(_cosigned(note, seconds), signature.value[_TIME.size :])
        times.append(seconds)
    return max(times)


def _cosigned(note: Note, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{note.text}".encode()
