"""When the states of changed loans are handed to the relay: latest-state messages, which need not be one per event."""

import time
from typing import Any

from services.ledger import messages
from shared.streams.processor import Owned
from shared.streams.relay import PartitionRelay

SNAPSHOT_SECONDS_BUSY = 30.0
"""Under load a loan's snapshot is sent at most this often: later events of the same loan then cost no further one."""
SNAPSHOT_SECONDS = 0.25


class SnapshotPacing:
    """Remembers when each partition's snapshots were last handed over."""

    def __init__(self, topics: messages.Topics) -> None:
        self.topics = topics
        self._handed_over_at: dict[int, float] = {}

    def hand_over(self, owned: Owned, relay: PartitionRelay | None, every: float) -> None:
        """Hand the changed loans' states over, if the last set is through and `every` seconds have passed."""
        partition, now = owned.position.partition, time.monotonic()
        hosted: Any = owned.hosted
        if relay is None or not hosted.changed or not relay.wants_snapshots:
            return
        if now - self._handed_over_at.get(partition, 0.0) < every:
            return
        self._handed_over_at[partition] = now
        changed, hosted.changed = hosted.changed, {}
        states = [
            messages.snapshot(loan, figures, day, partition, self.topics) for loan, figures, day in changed.values()
        ]
        relay.hand_over_snapshots(owned.position.next_offset, states)
