"""The vault: personal data encrypted under a key of each borrower's own, which the vault's key wraps.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; the borrower id is associated data, so that what is sealed for
one can't be shown as another's. Erasure destroys the borrower's key. What a backup still holds of the row can be read
for as long as that backup is kept: keep them as short as the law allows. Table: api_migrations/0002_vault.sql.
"""

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Any

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from services.origination.commands.refusals import PartyAlreadyRegistered, PersonalDataIsErased, UnknownParty
from services.origination.personal import OfficialNumber, Personal
from shared.access import Caller
from shared.errors import MissingPrecondition

KEY_BYTES = 32
NONCE_BYTES = 12
_WRAPPING, _DOCUMENT, _MARK = b"lendlog/vault/key\x00", b"lendlog/vault/document\x00", b"lendlog/vault/mark"

_WRITE = """
INSERT INTO vault (borrower_id, wrapped_key, sealed, mark, channels) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (borrower_id) DO UPDATE SET wrapped_key = excluded.wrapped_key, sealed = excluded.sealed,
    mark = excluded.mark, channels = excluded.channels, written_at = now()
WHERE vault.erased_at IS NULL
"""
_ERASE = """
UPDATE vault SET wrapped_key = NULL, sealed = NULL, mark = NULL, channels = '{}', erased_at = now()
WHERE borrower_id = $1 AND erased_at IS NULL
"""
_READ = "SELECT wrapped_key, sealed FROM vault WHERE borrower_id = $1"
_AUDIT = """
INSERT INTO vault_reading (reader, role, borrower_id, what, purpose, found) VALUES ($1, $2, $3, $4, $5, $6)
"""


class VaultDamaged(Exception):
    """A row of the vault can't be opened: the vault's key is another one, or somebody changed the row."""


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """Seals and opens; `key` is the vault's own."""

    key: bytes

    @classmethod
    def from_text(cls, text: str) -> "Vault":
        """The vault of LENDLOG_VAULT_KEY. Raises MissingPrecondition."""
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise MissingPrecondition(
                "Set LENDLOG_VAULT_KEY to 32 random bytes in Base64; what it seals needs it again."
            )
        return cls(key)

    def seal(self, borrower_id: str, personal: Personal) -> tuple[bytes, bytes]:
        """A fresh key, wrapped, and the document under it."""
        data_key = AESGCM.generate_key(KEY_BYTES * 8)
        wrapped = _encrypt(self.key, data_key, _WRAPPING + borrower_id.encode())
        return wrapped, _encrypt(data_key, personal.model_dump_json().encode(), _DOCUMENT + borrower_id.encode())

    def open(self, borrower_id: str, wrapped_key: bytes, sealed: bytes) -> Personal:
        """The document. Raises VaultDamaged."""
        try:
            data_key = _decrypt(self.key, wrapped_key, _WRAPPING + borrower_id.encode())
            return Personal.model_validate_json(_decrypt(data_key, sealed, _DOCUMENT + borrower_id.encode()))
        except InvalidTag as error:
            raise VaultDamaged(f"borrower {borrower_id}") from error

    def mark(self, number: OfficialNumber) -> bytes:
        """A keyed hash that tells whether the same official number comes again, and nothing without the key."""
        key = hmac.digest(self.key, _MARK, hashlib.sha256)
        return hmac.digest(key, f"{number.kind}\x00{number.compact()}".encode(), hashlib.sha256)

    def fingerprint(self, personal: BaseModel) -> str:
        """A keyed hash of a whole document: an idempotency key's request holds this in its place."""
        key = hmac.digest(self.key, _MARK + b"/request", hashlib.sha256)
        return hmac.digest(key, personal.model_dump_json().encode(), hashlib.sha256).hex()

    async def write(self, connection: Any, borrower_id: str, personal: Personal) -> None:
        """Keep the document, under a fresh key, in the caller's transaction. Raises PartyAlreadyRegistered if somebody
        else has the official number, PersonalDataIsErased, and what is wrong with the number or the account."""
        if personal.account is not None:
            personal = personal.model_copy(update={"account": personal.account.checked()})
        mark = None if personal.official_number is None else self.mark(personal.official_number)
        wrapped, sealed = self.seal(borrower_id, personal)
        try:
            done = await connection.execute(_WRITE, borrower_id, wrapped, sealed, mark, personal.contacts.channels())
        except asyncpg.UniqueViolationError:
            detail = "The official number belongs to a borrower who is registered."
            raise PartyAlreadyRegistered(detail, field="personal/official_number") from None
        if done == "INSERT 0 0":
            raise PersonalDataIsErased("Nothing new begins with this borrower.")

    async def erase(self, connection: Any, borrower_id: str) -> None:
        """Destroy the borrower's key, document and mark, in the caller's transaction."""
        await connection.execute(_ERASE, borrower_id)

    async def read(self, connection: Any, borrower_id: str, *, caller: Caller, what: str, purpose: str) -> Personal:
        """The document, and a line about who read it, in one transaction: no reading goes unnoticed, and one that finds
        nothing is noted too. Raises UnknownParty or PersonalDataIsErased."""
        async with connection.transaction():
            row = await connection.fetchrow(_READ, borrower_id)
            found = row is not None and row["wrapped_key"] is not None
            await connection.execute(_AUDIT, caller.name, caller.role, borrower_id, what, purpose, found)
        if row is None:
            raise UnknownParty("No such borrower is registered.", field="borrower_id")
        if not found:
            raise PersonalDataIsErased("There is nothing to read any more.")
        return self.open(borrower_id, row["wrapped_key"], row["sealed"])


def _encrypt(key: bytes, plain: bytes, about: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def _decrypt(key: bytes, sealed: bytes, about: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
