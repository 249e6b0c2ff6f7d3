"""Signed notes: a text and who signed it, with Ed25519 keys that have a name.

Source: C2SP signed-note (https://c2sp.org/signed-note) for notes, key ids and verifier keys; the form of the private
key is that of the Go package golang.org/x/mod/sumdb/note.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import Refusal

ED25519 = 1
COSIGNATURE = 4
"""Ed25519 over a head and the time (https://c2sp.org/tlog-cosignature)."""
KEY_BYTES = 32
ID_BYTES = 4
NOTE_BYTES_MAX = 100_000
SIGNATURES_MAX = 100
_DASH = "— "
_PRIVATE = "PRIVATE+KEY+"


class NotANote(Refusal):
    """This is not a signed note."""


class NotAKey(Refusal):
    """This is not a key for signed notes."""


class NotSigned(Refusal):
    """The note has no signature of the key that is trusted."""


class WrongSignature(Refusal):
    """A signature of the trusted key does not fit the text."""


class Signature(NamedTuple):
    """One signature line. `key_id` and `name` find the key; what `value` is depends on its kind."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """As it stands in the note, without the newline."""
        return f"{_DASH}{self.name} {encoded(self.key_id + self.value)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, its final newline included, and the signatures below it, in order."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def render(self) -> str:
        """The whole note."""
        return self.text + "\n" + "".join(f"{signature.line()}\n" for signature in self.signatures)

    def with_signatures(self, more: Sequence[Signature]) -> "Note":
        """The note with further signatures below it; those that it has already stand once."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))

    def signatures_of(self, key: "VerifierKey") -> list[Signature]:
        """What claims to be signed by the key."""
        return [one for one in self.signatures if one.name == key.name and one.key_id == key.key_id]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key: its name, its kind (ED25519 or COSIGNATURE), its 32 bytes."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise NotAKey("A key's name is not empty and has neither a space nor a plus sign.", field="key")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || newline || kind || public key), the first four bytes."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:ID_BYTES]

    def text(self) -> str:
        """`name+id+key`, which is what others are given."""
        return f"{self.name}+{self.key_id.hex()}+{encoded(bytes([self.kind]) + self.public)}"

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises WrongSignature unless the key signed these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise WrongSignature(f"A signature of {self.name} does not fit the text.", field="signature") from None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; `seed` never stands in a log or an error."""

    name: str
    kind: int
    seed: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.name!r})"

    @classmethod
    def generate(cls, name: str, kind: int = ED25519) -> "SigningKey":
        """A new key of this name."""
        return cls(name, kind, Ed25519PrivateKey.generate().private_bytes_raw())

    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def named(self, name: str) -> "SigningKey":
        """The same key under another name, which gives it another id."""
        return SigningKey(name, self.kind, self.seed)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 (RFC 8032) over these bytes: the same bytes give the same signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def text(self) -> str:
        """`PRIVATE+KEY+name+id+key`: a secret."""
        key = encoded(bytes([self.kind]) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.verifier().key_id.hex()}+{key}"


def sign_note(text: str, *keys: SigningKey) -> Note:
    """The text as a note that these ED25519 keys signed. ValueError for a text that can't be one."""
    if not _is_text(text):
        raise ValueError("a note's text ends in a newline and has no other control character")
    lines = [Signature(key.name, key.verifier().key_id, key.sign(text.encode())) for key in keys]
    return Note(text).with_signatures(lines)


def require_signature(note: Note, key: VerifierKey) -> None:
    """Raises NotSigned unless the ED25519 key signed the note, WrongSignature if one of its signatures doesn't fit."""
    signatures = note.signatures_of(key)
    if not signatures:
        raise NotSigned(f"The note is not signed by {key.name} with the key {key.key_id.hex()}.", field="key")
    for signature in signatures:
        key.verify(note.text.encode(), signature.value)


def parse_note(content: str | bytes) -> Note:
    """The note, its signatures not verified. Raises NotANote."""
    try:
        whole = content.decode() if isinstance(content, bytes) else content
        size = len(whole.encode())
    except UnicodeError:
        raise NotANote("A note is UTF-8.", field="note") from None
    if size > NOTE_BYTES_MAX:
        raise NotANote(f"A note has {NOTE_BYTES_MAX} bytes at most.", field="note")
    text, separator, below = whole.rpartition("\n\n")
    if not separator or not _is_text(text + "\n") or not below.endswith("\n"):
        raise NotANote("A note is a text, an empty line, and signature lines, each with a newline.", field="note")
    lines = below[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NotANote(f"A note has {SIGNATURES_MAX} signatures at most.", field="note")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def parse_verifier(text: str) -> VerifierKey:
    """A public key of its text form. Raises NotAKey, also where its id is not that of name and key."""
    name, key_id, kind, material = _parts(text.strip())
    key = VerifierKey(name, kind, material)
    if key.key_id != key_id:
        raise NotAKey(f"The id of the key {name} is not that of its name and bytes.", field="key")
    return key


def parse_signer(text: str) -> SigningKey:
    """A private key of its text form. Raises NotAKey, which repeats nothing of it."""
    if not text.startswith(_PRIVATE):
        raise NotAKey(f"A private key starts with {_PRIVATE}.", field="key")
    name, key_id, kind, seed = _parts(text.removeprefix(_PRIVATE).strip())
    key = SigningKey(name, kind, seed)
    if key.verifier().key_id != key_id:
        raise NotAKey("The private key's id is not that of its name and bytes.", field="key")
    return key


def _parts(text: str) -> tuple[str, bytes, int, bytes]:
    name, _, rest = text.partition("+")
    identity, _, key = rest.partition("+")
    content = decoded(key)
    if len(identity) != 2 * ID_BYTES or set(identity) - set("0123456789abcdef") or content is None:
        raise NotAKey("A key is written name+id+key, the id as 8 hexadecimal digits, the key in base64.", field="key")
    if len(content) != 1 + KEY_BYTES or content[0] not in (ED25519, COSIGNATURE):
        raise NotAKey("Only Ed25519 keys of signed notes are known.", field="key")
    return name, bytes.fromhex(identity), content[0], content[1:]


def _signature(line: str) -> Signature:
    name, _, value = line.removeprefix(_DASH).partition(" ")
    content = decoded(value)
    if not line.startswith(_DASH) or not _is_name(name) or content is None or len(content) <= ID_BYTES:
        raise NotANote("A signature line is an em dash, a key's name, and id and signature in base64.", field="note")
    return Signature(name, content[:ID_BYTES], content[ID_BYTES:])


def _is_text(text: str) -> bool:
    return text.endswith("\n") and all(character >= " " or character == "\n" for character in text)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(one.isspace() or one < " " for one in name)


def encoded(content: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(content).decode()


def decoded(text: str) -> bytes | None:
    """The bytes of standard base64 in its one canonical writing: else a changed character could mean the same."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if encoded(content) == text else None
