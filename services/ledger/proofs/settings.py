"""What the notary is told by its environment, beside what every service process is (prefix LENDLOG_)."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.signed_note import ED25519, KEY_BYTES, NotAKey, SigningKey, decoded, parse_signer


class ProofSettings(BaseSettings):
    """Where heads, trees and rotations are: the API and the commands read there."""

    model_config = SettingsConfigDict(env_prefix="LENDLOG_", extra="ignore")

    checkpoints: Path | None = None
    """`lendlog run` names `checkpoints` in LENDLOG_HOME."""
    checkpoint_verifier: str = ""
    """The book's, for an audit that holds the log against its heads where the private key is not at hand."""


class NotarySettings(ServiceSettings):
    """The notary's: the folder that it writes, its key, and how often it signs."""

    checkpoints: Path | None = None
    checkpoint_key: SecretStr = SecretStr("")
    """`PRIVATE+KEY+name+id+key`, or base64 of 32 random bytes with the name beside it."""
    checkpoint_name: str = ""
    """The book's name where the key has none; it never changes. Such as lendlog.dev/ledger/4f0c2b9a1d3e5f60."""
    checkpoint_seconds: float = Field(default=60.0, gt=0)
    """A partition that grew is signed so often, and when a business date closed."""

    checkpoint_days: int = Field(default=7, ge=1)
    """Every head is kept as a file for so many days; of older ones the last of each day."""

    def folder(self) -> Path:
        """The folder. MissingPrecondition where none is named."""
        if self.checkpoints is None:
            raise MissingPrecondition("Set LENDLOG_CHECKPOINTS to the folder for heads, trees and rotations.")
        return self.checkpoints

    def signing_key(self) -> SigningKey:
        """The key. MissingPrecondition where there is none, or where it can't be read."""
        text = self.checkpoint_key.get_secret_value()
        try:
            if (seed := decoded(text)) is not None and len(seed) == KEY_BYTES:
                return parse_signer(SigningKey(self.checkpoint_name, ED25519, seed).text())
            return parse_signer(text)
        except NotAKey as error:
            raise MissingPrecondition(
                f"Set LENDLOG_CHECKPOINT_KEY to a key that `lendlog proof key --new NAME` made: {error.detail}"
            ) from None
