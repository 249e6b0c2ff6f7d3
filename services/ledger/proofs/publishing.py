"""The notary's rounds: read how far the books are, read the log up to there, sign what grew, publish it."""

import time
from contextlib import ExitStack
from datetime import date
from typing import Any

from services.ledger.proofs import metrics
from services.ledger.proofs.head_files import DAY_SECONDS, HeadFiles
from services.ledger.proofs.notary import Held, Notary
from services.ledger.proofs.topic import message_of, signed_event
from shared import telemetry
from shared.errors import Refusal
from shared.events.checkpoints import CheckpointSigned, SignedHead
from shared.signed_note import SigningKey, encoded, parse_note
from shared.streams.heads import RECORDS_A_FETCH, last_published
from shared.streams.ports import Publisher
from shared.streams.replay import read_partition

CLOSED_SECONDS = 5.0
"""Between two heads of one partition while dates close quickly, as in an import: signing each would cost the worker."""
PRUNE_SECONDS = 3600.0
"""How often old heads are looked for."""
_POSITIONS = "SELECT partition, next_offset, tree_size, tree_frontier, open_date FROM position ORDER BY partition"
_log = telemetry.logger(__name__)


class Publishing:
    """The notaries of all partitions, and what was published of each. `seconds`: between two heads of one partition;
    `days`: for which every one of them is kept as a file."""

    def __init__(
        self,
        files: HeadFiles,
        key: SigningKey,
        *,
        bootstrap: str,
        lifecycle: str,
        checkpoints: str,
        seconds: float,
        days: int = 7,
    ) -> None:
        self._files = files
        self._key = key
        self._bootstrap = bootstrap
        self._lifecycle = lifecycle
        self._checkpoints = checkpoints
        self._seconds = seconds
        self._keep_seconds = days * DAY_SECONDS
        self._pruned = -PRUNE_SECONDS
        self._notaries: dict[int, Notary] = {}
        self._published: dict[int, SignedHead | None] = {}
        self._tried: dict[int, float] = {}
        self._open_dates: dict[int, date | None] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        """Close the trees' files."""
        self._stack.close()

    async def round(self, connection: Any, publisher: Publisher, *, whole: bool = False) -> list[CheckpointSigned]:
        """One round; returns what was published. `whole`: every partition that grew, whether its time has come or not.

        A partition whose head must not be signed is logged and measured; the others go on.
        """
        due = [held for held in await positions(connection) if whole or self._is_due(held)]
        events = []
        for held in due:
            try:
                if event := await self._sign(held):
                    events.append(event)
                metrics.REFUSED.labels(held.partition).set(0)
            except Refusal as refusal:
                metrics.REFUSED.labels(held.partition).set(1)
                _log.error("refused to sign", partition=held.partition, rule=refusal.rule(), reason=refusal.detail)
        await publisher.publish(message_of(self._checkpoints, event) for event in events)
        for event in events:
            self._published[event.data.partition] = event.data
            metrics.SIZE.labels(event.data.partition).set(event.data.size)
            metrics.SIGNED_AT.labels(event.data.partition).set(time.time())
        self._prune()
        return events

    def _prune(self) -> None:
        """Delete old heads from the folder, once in a while; those that were published."""
        if time.monotonic() - self._pruned < PRUNE_SECONDS:
            return
        self._pruned, before = time.monotonic(), time.time() - self._keep_seconds
        for partition, published in self._published.items():
            if published is not None:
                self._files.prune(partition, before=before)

    def _is_due(self, held: Held) -> bool:
        """Whether the partition's time has come: a date closed, or the interval is over and it grew."""
        closed = self._open_dates.get(held.partition) != held.open_date
        pause = min(CLOSED_SECONDS, self._seconds) if closed else self._seconds
        if (tried := self._tried.get(held.partition)) is not None and time.monotonic() - tried < pause:
            return False
        published = self._published.get(held.partition)
        return held.partition not in self._notaries or held.size > (published.size if published else 0)

    async def _sign(self, held: Held) -> CheckpointSigned | None:
        """The event of a partition's head, if there is one that was not published."""
        self._tried[held.partition], self._open_dates[held.partition] = time.monotonic(), held.open_date
        notary = await self._notary(held.partition)
        async for records in read_partition(
            self._bootstrap,
            self._lifecycle,
            held.partition,
            start=notary.next_offset,
            end=held.next_offset,
            batch=RECORDS_A_FETCH,
        ):
            notary.take(records)
        notary.sign(held)
        published = self._published[held.partition]
        previous = published.size if published else 0
        if notary.last.size <= previous or not notary.is_provable:
            return None
        return self._event(notary, previous, held.open_date)

    async def _notary(self, partition: int) -> Notary:
        if partition not in self._notaries:
            published = await last_published(self._bootstrap, self._checkpoints, partition)
            notary = Notary(self._files, partition, self._key)
            self._stack.callback(notary.close)
            notary.restore(parse_note(published.note) if published else None)
            self._notaries[partition], self._published[partition] = notary, published
        return self._notaries[partition]

    def _event(self, notary: Notary, previous: int, open_date: date | None) -> CheckpointSigned:
        assert notary.last_note is not None
        head = notary.last
        data = SignedHead(
            origin=head.origin,
            partition=notary.partition,
            size=head.size,
            root=encoded(head.root),
            note=notary.last_note.render(),
            previous_size=previous,
            consistency=[encoded(one) for one in notary.consistency(previous)],
            rotations=[note.render() for note in self._files.rotations()],
            open_date=open_date,
        )
        return signed_event(data)


async def positions(connection: Any) -> list[Held]:
    """How far the books of each partition are."""
    return [Held(*row) for row in await connection.fetch(_POSITIONS)]
