"""Published vectors of the RFC 6962 tree and of signed notes, and what is refused of proofs, notes and keys.

Sources: the eight leaves of the certificate-transparency reference tests, as github.com/transparency-dev/merkle has
them (`testonly/constants.go`, `testdata/{inclusion,consistency}/*/happy-path.json`, commit 417fb0c3); the example of
C2SP signed-note (commit 5ba5ee83); the key and the note of golang.org/x/mod/sumdb/note (`note_test.go`).
"""

import pytest

from shared.checkpoint import (
    Checkpoint,
    NotACheckpoint,
    OtherTree,
    checkpoint_of,
    cosign,
    origin_of,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
)
from shared.merkle import Tree, leaf_hash
from shared.proofs import (
    NotConsistent,
    NotIncluded,
    consistency_proof,
    inclusion_proof,
    nodes_of,
    verify_consistency,
    verify_inclusion,
)
from shared.signed_note import (
    COSIGNATURE,
    NotAKey,
    NotANote,
    NotSigned,
    SigningKey,
    VerifierKey,
    WrongSignature,
    parse_note,
    parse_signer,
    parse_verifier,
    require_signature,
    sign_note,
)

LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
HASHES = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
NODES = [
    [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    ],
    [
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    ],
    [
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    ["5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"],
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NODE = nodes_of(HASHES)


def root(size: int) -> bytes:
    return bytes.fromhex(ROOTS[size])


def test_roots_and_nodes_are_the_published_ones() -> None:
    tree = Tree()
    for size, hashed in enumerate([*HASHES, b""]):
        assert tree.root().hex() == ROOTS[size]
        tree.append([hashed])
    for level, nodes in enumerate(NODES):
        assert [NODE(level, i).hex() for i in range(len(nodes))] == nodes


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [NODES[0][1], NODES[1][1], NODES[2][1]]),
        (5, 8, [NODES[0][4], NODES[1][3], NODES[2][0]]),
        (2, 3, [NODES[1][0]]),
        (1, 5, [NODES[0][0], NODES[1][1], NODES[0][4]]),
    ],
)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int, path: list[str]) -> None:
    made = inclusion_proof(index, size, NODE)
    assert [hashed.hex() for hashed in made] == path
    verify_inclusion(HASHES[index], index=index, size=size, path=made, root=root(size))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (1, 8, [NODES[0][1], NODES[1][1], NODES[2][1]]),
        (6, 8, [NODES[1][2], NODES[1][3], NODES[2][0]]),
        (2, 5, [NODES[1][1], NODES[0][4]]),
        (6, 7, [NODES[1][2], NODES[0][6], NODES[2][0]]),
    ],
)
def test_consistency_proofs_are_the_published_ones(old: int, new: int, path: list[str]) -> None:
    made = consistency_proof(old, new, NODE)
    assert [hashed.hex() for hashed in made] == path
    verify_consistency(old=old, old_root=root(old), new=new, new_root=root(new), path=made)


def test_what_is_no_proof_is_refused() -> None:
    path = inclusion_proof(5, 8, NODE)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(NotIncluded):
            verify_inclusion(HASHES[5], index=index, size=size, path=path, root=root(8))
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(index, size, NODE)
    with pytest.raises(NotIncluded, match="32 bytes"):
        verify_inclusion(HASHES[5], index=5, size=8, path=[path[0][:31], *path[1:]], root=root(8))
    with pytest.raises(NotConsistent):
        verify_consistency(old=3, old_root=root(3), new=2, new_root=root(2), path=[])
    with pytest.raises(NotConsistent):
        verify_consistency(old=2, old_root=root(2), new=2, new_root=root(3), path=[])
    with pytest.raises(NotConsistent):
        verify_consistency(old=0, old_root=root(1), new=2, new_root=root(2), path=[])
    verify_consistency(old=0, old_root=root(0), new=2, new_root=root(2), path=[])


C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


@pytest.mark.parametrize(("key", "text"), [(C2SP_KEY, C2SP_NOTE), (GO_PUBLIC, GO_NOTE)])
def test_published_notes_verify_and_nothing_else(key: str, text: str) -> None:
    verifier, note = parse_verifier(key), parse_note(text)
    require_signature(note, verifier)
    assert note.render() == text
    assert verifier.text() == key
    content = text.encode()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises((NotANote, NotSigned, WrongSignature)):
            require_signature(parse_note(bytes(changed)), verifier)


