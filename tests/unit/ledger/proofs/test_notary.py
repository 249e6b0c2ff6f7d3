"""The tree's files, what the notary signs and what it refuses, rotations of its key."""

from datetime import timedelta
from os import utime
from pathlib import Path

import pytest

from services.ledger.proofs.head_files import DAY_SECONDS, HeadFiles
from services.ledger.proofs.heads_check import heads_that_differ
from services.ledger.proofs.notary import BooksDiffer, Held, Notary
from services.ledger.proofs.publishing import Publishing
from services.ledger.proofs.tree_files import TreeFiles
from shared.checkpoint import Checkpoint, OtherTree, checkpoint_of, origin_of, sign_checkpoint
from shared.errors import MissingPrecondition
from shared.key_rotation import NotARotation, RetiredKey, accepted_keys, rotation_of, sign_rotation, verify_head
from shared.merkle import Tree, canonical, leaf_hash
from shared.proofs import NotConsistent, nodes_of, root_of
from shared.signed_note import (
    Note,
    NotSigned,
    SigningKey,
    parse_note,
    sign_note,
)
from tests.unit.ledger.proofs.history import BOOK, DAY, KEY, P, held, history, payment, record, signed


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_tree_files_hold_every_node(tmp_path: Path, chunk: int) -> None:
    leaves = [(7 * n, leaf_hash(str(n).encode())) for n in range(67)]
    node = nodes_of([leaf for _, leaf in leaves])
    for start in range(0, len(leaves), chunk):
        with TreeFiles(tmp_path, writable=True) as tree:
            tree.append(leaves[start : start + chunk])
    with TreeFiles(tmp_path) as tree:
        assert tree.size == 67
        assert tree.next_offset() == 7 * 66 + 1
        for level in range(7):
            assert [tree.node(level, i) for i in range(67 >> level)] == [node(level, i) for i in range(67 >> level)]
        assert [tree.index(7 * n) for n in (0, 1, 66)] == [0, 1, 66]
        assert tree.index(8) is tree.index(7 * 67) is None
    with TreeFiles(tmp_path, writable=True) as tree:
        tree.truncate(40)
        tree.append(leaves[40:])
        expected = Tree()
        expected.append(leaf for _, leaf in leaves)
        assert tree.root(67) == expected.root()


def test_of_old_heads_the_last_of_each_day_is_kept_and_commits_to_the_others(tmp_path: Path) -> None:
    files, today = HeadFiles(tmp_path), 20_000 * DAY_SECONDS
    written = {
        4: 0,
        5: 10,
        6: 20,
        9: 1 * DAY_SECONDS,
        10: 1 * DAY_SECONDS + 5,
        11: 9 * DAY_SECONDS,
        12: 9 * DAY_SECONDS,
    }
    for size, seconds in written.items():
        signed(files, history(size))
        utime(tmp_path / f"p{P}" / str(size), (today + seconds, today + seconds))
    assert files.prune(P, before=today + 8 * DAY_SECONDS) == 3
    assert [checkpoint_of(note).size for note in files.all(P)] == [6, 10, 11, 12]
    assert files.prune(P, before=today + 8 * DAY_SECONDS) == 0
    assert files.prune(P, before=today + 99 * DAY_SECONDS) == 1
    assert [checkpoint_of(note).size for note in files.all(P)] == [6, 10, 12]

    rewritten = [*history(4), record(8, payment(99)), *history(13)[5:]]  # below a head that is gone
    tree = [leaf_hash(canonical(one)) for one in rewritten]
    found = heads_that_differ(
        files.all(P), origin=origin_of(BOOK, P), keys=accepted_keys(KEY.verifier(), []), size=len(tree),
        root=lambda size: root_of(size, nodes_of(tree)),
    )  # fmt: skip
    assert [bad.size for bad in found] == [6, 10, 12]


def test_the_last_head_is_never_pruned(tmp_path: Path) -> None:
    files = HeadFiles(tmp_path)
    for size in (4, 5):
        signed(files, history(size))
        utime(tmp_path / f"p{P}" / str(size), (1000.0 - size, 1000.0 - size))
    files.prune(P, before=2000.0)
    assert files.of_size(P, 5) is not None


def test_half_a_write_is_not_counted(tmp_path: Path) -> None:
    with TreeFiles(tmp_path, writable=True) as tree:
        tree.append((n, leaf_hash(str(n).encode())) for n in range(8))
    (tmp_path / "hashes").write_bytes((tmp_path / "hashes").read_bytes()[:-1])
    with TreeFiles(tmp_path) as tree:
        assert tree.size == 7


def test_the_notary_signs_what_continues_and_only_once(tmp_path: Path) -> None:
    files = HeadFiles(tmp_path)
    first = signed(files, history(9))
    assert first is not None
    assert signed(files, history(9)) is None
    second = signed(files, history(14))
    assert second is not None
    assert files.latest(P) == second
    assert [note.text for note in files.all(P)] == [first.text, second.text]
    assert files.partitions() == [P]


