"""`lendlog witness run|key`: a process outside the lender's reach, which sees that heads only ever continue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from lendlog.books import AsJson, emit, tell
from lendlog.proof_command import public_key
from lendlog.signals import run_to_end
from lendlog.status import running_platform
from lendlog.witnessing import Witness, witness_key
from services.ledger.proofs.topic import cosigned_event, message_of
from shared.errors import MissingPrecondition, Refusal
from shared.events.checkpoints import CheckpointCosigned, CheckpointSigned
from shared.settings import PlatformSettings, ServiceSettings
from shared.signed_note import SigningKey, VerifierKey
from shared.streams.heads import RECORDS_A_FETCH, bounds, event_of, last_published
from shared.streams.kafka import KafkaPublisher
from shared.streams.ports import FencedError, RetryableError
from shared.streams.replay import read_partition
from shared.topics import CHECKPOINTS

command = typer.Typer(no_args_is_help=True, help="Watch a book's heads from outside, and sign those that continue.")
POLL_SECONDS = 2.0
Folder = Annotated[
    Path | None, typer.Option(help="Where the witness keeps its key and what it saw; else `witness` in LENDLOG_HOME.")
]


@command.command()
def run(
    key: Annotated[str, typer.Option("--key", help="The book's public key, or a file that holds it.")],
    folder: Folder = None,
    once: Annotated[bool, typer.Option("--once", help="Leave at the end of what is published.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cosign each head that continues the last one; exit code 1 and the reason at one that does not."""
    trusted, place = public_key(key), folder or PlatformSettings().home / "witness"
    signer = witness_key(place)
    try:
        signed = run_to_end(_run(place, signer, trusted, once=once))
    except Refusal as refusal:
        document = {"ok": False, "rule": refusal.rule(), "reason": refusal.detail}
        emit(document, [f"REFUSED ({refusal.rule()}): {refusal.detail}"], as_json=as_json)
        raise typer.Exit(1) from None
    emit({"ok": True, "cosigned": signed}, [f"{signed} heads cosigned"], as_json=as_json)


@command.command("key")
def key_(
    folder: Folder = None,
    name: Annotated[str | None, typer.Option(help="The witness's name, where it has no key yet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the witness's public key; made at the first call."""
    text = witness_key(folder or PlatformSettings().home / "witness", name).verifier().text()
    emit({"public_key": text}, [text], as_json=as_json)


async def _run(folder: Path, signer: SigningKey, trusted: VerifierKey, *, once: bool) -> int:
    settings, bootstrap = ServiceSettings(), await _bootstrap()
    topic = settings.topic_prefix + CHECKPOINTS.name
    witness, signed = Witness(folder, signer, trusted), 0
    while True:
        try:
            async with _publisher(bootstrap, f"{settings.topic_prefix}witness-{signer.verifier().key_id.hex()}") as out:
                while True:
                    for partition in range(settings.partitions):
                        signed += await _read(witness, signer, out, bootstrap, topic, partition)
                    if once:
                        return signed
                    await asyncio.sleep(POLL_SECONDS)
        except (RetryableError, FencedError) as error:
            if once:
                raise MissingPrecondition(f"The broker does not answer: {error}") from None
            tell(f"trying again: {error}")
            await asyncio.sleep(POLL_SECONDS)


async def _read(
    witness: Witness, signer: SigningKey, out: KafkaPublisher, bootstrap: str, topic: str, partition: int
) -> int:
    """Answer what is new on one partition; returns how many heads were cosigned."""
    start = witness.next_offset(partition)
    _, end = await bounds(bootstrap, topic, partition)
    if start >= end:
        return 0
    latest = await last_published(bootstrap, topic, partition)
    rotations = latest.rotations if latest else []
    cosigned: list[CheckpointCosigned] = []
    async for records in read_partition(bootstrap, topic, partition, start=start, end=end, batch=RECORDS_A_FETCH):
        for event in map(event_of, records):
            if isinstance(event, CheckpointSigned):
                note = witness.take(partition, event.data, seconds=int(time.time()), rotations=rotations)
                cosigned.append(cosigned_event(event, note, signer.verifier()))
    await out.publish(message_of(topic, event) for event in cosigned)
    witness.read_to(partition, end)
    return len(cosigned)


async def _bootstrap() -> str:
    """The broker that the environment names, else that of the platform that runs."""
    settings = PlatformSettings()
    return settings.kafka_bootstrap or (await running_platform(settings)).kafka_bootstrap


@asynccontextmanager
async def _publisher(bootstrap: str, name: str) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(bootstrap, name)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.close()
