"""`lendlog verify`: the audit of the books against themselves and against the log."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import typer

from lendlog.books import AsJson, emit, reading, warn_if_behind
from lendlog.platform import Platform
from lendlog.signals import run_to_end
from services.ledger.verify import Audit, LogReader, verify
from shared.settings import ServiceSettings
from shared.streams.kafka import KafkaLog
from shared.streams.ports import Record
from shared.streams.replay import read_partition
from shared.topics import LIFECYCLE

RECORDS_A_FETCH = 10_000


def command(as_json: AsJson = False) -> None:
    """Check the books; exit code 1 and the first bad row of each check that fails."""
    audit = run_to_end(_verify())
    emit(audit.document(), _lines(audit), as_json=as_json)
    if not audit.ok:
        raise typer.Exit(1)


async def _verify() -> Audit:
    async with reading() as (platform, connection):
        await warn_if_behind(platform, connection)
        return await verify_books(platform, connection)


async def verify_books(platform: Platform, connection: Any) -> Audit:
    """Every check of the books on a connection of the reader's role, and against the log up to where they are."""
    topic = ServiceSettings().topic_prefix + LIFECYCLE.name
    return await verify(connection, log_reader(platform.kafka_bootstrap, topic))


def log_reader(bootstrap: str, topic: str) -> LogReader:
    """Reads the committed records of a partition up to an offset, or up to the log's end if that comes before."""

    async def read(partition: int, end: int) -> AsyncIterator[Sequence[Record]]:
        log_port = KafkaLog(bootstrap)
        await log_port.start()
        try:
            first, last = await log_port.bounds(topic, partition)
        finally:
            await log_port.stop()
        async for records in read_partition(
            bootstrap, topic, partition, start=first, end=min(end, last), batch=RECORDS_A_FETCH
        ):
            yield records

    return read


def _lines(audit: Audit) -> Iterator[str]:
    document: dict[str, Any] = audit.document()
    for name, result in document["checks"].items():
        if result == "ok":
            yield f"ok       {name}"
        else:
            key = ", ".join(f"{column} {value}" for column, value in result["key"].items())
            yield f"FINDING  {name}: {result['table']} ({key}): {result['problem']}"
    for code, accounts in document["trial_balance"].items():
        for account, sums in accounts.items():
            yield f"{code}  {account:<22}{sums['debit']:>22}{sums['credit']:>22}"
    counts = (f"{document[name]} {name}" for name in ("events", "postings", "loans"))
    yield f"{', '.join(counts)} in {document['seconds']} s"
