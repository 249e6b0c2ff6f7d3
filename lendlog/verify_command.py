"""`lendlog verify`: the audit of the books against themselves and against the log, and the audit of the audit."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, reading, tell, warn_if_behind
from lendlog.checkpoint_keys import CHECKPOINTS, current_key
from lendlog.platform import Platform, attach_or_start
from lendlog.replay_command import replay_service
from lendlog.servers.home import read_json, write_private
from lendlog.services import schemas_of
from lendlog.signals import run_to_end
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.heads_check import SignedHeads, signed_heads
from services.ledger.proofs.settings import ProofSettings
from services.ledger.verify import Audit, LogReader, Mark, verify
from services.ledger.verify.tampering import Tampered, tamper
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings
from shared.signed_note import parse_verifier
from shared.streams.kafka import KafkaLog
from shared.streams.ports import Record
from shared.streams.replay import read_partition
from shared.topics import LIFECYCLE

RECORDS_A_FETCH = 10_000
RECORDS_A_TRANSACTION = 200
"""Of the scratch copy that is tampered with: few, so that its outbox has more than one row."""
MUTANTS_A_LINE = 50


def command(
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Only what came after the last audit that found nothing.")
    ] = False,
    mutants: Annotated[
        int, typer.Option("--tamper", min=0, max=100_000, help="Change so many things in a scratch copy, one by one.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the changes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Check the books; exit code 1 and the first bad row of each check that fails. With --tamper: whether the audit
    names whatever is changed in a copy of them; exit code 1 if it misses any."""
    if mutants and since_last:
        raise MissingPrecondition("--tamper is of a whole copy: leave out --since-last.")
    if mutants:
        report = run_to_end(_tamper(mutants, seed))
        emit(report.document(), _tampered(report), as_json=as_json)
        if report.missed:
            raise typer.Exit(1)
        return
    audit = run_to_end(_verify(since_last=since_last))
    emit(audit.document(), _lines(audit), as_json=as_json)
    if not audit.ok:
        raise typer.Exit(1)


async def _verify(*, since_last: bool) -> Audit:
    async with reading() as (platform, connection):
        await warn_if_behind(platform, connection)
        kept = platform.home.path / "audited.json"
        audit = await verify_books(platform, connection, since=_marks(kept) if since_last else None)
        if audit.ok:
            write_private(kept, {"marks": marks_as_json(audit.marks)})
        return audit


def _marks(kept: Path) -> Mapping[int, Mark]:
    return marks_of_json(read_json(kept).get("marks", {}))


def marks_as_json(marks: Mapping[int, Mark]) -> dict[str, Any]:
    """By partition, as JSON keeps them."""
    return {str(partition): mark.document() for partition, mark in marks.items()}


def marks_of_json(kept: Mapping[str, Any]) -> dict[int, Mark]:
    """What `marks_as_json` gave."""
    return {int(partition): Mark.read(mark) for partition, mark in kept.items()}


async def verify_books(platform: Platform, connection: Any, *, since: Mapping[int, Mark] | None = None) -> Audit:
    """Every check of the books on a connection of the reader's role, and against the log up to where they are."""
    settings = ServiceSettings()
    reader = log_reader(platform.kafka_bootstrap, settings.topic_prefix + LIFECYCLE.name)
    return await verify(connection, reader, prefix=settings.topic_prefix, since=since, signed=_signed(platform))


def _signed(platform: Platform) -> SignedHeads | None:
    """The heads of this installation; None where nothing is signed, or where it is not known by whom."""
    settings, home = ProofSettings(), platform.home.path
    files = HeadFiles(settings.checkpoints or home / CHECKPOINTS)
    if not files.partitions():
        return None
    if settings.checkpoint_verifier:
        return signed_heads(files, parse_verifier(settings.checkpoint_verifier))
    try:
        return signed_heads(files, current_key(home).verifier())
    except MissingPrecondition:
        tell("signed heads are not compared: set LENDLOG_CHECKPOINT_VERIFIER to the book's public key")
        return None


async def _tamper(count: int, seed: int) -> Tampered:
    """Replay the log into the scratch schema, which no live role reads, and tamper with that."""
    settings = ServiceSettings()
    async with attach_or_start(PlatformSettings()) as platform:
        tell(f"seed {seed}: a replay makes the copy")
        await replay_service(platform, "ledger", batch=RECORDS_A_TRANSACTION, processes=1)
        connection = await connect(platform.url("replay"), schemas_of("ledger", settings).scratch)
        try:
            reader = log_reader(platform.kafka_bootstrap, settings.topic_prefix + LIFECYCLE.name)
            return await tamper(
                connection, reader, count=count, seed=seed, prefix=settings.topic_prefix, progress=_progress(count)
            )
        finally:
            await connection.close()


def _progress(count: int) -> Any:
    """Says on a terminal how far it is."""

    def say(done: int) -> None:
        if sys.stderr.isatty() and (done % MUTANTS_A_LINE == 0 or done == count):
            tell(f"{done} of {count} mutants")

    return say


def log_reader(bootstrap: str, topic: str) -> LogReader:
    """Reads the committed records of a stretch of a partition, as far as the log has it."""

    async def read(partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Record]]:
        log_port = KafkaLog(bootstrap)
        await log_port.start()
        try:
            first, last = await log_port.bounds(topic, partition)
        finally:
            await log_port.stop()
        async for records in read_partition(
            bootstrap, topic, partition, start=max(first, start), end=min(end, last), batch=RECORDS_A_FETCH
        ):
            yield records

    return read


def _tampered(report: Tampered) -> Iterator[str]:
    document = report.document()
    for missed in document["missed"]:
        yield f"MISSED   {json.dumps(missed, ensure_ascii=False)}"
    for kind, counts in document["by_kind"].items():
        yield f"{kind:<14}{counts['found']:>6} of {counts['mutants']}"
    yield f"{document['found']} of {document['mutants']} named, seed {document['seed']}, in {document['seconds']} s"


def _lines(audit: Audit) -> Iterator[str]:
    document: dict[str, Any] = audit.document()
    for name, result in document["checks"].items():
        if result == "ok":
            yield f"ok       {name}"
        else:
            key = ", ".join(f"{column} {value}" for column, value in result["key"].items())
            column = f".{result['column']}" if "column" in result else ""
            yield f"FINDING  {name}: {result['table']}{column} ({key}): {result['problem']}"
    for code, accounts in document["trial_balance"].items():
        for account, sums in accounts.items():
            yield f"{code}  {account:<22}{sums['debit']:>22}{sums['credit']:>22}"
    counts = (f"{document[name]} {name}" for name in ("events", "postings", "loans"))
    since = " touched since the last audit" if "since" in document else ""
    rate = document["events_per_second"]
    if document["signed_heads"]:
        yield f"{document['signed_heads']} signed heads were held against the log"
    yield f"{', '.join(counts)}{since} in {document['seconds']} s, {rate} events a second"
