"""Kafka's default partitioner, as the Java client has it: a loan id gives one partition everywhere."""

import functools
import struct


@functools.lru_cache(maxsize=1 << 18)
def partition_for(key: bytes, partitions: int) -> int:
    """The partition that the Java client's default partitioner gives a key: murmur2 without its sign bit, modulo."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32 bits of Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2) as an unsigned number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length >> 2
    for k in struct.unpack_from(f"<{whole}I", data):
        k = k * m & mask  # noqa: PLW2901
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    tail = data[whole << 2 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
