"""What stands on `ledger.checkpoints.v1`: how it is stated, read, and where its last head is found."""

import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.checkpoint import checkpoint_of
from shared.events.checkpoints import CheckpointCosigned, CheckpointSigned, CosignedHead, SignedHead
from shared.events.envelope import SCHEMA_BASE, Envelope
from shared.signed_note import Note, VerifierKey
from shared.streams.kafka import KafkaLog
from shared.streams.ports import Message, Record
from shared.streams.replay import read_partition

RECORDS_A_FETCH = 10_000
TAIL_RECORDS = 64
"""What is read of the end of a partition at first, looking for the last head."""
CheckpointEvent = CheckpointSigned | CheckpointCosigned
_events: TypeAdapter[CheckpointEvent] = TypeAdapter(CheckpointEvent)


def signed_event(data: SignedHead) -> CheckpointSigned:
    """A head that the ledger signed. The same head has the same id: published again, it is a repetition."""
    return CheckpointSigned(
        **_attributes(CheckpointSigned, data.partition, f"{data.origin}\n{data.size}", "/ledger/notary"), data=data
    )


def cosigned_event(cause: CheckpointSigned, note: Note, witness: VerifierKey) -> CheckpointCosigned:
    """A head that a witness signed, too."""
    head = checkpoint_of(note)
    data = CosignedHead(
        origin=head.origin,
        partition=cause.data.partition,
        size=head.size,
        note=note.render(),
        witness=witness.text(),
    )
    identity = f"{head.origin}\n{head.size}\n{data.witness}"
    attributes = _attributes(CheckpointCosigned, data.partition, identity, "/witness")
    return CheckpointCosigned(**attributes, causationid=cause.id, data=data)


def message_of(topic: str, event: CheckpointEvent) -> Message:
    """The event as it is published: on the partition of the topic that has the number of the log's."""
    return Message(topic, event.data.partition, event.subject.encode(), event.to_json())


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


def _attributes(kind: type[Envelope], partition: int, identity: str, source: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
        "source": source,
        "subject": f"p{partition}",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "dataschema": f"{SCHEMA_BASE}{kind.model_fields['type'].default}.json",
    }
