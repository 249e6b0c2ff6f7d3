"""A witness signs what continues, and refuses a fork."""

from pathlib import Path

import pytest

from lendlog.witnessing import Fork, Witness, witness_key
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.notary import Notary
from shared.checkpoint import OtherTree
from shared.events.checkpoints import SignedHead
from shared.signed_note import (
    NotSigned,
    SigningKey,
    WrongSignature,
    encoded,
)
from shared.streams.ports import Record
from tests.unit.ledger.proofs.history import BOOK, KEY, P, held, history, payment, record


def stated(files: HeadFiles, records: list[Record], previous: int) -> SignedHead:
    """What the notary publishes of its next head."""
    notary = Notary(files, P, KEY)
    notary.take(one for one in records if one.offset >= notary.next_offset)
    note = notary.sign(held(records))
    assert note is not None
    head = SignedHead(
        origin=notary.last.origin,
        partition=P,
        size=notary.last.size,
        root=encoded(notary.last.root),
        note=note.render(),
        previous_size=previous,
        consistency=[encoded(one) for one in notary.consistency(previous)],
        rotations=[],
    )
    notary.close()
    return head


def test_a_witness_signs_what_continues_and_refuses_a_fork(tmp_path: Path) -> None:
    key = witness_key(tmp_path / "witness", "witness.example")
    assert witness_key(tmp_path / "witness").text() == key.text()
    witness = Witness(tmp_path / "witness", key, KEY.verifier())
    files = HeadFiles(tmp_path / "ledger")
    first, second = stated(files, history(9), 0), stated(files, history(14), 9)
    cosigned = witness.take(P, first, seconds=1_772_000_000)
    assert witness.take(P, first, seconds=1_772_000_999) == cosigned
    witness.take(P, second, seconds=1_772_000_060)
    assert witness.last(P).size == 14
    other = HeadFiles(tmp_path / "fork")
    forked = [*history(14)]
    forked[3] = record(6, payment(99))
    stated(other, forked, 0)
    fork = stated(other, [*forked, record(28, payment(98))], 14)
    for bad in (first, fork, fork.model_copy(update={"previous_size": 0, "consistency": []})):
        with pytest.raises(Fork):
            witness.take(P, bad, seconds=1_772_000_120)
    assert witness.last(P).size == 14
    assert (tmp_path / "witness" / f"p{P}" / "refused").read_text() == fork.note
    with pytest.raises(OtherTree):
        witness.take(P + 1, second, seconds=1_772_000_120)
    with pytest.raises((NotSigned, WrongSignature)):
        Witness(tmp_path / "new", key, SigningKey.generate(BOOK).verifier()).take(P, first, seconds=1)
    witness.read_to(P, 40)
    assert (witness.next_offset(P), witness.next_offset(P + 1)) == (40, 0)
