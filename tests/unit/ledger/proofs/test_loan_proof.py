"""A loan's proof from end to end: made from books and tree, checked with the public key alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.ledger.proofs.checking import NotAProof, OtherHead, Proved, check
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.loan_proof import NothingSigned, make_proof, rendered
from shared.checkpoint import Checkpoint, OtherTree, cosign, origin_of, sign_checkpoint
from shared.errors import Refusal
from shared.key_rotation import RetiredKey, sign_rotation
from shared.proofs import NotConsistent
from shared.signed_note import (
    COSIGNATURE,
    NotSigned,
    SigningKey,
)
from tests.unit.ledger.proofs.history import (
    BOOK,
    DAY,
    KEY,
    LOAN,
    OTHER,
    Books,
    P,
    history,
    payment,
    proof_text,
    record,
    signed,
)

SURROGATE = json.dumps(
    dict.fromkeys(("head", "rotations", "records", "calendar", "earlier", "sha256"))
    | {"format": "lendlog-proof/1", "loan_id": "\ud800"}
).encode()


async def test_a_proof_is_checked_with_the_public_key_alone(tmp_path: Path) -> None:
    files, records = HeadFiles(tmp_path), history(23)
    signed(files, records)
    content = (await proof_text(files, records)).encode()
    proved = check(content, KEY.verifier())
    assert [event.index for event in proved.events] == [n for n in range(1, 23) if n % 2 and n % 5]
    assert (proved.events[0].type, proved.events[0].amount) == ("ledger.PaymentReceived.v1", "1.00 EUR")
    assert (proved.loan_id, proved.head.size, proved.closed) == (LOAN, 23, DAY)
    assert check(content, KEY.named(origin_of(BOOK, P)).verifier()).head == proved.head
    with pytest.raises(NotSigned):
        check(content, SigningKey.generate(BOOK).verifier())
    with pytest.raises(OtherTree):
        check(content, SigningKey.generate("lendlog.dev/ledger/other").verifier())


async def test_any_changed_byte_fails(tmp_path: Path) -> None:
    files, records = HeadFiles(tmp_path), history(12)
    signed(files, records[:5])
    since = files.latest(P)
    signed(files, records)
    witness = SigningKey.generate("witness.example", COSIGNATURE)
    latest = files.latest(P)
    assert latest is not None
    cosigned = cosign(latest, witness, seconds=1_772_000_000)
    content = (await proof_text(files, records, since=since, cosigned=lambda *_: cosigned)).encode()
    assert check(content, KEY.verifier(), witness=witness.verifier(), kept=since).continues == 5
    for place in range(len(content)):
        for bit in (1, 0x20):
            changed = bytearray(content)
            changed[place] ^= bit
            with pytest.raises(Refusal):
                check(bytes(changed), KEY.verifier())
    for changed in (
        content[:-1],
        content + b"\n",
        content.replace(b"\n ", b"\n", 1),
        b"",
        b"[]",
        b"\xff",
        b"{" * 9999,
        SURROGATE,
    ):
        with pytest.raises(NotAProof):
            check(bytes(changed), KEY.verifier())


async def test_whoever_makes_the_hash_anew_still_proves_nothing_else(tmp_path: Path) -> None:
    files, records = HeadFiles(tmp_path), history(12)
    signed(files, records)
    whole = json.loads(await proof_text(files, records))
    del whole["sha256"]

    def refused(**change: Any) -> str:
        with pytest.raises(Refusal) as caught:
            check(rendered(whole | change).encode(), KEY.verifier())
        return caught.value.rule()

    first, second, *rest = whole["records"]
    assert refused(loan_id=OTHER) == "other-loan"
    assert refused(loan_id="") == "other-loan"
    assert refused(records=[first, first]) == "not-a-proof"
    assert refused(records=[second, first, *rest]) == "not-a-proof"
    assert refused(records=[]) == "not-a-proof"
    assert refused(records=[first | {"index": second["index"]}]) == "not-included"
    assert refused(records=[first | {"record": second["record"]}]) == "not-included"
    assert refused(records=[first | {"record": "AAAA"}]) == "not-included"
    assert refused(records=[whole["calendar"]]) == "other-loan"
    assert refused(calendar=first) == "not-a-proof"
    assert refused(calendar={}) == "not-a-proof"
    assert refused(earlier={"head": whole["head"], "path": ["AAAA"]}) == "not-consistent"
    assert refused(format="lendlog-proof/2") == "not-a-proof"
    assert refused(head=whole["head"].replace("\n12\n", "\n13\n")) == "wrong-signature"


async def test_a_kept_head_must_be_continued(tmp_path: Path) -> None:
    files, records = HeadFiles(tmp_path), history(23)
    kept = signed(files, records[:9])
    signed(files, records)
    assert kept is not None
    with_it = (await proof_text(files, records, since=kept)).encode()
    without = (await proof_text(files, records)).encode()
    assert check(with_it, KEY.verifier(), kept=kept).continues == 9
    with pytest.raises(OtherHead):
        check(without, KEY.verifier(), kept=kept)
    other = HeadFiles(tmp_path / "other")
    forked = signed(other, [*records[:8], record(16, payment(99))])
    assert forked is not None
    with pytest.raises(OtherHead):
        check(with_it, KEY.verifier(), kept=forked)
    with pytest.raises(NotConsistent):
        check((await proof_text(files, records, since=forked)).encode(), KEY.verifier(), kept=forked)
    stranger = sign_checkpoint(Checkpoint(origin_of(BOOK, P + 1), 9, bytes(32)), KEY)
    with pytest.raises(OtherTree):
        await proof_text(files, records, since=stranger)


async def test_what_is_below_no_head_is_not_proved_yet(tmp_path: Path) -> None:
    files, records = HeadFiles(tmp_path), history(23)
    with pytest.raises(NothingSigned):
        await make_proof(Books(records), files, LOAN)
    signed(files, records[:1])
    with pytest.raises(NothingSigned):
        await make_proof(Books(records), files, LOAN)
    signed(files, records[:9])
    proof = await make_proof(Books(records), files, LOAN)
    assert proof is not None
    assert (proof.proved, proof.later) == (3, 6)
    assert await make_proof(Books(records), files, "L-none") is None


async def test_a_proof_after_a_rotation(tmp_path: Path) -> None:
    files, records, new = HeadFiles(tmp_path), history(23), SigningKey.generate(BOOK)
    kept = signed(files, records[:9])
    before, rotation = (await proof_text(files, records)).encode(), sign_rotation(KEY, new, {P: 9})
    with pytest.raises(NotSigned):
        check(before, new.verifier())
    assert check(before, new.verifier(), rotations=[rotation]).head.size == 9
    with pytest.raises(RetiredKey):
        check(before, KEY.verifier(), rotations=[sign_rotation(KEY, new, {P: 8})])
    files.add_rotation(rotation)
    with pytest.raises(RetiredKey):
        signed(files, records)
    signed(files, records, new)
    content = (await proof_text(files, records, since=kept)).encode()
    for trusted in (KEY, new):  # the borrower's old key leads to the new one by the rotation in the file
        proved: Proved = check(content, trusted.verifier(), kept=kept)
        assert proved.key_id == new.verifier().key_id.hex()
    whole = json.loads(content)
    del whole["sha256"]
    with pytest.raises(NotSigned):
        check(rendered(whole | {"rotations": []}).encode(), KEY.verifier())
    late = sign_checkpoint(Checkpoint(origin_of(BOOK, P), 23, bytes(32)), KEY)
    with pytest.raises(RetiredKey):
        check(rendered(whole | {"head": late.render()}).encode(), new.verifier())
