"""How the messages of one transaction stand in an outbox row: one value, in order (D8)."""

from collections.abc import Sequence

import msgspec

from shared.streams.ports import Message

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    list[tuple[str, int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]]
).decode


def pack(messages: Sequence[Message]) -> bytes:
    """The messages as one value."""
    return _encode(messages)


def unpack(packed: bytes) -> list[Message]:
    """The messages back, in order."""
    return [Message(*fields) for fields in _decode(packed)]
