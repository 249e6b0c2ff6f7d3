"""A dead letter, with headers of both families that tools read: Kafka Connect's and Spring's (D9)."""

import base64
import struct

from shared.streams.ports import Message, Record

DEAD_LETTER_BYTES_MAX = 7 << 20
"""Of the record; with the added headers and the sealing it stays below the topics' `max.message.bytes`."""


def dead_letter(record: Record, reason: str, *, source: str, topic: str) -> Message:
    """An unreadable record of the topic `source`; whole, unless that is more than a message may have: then without
    value, key and its own headers, which stay in the table `dead_letter`."""
    size = len(record.value or b"") + len(record.key or b"")
    size += sum(len(name) + len(content or b"") for name, content in record.headers)
    if size > DEAD_LETTER_BYTES_MAX:
        bare = Record(record.topic, record.partition, record.offset, record.timestamp, None, None)
        headers = dead_letter_headers(bare, f"{reason} ({size} bytes, too large to send on)", source)
        return Message(topic, record.partition, None, None, headers)
    return Message(topic, record.partition, record.key, record.value, dead_letter_headers(record, reason, source))


def dead_letter_headers(record: Record, reason: str, topic: str) -> tuple[tuple[str, bytes], ...]:
    """The record's own headers, then where it came from and why it is here.

    Spring's numbers are big-endian int32 (partition) and int64 (offset, timestamp in milliseconds); Connect's are text.
    """
    text = reason.encode()
    return (
        *((name, bytes(content or b"")) for name, content in record.headers),
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", str(record.partition).encode()),
        ("__connect.errors.offset", str(record.offset).encode()),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", b"lendlog.Unreadable"),
        ("__connect.errors.exception.message", text),
        ("kafka_dlt-original-topic", topic.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", record.partition)),
        ("kafka_dlt-original-offset", struct.pack(">q", record.offset)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", record.timestamp)),
        ("kafka_dlt-exception-fqcn", b"lendlog.Unreadable"),
        ("kafka_dlt-exception-message", text),
    )


def legible(name: str, content: bytes | None) -> dict[str, str | None]:
    """Bytes as text, with how they are written: as UTF-8, or in base64 where they are none."""
    if content is None:
        return {name: None, f"{name}_encoding": None}
    try:
        return {name: content.decode(), f"{name}_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(content).decode(), f"{name}_encoding": "base64"}
