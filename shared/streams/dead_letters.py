"""Headers of a dead letter, in both families that tools read: Kafka Connect's and Spring's (D9)."""

import struct

from shared.streams.ports import Record


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
