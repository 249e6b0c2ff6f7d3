"""Dead letters leave with their value encrypted: nobody knows what an unreadable record holds."""

import base64
import os
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import MissingPrecondition
from shared.streams.ports import Message, Publisher

NONCE_BYTES = 12
HEADER = ("lendlog-sealed", b"AES-256-GCM; nonce first")


def cipher(key: str) -> AESGCM:
    """The cipher of a base64 key of 32 bytes (LENDLOG_DEAD_LETTER_KEY)."""
    try:
        raw = base64.b64decode(key, validate=True)
        if len(raw) != 32:
            raise ValueError
    except ValueError as error:
        raise MissingPrecondition("LENDLOG_DEAD_LETTER_KEY must be base64 of 32 bytes.") from error
    return AESGCM(raw)


def unseal(key: str, value: bytes) -> bytes:
    """The value of a sealed dead letter."""
    return cipher(key).decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], None)


class SealingPublisher:
    """A publisher that encrypts values bound for one topic."""

    def __init__(self, inner: Publisher, topic: str, key: str) -> None:
        self._inner = inner
        self._topic = topic
        self._cipher = cipher(key)

    def _sealed(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if message.topic == self._topic and message.value is not None:
                nonce = os.urandom(NONCE_BYTES)
                value = nonce + self._cipher.encrypt(nonce, message.value, None)
                yield message._replace(value=value, headers=(*message.headers, HEADER))
            else:
                yield message

    async def publish(self, messages: Iterable[Message]) -> None:
        """As the inner publisher, all or nothing."""
        await self._inner.publish(self._sealed(messages))

    async def close(self) -> None:
        """Close the inner publisher."""
        await self._inner.close()
