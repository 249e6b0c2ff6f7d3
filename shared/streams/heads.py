"""What stands on `ledger.checkpoints.v1`, read: each event of a record, and the last signed head of a partition."""

from pydantic import TypeAdapter, ValidationError

from shared.events.checkpoints import CheckpointCosigned, CheckpointSigned, SignedHead
from shared.streams.kafka import KafkaLog
from shared.streams.ports import Record
from shared.streams.replay import read_partition

RECORDS_A_FETCH = 10_000
TAIL_RECORDS = 64
"""What is read of the end of a partition at first, looking for the last head."""
CheckpointEvent = CheckpointSigned | CheckpointCosigned
_events: TypeAdapter[CheckpointEvent] = TypeAdapter(CheckpointEvent)


def event_of(record: Record) -> CheckpointEvent | None:
    """What a record of the topic states; None for what is neither."""
    try:
        return _events.validate_json(record.value or b"")
    except ValidationError:
        return None


async def last_published(bootstrap: str, topic: str, partition: int) -> SignedHead | None:
    """The last signed head on the topic's partition; None where none was published."""
    first, end = await bounds(bootstrap, topic, partition)
    start, span = end, TAIL_RECORDS
    while start > first:  # cosigned heads and markers stand in between
        start, stop, span = max(first, start - span), start, span * 4
        found = None
        async for records in read_partition(bootstrap, topic, partition, start=start, end=stop, batch=RECORDS_A_FETCH):
            for event in map(event_of, records):
                found = event.data if isinstance(event, CheckpointSigned) else found
        if found:
            return found
    return None


async def bounds(bootstrap: str, topic: str, partition: int) -> tuple[int, int]:
    """(first offset still held, end offset)."""
    log_port = KafkaLog(bootstrap)
    await log_port.start()
    try:
        return await log_port.bounds(topic, partition)
    finally:
        await log_port.stop()
