"""Keys go to the partitions that the Java client would give them, so that any producer may join in."""

import pytest

from shared.partitioner import murmur2, partition_for

# Source: Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), PUBLISHED.items())
def test_murmur2_gives_the_values_that_kafka_publishes(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@pytest.mark.parametrize(("key", "signed"), PUBLISHED.items())
def test_a_partition_is_the_hash_without_its_sign_bit_modulo_the_count(key: bytes, signed: int) -> None:
    assert partition_for(key, 8) == (signed & 0x7FFFFFFF) % 8


def test_our_murmur2_agrees_with_the_client_library_for_every_tail_length() -> None:
    from aiokafka.partitioner import murmur2 as theirs

    for length in range(70):
        key = bytes((length * 7 + i * 13) % 256 for i in range(length))
        assert murmur2(key) == theirs(key) & 0xFFFFFFFF, length


def test_the_book_key_is_spread_by_hand_but_loan_keys_use_all_partitions() -> None:
    assert {partition_for(f"loan-{n}".encode(), 8) for n in range(200)} == set(range(8))