def test_the_published_private_key_signs_the_published_note() -> None:
    signer = parse_signer(GO_PRIVATE)
    assert signer.text() == GO_PRIVATE
    assert signer.verifier().text() == GO_PUBLIC
    assert sign_note(GO_NOTE.partition("\n\n")[0] + "\n", signer).render() == GO_NOTE
    assert "AYEK" not in repr(signer)


def test_a_changed_key_is_refused() -> None:
    for place, character in enumerate(GO_PUBLIC):
        with pytest.raises(NotAKey):
            parse_verifier(GO_PUBLIC[:place] + chr(ord(character) + 1) + GO_PUBLIC[place + 1 :])
        with pytest.raises(NotAKey):
            parse_verifier(GO_PUBLIC[:place])
    for text in (GO_PUBLIC, GO_PRIVATE[:-4], GO_PRIVATE.replace("c74f20a3", "c74f20a4")):
        with pytest.raises(NotAKey):
            parse_signer(text)


def test_what_is_no_note_is_refused() -> None:
    line = GO_NOTE.splitlines()[-1]
    for text in (
        "",
        "text\n",
        "text\n\n",
        f"text\n{line}\n",
        f"text\n\n{line}",
        f"te\rxt\n\n{line}\n",
        f"text\n\n{line[2:]}\n",
        "text\n\n— name AAAA\n",
        "text\n\n— na+me x08go/ZJkuBS\n",
        "text\n\n" + f"{line}\n" * 101,
        "x" * 100_000 + f"\n\n{line}\n",
    ):
        with pytest.raises(NotANote):
            parse_note(text)
    with pytest.raises(NotANote):
        parse_note(b"\xff\n\n")
    assert parse_note(f"a\n\nb\n\n{line}\n").text == "a\n\nb\n"


BOOK = "lendlog.dev/ledger/4f0c2b9a1d3e5f60"
KEY = SigningKey.generate(BOOK)
HEAD = Checkpoint(origin_of(BOOK, 3), 8, root(8))


def test_a_head_is_read_back_as_it_was_signed() -> None:
    note = sign_checkpoint(HEAD, KEY)
    assert note.text == f"{BOOK}/p3\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
    read = verify_checkpoint(parse_note(note.render()), KEY.verifier())
    assert (read, read.book, read.partition) == (HEAD, BOOK, 3)
    # The name of the signature is the origin: tools that know nothing of books verify it with that key.
    require_signature(note, VerifierKey(HEAD.origin, 1, KEY.verifier().public))


def test_the_example_of_the_specification_is_a_head() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    head = checkpoint_of(parse_note(f"{text}\n{GO_NOTE.splitlines()[-1]}\n"))
    assert (head.origin, head.size, head.text()) == ("example.com/behind-the-sofa", 20852163, text)
    with pytest.raises(OtherTree):
        _ = head.partition


def test_a_head_of_another_tree_or_key_is_refused() -> None:
    note = sign_checkpoint(HEAD, KEY)
    with pytest.raises(NotSigned):
        verify_checkpoint(note, SigningKey.generate(BOOK).verifier())
    with pytest.raises(OtherTree):
        verify_checkpoint(note, SigningKey.generate("lendlog.dev/ledger/other").verifier())
    with pytest.raises(OtherTree):
        verify_checkpoint(note, KEY.named(origin_of(BOOK, 4)).verifier())
    with pytest.raises(NotACheckpoint):
        verify_checkpoint(sign_note("only\n1\n", KEY), KEY.verifier())
    for size in ("01", "-1", "1e3", "", str(1 << 63)):
        with pytest.raises(NotACheckpoint):
            checkpoint_of(sign_note(HEAD.text().replace("\n8\n", f"\n{size}\n"), KEY))


def test_a_witness_signs_head_and_time() -> None:
    witness = SigningKey.generate("witness.example/1", COSIGNATURE)
    note = cosign(sign_checkpoint(HEAD, KEY), witness, seconds=1_679_315_147)
    assert verify_cosignature(parse_note(note.render()), witness.verifier()) == 1_679_315_147
    assert verify_checkpoint(note, KEY.verifier()) == HEAD
    value = note.signatures[-1].value
    message = f"cosignature/v1\ntime 1679315147\n{HEAD.text()}".encode()
    witness.verifier().verify(message, value[8:])
    for place in range(len(value)):
        changed = bytearray(value)
        changed[place] ^= 1
        forged = note.signatures[-1]._replace(value=bytes(changed))
        with pytest.raises(WrongSignature):
            verify_cosignature(sign_checkpoint(HEAD, KEY).with_signatures([forged]), witness.verifier())
    with pytest.raises(NotSigned):
        verify_cosignature(sign_checkpoint(HEAD, KEY), witness.verifier())
