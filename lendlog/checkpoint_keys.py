"""The key that signs heads: LENDLOG_CHECKPOINT_KEY in a deployment, else a file of the home, made once."""

import secrets
from pathlib import Path

from lendlog.servers.home import read_json, write_private
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.settings import NotarySettings
from shared.checkpoint import checkpoint_of
from shared.errors import MissingPrecondition
from shared.key_rotation import rotation_of, sign_rotation
from shared.signed_note import SigningKey, parse_signer

CHECKPOINTS = "checkpoints"
"""In the home: heads, trees and rotations (services/ledger/proofs/head_files.py)."""
FILE = "checkpoint-key.json"


def new_name() -> str:
    """A name for a book that nobody named: it stands in every head and never changes."""
    return f"lendlog.dev/ledger/{secrets.token_hex(8)}"


def home_key(home: Path, *, make: bool = False) -> SigningKey:
    """The home's key; `make` one if there is none. MissingPrecondition otherwise."""
    path = home / FILE
    held = read_json(path)
    if not held:
        if not make:
            raise MissingPrecondition(f"{home} has no key for heads yet: `lendlog run` makes it.")
        held = {"key": SigningKey.generate(new_name()).text()}
        write_private(path, held)
    if "next" in held:  # a rotation was under way: it counts once it is written down
        following = parse_signer(held["next"])
        news = [rotation_of(note).new for note in HeadFiles(home / CHECKPOINTS).rotations()]
        return following if following.verifier() in news else parse_signer(held["key"])
    return parse_signer(held["key"])


def current_key(home: Path) -> SigningKey:
    """The key of this installation."""
    settings = NotarySettings()
    return settings.signing_key() if settings.checkpoint_key.get_secret_value() else home_key(home)


def rotate(files: HeadFiles, old: SigningKey, new: SigningKey) -> None:
    """Write down that `new` takes the place of `old`, which stays valid for the heads that it signed. The caller has
    put `new` where it can't be lost. MissingPrecondition while heads are signed."""
    with files.locked():
        limits = {p: checkpoint_of(head).size for p in files.partitions() if (head := files.latest(p))}
        files.add_rotation(sign_rotation(old, new, limits))


def rotate_home_key(home: Path) -> SigningKey:
    """Give the home a new key of the same name."""
    old = home_key(home)
    new = SigningKey.generate(old.name)
    files = HeadFiles(home / CHECKPOINTS)
    with files.locked():
        pass  # says that heads are being signed before anything is written
    write_private(home / FILE, {"key": old.text(), "next": new.text()})
    rotate(files, old, new)
    write_private(home / FILE, {"key": new.text()})
    return new
