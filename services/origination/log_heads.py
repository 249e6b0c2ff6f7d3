"""The head of the log on the day of signing: the last one that the ledger published for a loan's partition."""

import asyncio
import time

from shared.events.applications import LogHead
from shared.partitioner import partition_for
from shared.streams.heads import last_published
from shared.streams.ports import RetryableError

FRESH_SECONDS = 5.0
"""How long a head that was read is the last one: the ledger signs one a minute."""
ANSWER_SECONDS = 3.0
"""A contract does not wait longer for its head; it says then that none was reached."""


class LogHeads:
    """Reads the topic of heads (`topic`: its full name) when a contract is concluded."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._read: dict[int, tuple[float, LogHead]] = {}

    async def of_loan(self, loan_id: str) -> LogHead:
        """The last signed head of the partition that has the loan's events; it says so where there is none."""
        partition = partition_for(loan_id.encode(), self._partitions)
        at, head = self._read.get(partition, (0.0, None))
        if head is not None and time.monotonic() - at < FRESH_SECONDS:
            return head
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                published = await last_published(self._bootstrap, self._topic, partition)
        except (RetryableError, TimeoutError):
            return LogHead(partition=partition, missing="not-reached")
        note = published.note if published is not None else None
        head = LogHead(partition=partition, note=note, missing=None if note else "none-signed")
        self._read[partition] = (time.monotonic(), head)
        return head
