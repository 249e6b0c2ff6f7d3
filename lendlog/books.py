"""What commands on the books share: a connection, waiting until an event is in, and one document as output."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import typer

from lendlog.platform import Platform, attach_or_start
from lendlog.services import schemas_of
from services.ledger import queries
from services.ledger.commands import Command, LedgerCommands, Recorded
from shared.database import connect, open_pool
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings
from shared.streams.kafka import KafkaLog
from shared.streams.subject_store import is_taken_in
from shared.topics import LIFECYCLE

STALLED_SECONDS = 120.0
"""Workers that take in nothing for so long are not merely slow: a restart and a claim last some 20 s."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words without personal data: it stands on the log.")]
ON_REQUEST = "asked for on the command line"


def emit(document: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """One JSON document on standard output, or the same for people."""
    text = json.dumps(document, ensure_ascii=False) if as_json else "\n".join(lines)
    sys.stdout.write(text + "\n")


def tell(sentence: str) -> None:
    """Whatever is not the document, on standard error."""
    print(f"lendlog: {sentence}", file=sys.stderr)


def fields(document: dict[str, Any]) -> list[str]:
    """One line a field, for people; one for each item of a list of documents."""
    width = max(map(len, document), default=0) + 2
    lines = []
    for name, value in document.items():
        if value in (None, [], {}):
            continue
        several = isinstance(value, list) and isinstance(value[0], dict)
        for n, one in enumerate(value if several else [value]):
            lines.append(f"{'' if n else name.replace('_', ' '):<{width}}{_words(one)}")
    return lines


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_words(one)}" for name, one in value.items() if one is not None)
    return ", ".join(map(_words, value)) if isinstance(value, list) else str(value)


def place_of(text: str) -> tuple[int, int]:
    """PARTITION/OFFSET as numbers; MissingPrecondition if it is anything else."""
    partition, _, offset = text.partition("/")
    if not (partition.isdecimal() and offset.isdecimal() and len(partition) < 5 and len(offset) < 19):
        raise MissingPrecondition(f"{text!r} is not PARTITION/OFFSET, such as 3/1042.")
    return int(partition), int(offset)


@asynccontextmanager
async def reading(service: str = "ledger") -> AsyncIterator[tuple[Platform, asyncpg.Connection]]:
    """The platform (its servers started for the command's duration where none runs) and what a service keeps, by the
    reader's role."""
    async with attach_or_start(PlatformSettings()) as platform:
        connection = await connect(platform.url("reader"), schemas_of(service, ServiceSettings()).schema)
        try:
            yield platform, connection
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Desk:
    """Where commands are recorded, and the books in which to see what became of them."""

    commands: LedgerCommands
    books: asyncpg.Connection
    platform: Platform

    async def record(self, commands: Sequence[Command]) -> list[Recorded]:
        """Record all or none; return once they are in the books. Raises the commands' refusals."""
        recorded = await self.commands.record_many(commands)
        for one in recorded:
            await until_in(self.books, one.event_id)
        return recorded


@asynccontextmanager
async def recording() -> AsyncIterator[Desk]:
    """The whole platform with its services, started for the command's duration where none runs."""
    async with attach_or_start(PlatformSettings(), services=True) as platform, desk_of(platform) as desk:
        yield desk


@asynccontextmanager
async def desk_of(platform: Platform) -> AsyncIterator[Desk]:
    """The ledger's desk on a platform whose services run."""
    settings = platform.service_settings("ledger_api")
    url = settings.database_url.get_secret_value()
    pool = await open_pool(url, settings.ledger_api_schema, size=2)
    books = await connect(url, settings.ledger_schema)
    try:
        topic = settings.topic_prefix + LIFECYCLE.name
        yield Desk(LedgerCommands(pool, settings.partitions, topic), books, platform)
    finally:
        await books.close()
        await pool.close()


# How far all partitions are, how many are in the middle of a closing, and why one stopped.
_PROGRESS = """
SELECT sum(next_offset) AS reached, count(resume_loan) AS unfinished, max(halted) AS halted FROM position
"""


_PROGRESS_OF_BORROWERS = "SELECT sum(next_offset) AS reached, 0 AS unfinished, max(halted) AS halted FROM position"


async def until_in(
    books: Any, event_id: str, *, service: str = "ledger", stalled_seconds: float = STALLED_SECONDS
) -> None:
    """Wait until the event is in the books, a broadcast one finished on every partition: then so is all that was sent
    before a closing. Of a service of borrowers: until it has taken the event in from its inbox.

    Raises MissingPrecondition if a partition halted, or if the books have not moved for `stalled_seconds`.
    """
    ours = service == "ledger"
    progress, is_in = (_PROGRESS, queries.event_is_in) if ours else (_PROGRESS_OF_BORROWERS, is_taken_in)
    reached, moved = None, time.monotonic()
    while True:
        row = await books.fetchrow(progress)
        if row["unfinished"] == 0 and await is_in(books, event_id):
            return
        if row["halted"] is not None:
            raise MissingPrecondition(f"A partition of {service} stopped: {row['halted']}")
        if row["reached"] != reached:
            reached, moved = row["reached"], time.monotonic()
        elif time.monotonic() - moved > stalled_seconds:
            raise MissingPrecondition(
                f"The books have not moved for {stalled_seconds:.0f} s: look at `lendlog status` and the workers' logs."
            )
        await asyncio.sleep(0.05)


async def warn_if_behind(platform: Platform, connection: Any) -> None:
    """Say on standard error that the log holds more than the books: figures are then those of an earlier moment."""
    topic = ServiceSettings().topic_prefix + LIFECYCLE.name
    log_port = KafkaLog(platform.kafka_bootstrap)
    await log_port.start()
    try:
        for row in await connection.fetch("SELECT partition, next_offset FROM position ORDER BY partition"):
            if await log_port.first_from(topic, row["partition"], row["next_offset"]) is not None:
                tell("the log holds records that are not in the books yet")
                return
    finally:
        await log_port.stop()
