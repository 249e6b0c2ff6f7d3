"""A witness: sees each published head, and signs it only if it continues the last one that it saw.

It trusts the lender's public key and nothing else: heads, proofs and rotations come from the topic, its memory is a
folder of its own. A head that it signed is on its disk before anybody gets the signature. Its signatures are those of
C2SP tlog-cosignature.
"""

import secrets
from pathlib import Path

from lendlog.servers.home import read_json, write_private
from services.ledger.proofs.head_files import HeadFiles, write_public
from shared.checkpoint import Checkpoint, OtherTree, checkpoint_of, cosign, origin_of
from shared.errors import Refusal
from shared.events.checkpoints import SignedHead
from shared.key_rotation import accepted_keys, verify_head
from shared.proofs import EMPTY_ROOT, verify_consistency
from shared.signed_note import COSIGNATURE, Note, SigningKey, VerifierKey, decoded, parse_note, parse_signer


class Fork(Refusal):
    """The log shows a head that does not continue the last one."""


def witness_key(folder: Path, name: str | None = None) -> SigningKey:
    """The witness's key: a private file of its folder, made at the first call under `name` or a name of its own."""
    path = folder / "key.json"
    held = read_json(path)
    if not held:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = SigningKey.generate(name or f"lendlog.dev/witness/{secrets.token_hex(8)}", COSIGNATURE)
        held = {"key": made.text()}
        write_private(path, held)
    return parse_signer(held["key"])


class Witness:
    """What one witness knows of one book. `trusted`: the book's public key."""

    def __init__(self, folder: Path, key: SigningKey, trusted: VerifierKey) -> None:
        self._files = HeadFiles(folder)
        self._key = key
        self._trusted = trusted

    def next_offset(self, partition: int) -> int:
        """The offset on the topic from which this witness has not read yet."""
        return int(read_json(self._offset_file(partition)).get("next_offset", 0))

    def read_to(self, partition: int, offset: int) -> None:
        """Remember that everything below `offset` was read, and answered."""
        self._files.partition(partition).mkdir(parents=True, exist_ok=True)
        write_private(self._offset_file(partition), {"next_offset": offset})

    def last(self, partition: int) -> Checkpoint:
        """The last head that this witness signed; of no record, where there is none."""
        note = self._files.latest(partition)
        return checkpoint_of(note) if note else Checkpoint(origin_of(self._trusted.name, partition), 0, EMPTY_ROOT)

    def take(self, partition: int, stated: SignedHead, *, seconds: int, rotations: list[str] | None = None) -> Note:
        """The cosigned head, written down; the same note again for the same head. `seconds`: now, POSIX. `rotations`:
        the longest list known, where it is longer than the event's.

        Raises Fork where the head does not continue the last one, and what the verification of a head raises. Nothing
        is signed then, and the head is kept beside as evidence.
        """
        try:
            return self._taken(partition, stated, seconds, rotations or [])
        except Refusal:
            self._files.partition(partition).mkdir(parents=True, exist_ok=True)
            write_public(self._files.partition(partition) / "refused", stated.note)
            raise

    def _taken(self, partition: int, stated: SignedHead, seconds: int, rotations: list[str]) -> Note:
        known = max(stated.rotations, rotations, key=len)
        note = parse_note(stated.note)
        head = verify_head(note, accepted_keys(self._trusted, [parse_note(text) for text in known]))
        last, kept = self.last(partition), self._files.latest(partition)
        if head.origin != origin_of(self._trusted.name, partition):
            raise OtherTree(
                f"The head of {head.origin} stands where those of partition {partition} do.", field="origin"
            )
        if kept is not None and head.size == last.size and head.root == last.root:
            return kept
        if stated.previous_size != last.size:
            raise Fork(
                f"{head.origin} follows its head of {stated.previous_size} records by one of {head.size}; the last one "
                f"that was seen has {last.size}.",
                field="previous_size",
            )
        path = [decoded(text) or b"" for text in stated.consistency]
        try:
            verify_consistency(old=last.size, old_root=last.root, new=head.size, new_root=head.root, path=path)
        except Refusal as refusal:
            raise Fork(f"{head.origin} forked: {refusal.detail}", field="consistency") from refusal
        cosigned = cosign(note, self._key, seconds=seconds)
        self._files.keep(partition, cosigned)
        return cosigned

    def _offset_file(self, partition: int) -> Path:
        return self._files.partition(partition) / "read.json"
