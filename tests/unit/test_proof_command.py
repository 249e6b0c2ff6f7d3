"""`lendlog proof` without servers: heads, consistency, keys and their rotation, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lendlog.checkpoint_keys import CHECKPOINTS, FILE, home_key
from lendlog.proof_command import command
from lendlog.servers.home import read_json, write_private
from lendlog.witness_command import command as witness_command
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.notary import Notary
from shared.errors import MissingPrecondition
from shared.key_rotation import RetiredKey, rotation_of
from shared.signed_note import NotAKey, SigningKey, parse_signer, parse_verifier
from tests.unit.ledger.proofs.history import P, history, signed

Call = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a key and two heads of one partition."""
    monkeypatch.setenv("LENDLOG_HOME", str(tmp_path))
    for name in ("LENDLOG_CHECKPOINTS", "LENDLOG_CHECKPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)
    key, files = home_key(tmp_path, make=True), HeadFiles(tmp_path / CHECKPOINTS)
    for count in (9, 23):
        assert signed(files, history(count), key) is not None
    return tmp_path


def call(*arguments: str, code: int = 0, app: typer.Typer = command) -> Any:
    """The document of a command; raises what it raised."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_heads_and_keys_are_shown(home: Path) -> None:
    (head,) = call("head")["heads"]
    assert (head["partition"], head["size"]) == (P, 23)
    assert head["note"] == (home / CHECKPOINTS / f"p{P}" / "23").read_text()
    assert CliRunner().invoke(command, ["head", str(P)]).stdout == head["note"]
    told = call("key")
    assert parse_verifier(told["public_key"]) == home_key(home).verifier()
    assert [parse_verifier(text).name for text in told["trees"]] == [head["origin"]]
    assert parse_signer(call("key", "--new", "loans.example/ledger")["private_key"]).name == "loans.example/ledger"
    with pytest.raises(MissingPrecondition):
        call("head", str(P + 1))


def test_a_head_continues_another_and_no_other(home: Path, tmp_path: Path) -> None:
    old, new = (str(home / CHECKPOINTS / f"p{P}" / str(size)) for size in (9, 23))
    told = call("consistency", old, new, "--out", str(tmp_path / "written"))
    assert (told["old"], told["new"]) == (9, 23)
    key = home_key(home).verifier().text()
    for name in ("offsets", "hashes"):
        (home / CHECKPOINTS / f"p{P}" / name).unlink()
    assert call("consistency", old, new, "--key", key, "--proof", str(tmp_path / "written")) == told
    assert call("consistency", new, old, code=1)["rule"] == "other-tree"
    changed = json.loads((tmp_path / "written").read_text()) | {"path": told["path"][::-1]}
    (tmp_path / "written").write_text(json.dumps(changed))
    arguments = ("consistency", old, new, "--key", key, "--proof", str(tmp_path / "written"))
    assert call(*arguments, code=1)["rule"] == "not-consistent"
    (tmp_path / "written").write_text("{}")
    with pytest.raises(MissingPrecondition):
        call(*arguments)
    with pytest.raises(NotAKey):
        call("consistency", old, new, "--key", "nonsense")


def test_a_rotated_key_keeps_its_heads_and_signs_no_more(home: Path) -> None:
    old, files = home_key(home), HeadFiles(home / CHECKPOINTS)
    with files.locked(), pytest.raises(MissingPrecondition):
        call("rotate")
    told = call("rotate")
    new = home_key(home)
    assert told["public_key"] == new.verifier().text()
    assert (new.name, new == old) == (old.name, False)
    assert rotation_of(files.rotations()[0]).limits == {P: 23}
    assert read_json(home / FILE) == {"key": new.text()}
    with pytest.raises(RetiredKey):
        Notary(files, P, old)
    signed(files, history(30), new)
    paths = [str(home / CHECKPOINTS / f"p{P}" / str(size)) for size in (9, 30)]
    for key in (old, new):
        assert call("consistency", *paths, "--key", key.verifier().text())["new"] == 30


def test_a_rotation_that_was_cut_off_counts_once_it_is_written(home: Path) -> None:
    old, new = home_key(home), SigningKey.generate(home_key(home).name)
    write_private(home / FILE, {"key": old.text(), "next": new.text()})
    assert home_key(home) == old
    from lendlog.checkpoint_keys import rotate

    rotate(HeadFiles(home / CHECKPOINTS), old, new)
    assert home_key(home) == new


def test_the_key_of_a_deployment_comes_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SigningKey.generate("loans.example/ledger")
    monkeypatch.setenv("LENDLOG_CHECKPOINT_KEY", key.text())
    monkeypatch.setenv("LENDLOG_CHECKPOINTS", str(home / "elsewhere"))
    assert call("key") == {"public_key": key.verifier().text(), "trees": []}
    made = parse_signer(call("rotate")["private_key"])
    assert rotation_of(HeadFiles(home / "elsewhere").rotations()[0]).new == made.verifier()
    monkeypatch.setenv("LENDLOG_CHECKPOINT_KEY", "nonsense")
    with pytest.raises(MissingPrecondition):
        call("key")


def test_a_home_without_a_key_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENDLOG_HOME", str(tmp_path))
    for arguments in (("key",), ("head",), ("rotate",), ("check", "absent", "--key", str(tmp_path))):
        with pytest.raises((MissingPrecondition, NotAKey)):
            call(*arguments)
    first = call("key", "--name", "witness.example", app=witness_command)["public_key"]
    assert first.startswith("witness.example+")
    assert call("key", app=witness_command)["public_key"] == first
    assert (tmp_path / "witness" / "key.json").stat().st_mode & 0o777 == 0o600
