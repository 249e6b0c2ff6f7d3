"""What stands on `ledger.checkpoints.v1`, stated: shared/streams/heads.py reads it."""

import uuid
from datetime import UTC, datetime
from typing import Any

from shared.checkpoint import checkpoint_of
from shared.events.checkpoints import CheckpointCosigned, CheckpointSigned, CosignedHead, SignedHead
from shared.events.envelope import SCHEMA_BASE, Envelope
from shared.signed_note import Note, VerifierKey
from shared.streams.heads import CheckpointEvent
from shared.streams.ports import Message


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


def _attributes(kind: type[Envelope], partition: int, identity: str, source: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
        "source": source,
        "subject": f"p{partition}",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "dataschema": f"{SCHEMA_BASE}{kind.model_fields['type'].default}.json",
    }