def test_the_notary_refuses_a_rewritten_log(tmp_path: Path) -> None:
    files = HeadFiles(tmp_path)
    signed(files, history(9))
    rewritten = [*history(14)]
    rewritten[3] = record(6, payment(99))
    with pytest.raises(BooksDiffer):  # its own tree remembers what the books no longer do
        signed(files, rewritten)
    for name in ("offsets", "hashes"):
        (files.partition(P) / name).unlink()
    with pytest.raises(NotConsistent):  # computed anew from the rewritten log
        signed(files, rewritten)
    assert len(list(files.all(P))) == 1
    for name in ("offsets", "hashes"):
        (files.partition(P) / name).unlink()
    assert signed(files, history(14)) is not None


def test_the_notary_refuses_books_that_are_not_the_logs(tmp_path: Path) -> None:
    notary = Notary(HeadFiles(tmp_path), P, KEY)
    notary.take(history(9))
    with pytest.raises(BooksDiffer):
        notary.sign(held(history(10)))
    with pytest.raises(BooksDiffer):
        notary.sign(held([*history(8), record(16, payment(99))]))
    assert notary.sign(held(history(8))) is not None
    assert notary.sign(held(history(5))) is None  # books restored from a copy, on their way
    notary.close()


def test_the_notary_mends_damaged_files_from_the_log(tmp_path: Path) -> None:
    files = HeadFiles(tmp_path)
    signed(files, history(8))
    damaged = bytearray((files.partition(P) / "hashes").read_bytes())
    damaged[-1] ^= 1
    (files.partition(P) / "hashes").write_bytes(bytes(damaged))
    assert signed(files, history(9)) is not None


def test_the_notary_learns_from_the_topic_what_the_folder_lost(tmp_path: Path) -> None:
    published = signed(HeadFiles(tmp_path / "lost"), history(9))
    assert published is not None
    files = HeadFiles(tmp_path / "new")
    notary = Notary(files, P, KEY)
    notary.restore(published)
    assert files.latest(P) == published
    other = [*history(8), record(16, payment(99)), record(18, payment(98))]
    notary.take(other)
    with pytest.raises(NotConsistent):
        notary.sign(held(other))
    notary.close()
    with pytest.raises(NotSigned):
        Notary(files, P, SigningKey.generate(BOOK))
    with pytest.raises(OtherTree):
        Notary(files, P, SigningKey.generate("lendlog.dev/ledger/other"))


def test_one_process_signs(tmp_path: Path) -> None:
    files = HeadFiles(tmp_path)
    with files.locked(), pytest.raises(MissingPrecondition), HeadFiles(tmp_path).locked():
        raise AssertionError


def test_a_rotation_leads_both_ways_and_retires_the_old_key(tmp_path: Path) -> None:
    second, third = SigningKey.generate(BOOK), SigningKey.generate(BOOK)
    notes = [sign_rotation(KEY, second, {P: 9}), sign_rotation(second, third, {P: 14})]
    assert rotation_of(parse_note(notes[0].render())).limits == {P: 9}

    def head(size: int, key: SigningKey, partition: int = P) -> Note:
        return sign_checkpoint(Checkpoint(origin_of(BOOK, partition), size, bytes(32)), key)

    for trusted in (KEY, second, third):
        keys = accepted_keys(trusted.verifier(), notes[::-1])
        assert [one.key for one in keys] == [KEY.verifier(), second.verifier(), third.verifier()]
        for note in (head(9, KEY), head(14, second), head(99, third), head(1, third, P + 1)):
            verify_head(note, keys)
        for note in (head(10, KEY), head(15, second), head(1, KEY, P + 1)):
            with pytest.raises(RetiredKey):
                verify_head(note, keys)
        with pytest.raises(NotSigned):
            verify_head(head(1, SigningKey.generate(BOOK)), keys)
    with pytest.raises(NotARotation):
        accepted_keys(KEY.verifier(), notes[1:])
    with pytest.raises(NotARotation):
        accepted_keys(KEY.verifier(), [notes[0], sign_rotation(KEY, third, {})])
    with pytest.raises(NotSigned):
        rotation_of(sign_note(notes[0].text, second))  # the old key has not agreed
    with pytest.raises(NotARotation):
        rotation_of(sign_note(notes[0].text.replace("p", "q"), KEY, second))
    with pytest.raises(NotARotation):
        rotation_of(head(9, KEY))


def test_a_head_is_due_when_its_time_came_or_a_date_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("services.ledger.proofs.publishing.time.monotonic", lambda: now)
    rounds = Publishing(HeadFiles(tmp_path), KEY, bootstrap="", lifecycle="", checkpoints="", seconds=60)
    grown, next_date = held(history(9)), DAY + timedelta(days=1)
    assert rounds._is_due(grown)
    rounds._tried[P], rounds._open_dates[P], rounds._published[P] = now, DAY, None
    rounds._notaries[P] = Notary(HeadFiles(tmp_path), P, KEY)
    rounds._stack.callback(rounds._notaries[P].close)
    for later, open_date, due in ((59, DAY, False), (60, DAY, True), (4, next_date, False), (5, next_date, True)):
        now = 1000.0 + later
        assert rounds._is_due(held(history(9), open_date=open_date)) is due
    assert not rounds._is_due(Held(P, 0, 0, b"", next_date))
    rounds.close()
