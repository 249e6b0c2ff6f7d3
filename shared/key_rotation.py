"""Which keys sign heads: the trusted one, and those that led to it or follow from it by rotations.

A rotation is a signed note, signed by both keys under the book's name:

    lendlog.dev/ledger/4f0c2b9a1d3e5f60/keys
    <the old public key>
    <the new public key>
    p0 4012
    p1 388

The old key stays valid for heads up to the size that the partition's line states; a partition without a line had none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.checkpoint import Checkpoint, OtherTree, checkpoint_of, verify_checkpoint
from shared.errors import Refusal
from shared.signed_note import (
    ED25519,
    NotAKey,
    Note,
    NotSigned,
    SigningKey,
    VerifierKey,
    parse_verifier,
    require_signature,
    sign_note,
)

_LIMIT = re.compile(r"p(0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,18})")


class NotARotation(Refusal):
    """This is not the rotation of a book's key."""


class RetiredKey(Refusal):
    """The key was retired before a head of this size."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key took another's place. `limits`: the size of the last head that the old key signed, by partition."""

    old: VerifierKey
    new: VerifierKey
    limits: Mapping[int, int]

    def text(self) -> str:
        """The note's text."""
        lines = [f"{self.old.name}/keys", self.old.text(), self.new.text()]
        lines += [f"p{partition} {size}" for partition, size in sorted(self.limits.items())]
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A key that may sign heads; `limits` as in a rotation, None for the key that no rotation retired."""

    key: VerifierKey
    limits: Mapping[int, int] | None = None

    def require_valid(self, head: Checkpoint) -> None:
        """Raises RetiredKey where the key was retired before this head."""
        if self.limits is not None and head.size > (limit := self.limits.get(head.partition, 0)):
            raise RetiredKey(
                f"The key {self.key.key_id.hex()} signs heads of {head.origin} up to {limit} records; this one has "
                f"{head.size}.",
                field="key",
            )


def sign_rotation(old: SigningKey, new: SigningKey, limits: Mapping[int, int]) -> Note:
    """The rotation from one key of a book to the next."""
    return sign_note(Rotation(old.verifier(), new.verifier(), limits).text(), old, new)


def rotation_of(note: Note) -> Rotation:
    """What the note states, once both keys signed it. Raises NotARotation, NotSigned, WrongSignature."""
    title, *lines = note.text[:-1].split("\n")
    limits = [_LIMIT.fullmatch(line) for line in lines[2:]]
    try:
        old, new = (parse_verifier(line) for line in lines[:2])
    except (NotAKey, ValueError):
        raise NotARotation("A rotation names the old and the new key, each on a line.", field="rotations") from None
    rotation = Rotation(old, new, {int(found[1]): int(found[2]) for found in limits if found})
    of_one_book = old.name == new.name and title == f"{old.name}/keys" and old.kind == new.kind == ED25519
    if not of_one_book or old == new or rotation.text() != note.text:
        raise NotARotation("A rotation leads from one key of a book to another of the same name.", field="rotations")
    for key in (old, new):
        require_signature(note, key)
    return rotation


def accepted_keys(trusted: VerifierKey, rotations: Sequence[Note]) -> list[Accepted]:
    """The trusted key and those of the chain of rotations through it, latest last.

    Raises NotARotation for a note that is not part of the chain, and what `rotation_of` raises.
    """
    left = [rotation_of(note) for note in rotations]
    chain: list[Accepted] = [Accepted(trusted)]
    while left:
        first, last = chain[0].key, chain[-1].key
        if earlier := next((one for one in left if one.new == first), None):
            chain.insert(0, Accepted(earlier.old, earlier.limits))
            left.remove(earlier)
        elif later := next((one for one in left if one.old == last), None):
            chain[-1:] = [Accepted(last, later.limits), Accepted(later.new)]
            left.remove(later)
        else:
            raise NotARotation("A rotation does not follow from the trusted key.", field="rotations")
    return chain


def verify_head(note: Note, keys: Sequence[Accepted]) -> Checkpoint:
    """The head, once one of the keys signed it while it was valid.

    Raises NotACheckpoint, OtherTree, NotSigned, WrongSignature, RetiredKey.
    """
    stated = checkpoint_of(note)
    origin = stated.origin
    for accepted in reversed(keys):
        if note.signatures_of(VerifierKey(origin, accepted.key.kind, accepted.key.public)):
            head = verify_checkpoint(note, accepted.key)
            accepted.require_valid(head)
            return head
    if keys[-1].key.name not in (origin, stated.book):
        raise OtherTree(f"The head is that of {origin}, the key that of {keys[-1].key.name}.", field="origin")
    known = ", ".join(one.key.key_id.hex() for one in keys)
    raise NotSigned(f"The head of {origin} is signed by none of the keys {known}.", field="key")
