"""Heads of a real log, signed and published; proofs checked as a borrower does, in an empty folder without servers; a
witness as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from lendlog.histories import History
from lendlog.verify_command import log_reader
from services.ledger.proofs.__main__ import connected, publishing_of
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.heads_check import heads_that_differ, signed_heads
from services.ledger.proofs.loan_proof import make_proof, rendered
from services.ledger.proofs.settings import NotarySettings
from services.ledger.proofs.topic import message_of, signed_event
from services.ledger.replay import replay_ledger
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.checkpoint import Checkpoint, checkpoint_of, origin_of, sign_checkpoint
from shared.database import connect, open_pool
from shared.events.checkpoints import CheckpointSigned
from shared.key_rotation import accepted_keys
from shared.signed_note import SigningKey, encoded, parse_note
from shared.streams.heads import last_published
from shared.topics import CHECKPOINTS
from tests.faults.ledger_run import produce
from tests.places import Place

pytestmark = pytest.mark.servers

PARTITIONS = 2
LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
ROOT = str(Path(__file__).parent.parent.parent)
KEY = SigningKey.generate("lendlog.dev/ledger/4f0c2b9a1d3e5f60")


def lendlog(*arguments: str, folder: Path, code: int = 0, **variables: str) -> Any:
    """The document that a command prints, started in `folder` with these variables alone."""
    folder.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "LENDLOG_HOME": str(folder), **variables}
    done = subprocess.run([*LENDLOG, *arguments, "--json"], cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


async def take_in(place: Place) -> None:
    """The log into the live schema by the replay's host: quicker than a worker, and the same fold."""
    pool = await open_pool(place.url("ledger"), place.ledger_schema)
    try:
        for partition in range(PARTITIONS):
            await replay_ledger(
                partition, bootstrap=place.kafka_bootstrap, topics=topics_of(place.settings()), pool=pool, batch=700
            )
    finally:
        await pool.close()


def settings_of(place: Place, folder: Path) -> NotarySettings:
    """The notary's settings on this place."""
    given = place.settings("reader").model_dump()
    return NotarySettings(**given | {"checkpoints": folder, "checkpoint_key": KEY.text()})


async def one_round(place: Place, folder: Path) -> list[CheckpointSigned]:
    """What a notary that has just started publishes."""
    settings = settings_of(place, folder)
    async with connected(settings) as (connection, publisher):
        with closing(publishing_of(settings)) as publishing:
            events = await publishing.round(connection, publisher)
            assert await publishing.round(connection, publisher) == []
            return events


@asynccontextmanager
async def books(place: Place) -> AsyncIterator[Any]:
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_borrower_a_witness_and_a_fork(places: Callable[..., Awaitable[Place]], tmp_path: Path) -> None:
    place = await places(partitions=PARTITIONS)
    checkpoints, witness = tmp_path / "checkpoints", tmp_path / "witness"
    files, public, topic = HeadFiles(checkpoints), KEY.verifier().text(), place.prefix + CHECKPOINTS.name
    records = list(History(seed=5, loans=12, days=40, partitions=PARTITIONS, trouble=1.0).records())
    watch = ("witness", "run", "--key", public, "--folder", str(witness), "--once")
    variables = place.variables("reader")

    # Nothing is there, so nothing is signed; then half a history, a head a partition, and a witness who sees both.
    assert await one_round(place, checkpoints) == []
    await produce(place, records[: len(records) // 2])
    await take_in(place)
    first = await one_round(place, checkpoints)
    assert [(event.data.partition, event.data.previous_size) for event in first] == [(0, 0), (1, 0)]
    assert lendlog(*watch, folder=tmp_path / "outside", **variables) == {"ok": True, "cosigned": 2}
    kept = {partition: files.latest(partition) for partition in range(PARTITIONS)}

    # The rest; a notary that lost its folder goes on from what was published.
    await produce(place, records[len(records) // 2 :])
    await take_in(place)
    second = await one_round(place, tmp_path / "new")
    assert [event.data.previous_size for event in second] == [event.data.size for event in first]
    assert await one_round(place, checkpoints) == []  # the old folder learns the same heads
    assert lendlog(*watch, folder=tmp_path / "outside", **variables) == {"ok": True, "cosigned": 2}
    public_witness = lendlog("witness", "key", "--folder", str(witness), folder=tmp_path / "outside")["public_key"]

    # Every loan is proved with nothing but the key, the witness's key, and the head of an earlier day.
    empty, proved = tmp_path / "borrower", 0
    async with books(place) as connection:
        loans = [row[0] for row in await connection.fetch("SELECT loan_id FROM loan WHERE loan >= 0 ORDER BY loan_id")]
        texts = {}
        for loan_id in loans:
            partition = await connection.fetchval("SELECT partition FROM loan WHERE loan_id = $1", loan_id)
            since, cosigned = kept[partition], HeadFiles(witness).of_size
            proof = await make_proof(connection, files, loan_id, since=since, cosigned=cosigned)
            assert proof is not None
            assert proof.later == 0
            texts[loan_id] = rendered(proof.document)
            proved += proof.proved
        stored = await connection.fetchval("SELECT count(*) FROM event WHERE loan >= 0")
        assert proved == stored + await connection.fetchval("SELECT count(*) FROM parked_event")
    empty.mkdir()
    loan_id = loans[0]
    (empty / "proof").write_text(texts[loan_id])
    earlier = kept[checkpoint_of(parse_note(json.loads(texts[loan_id])["head"])).partition]
    assert earlier is not None
    (empty / "kept").write_text(earlier.render())
    told = lendlog(
        *("proof", "check", "proof", "--key", public, "--witness", public_witness, "--since", "kept"), folder=empty
    )
    assert told["proved"] is True
    assert told["loan_id"] == loan_id
    assert told["closed_through"] == "2025-02-09"
    assert told["witnessed_at"] is not None
    assert told["continues"] is not None
    (empty / "proof").write_text(texts[loan_id].replace("p0", "p1", 1).replace("sha256", "sha257", 1))
    assert lendlog("proof", "check", "proof", "--key", public, folder=empty, code=1)["proved"] is False

    # What was signed is a beginning of the log, for each head that was.
    for partition in range(PARTITIONS):
        with files.tree(partition) as tree:
            heads, keys = list(files.all(partition)), accepted_keys(KEY.verifier(), [])
            origin = origin_of(KEY.name, partition)
            assert len(heads) == 2
            found = heads_that_differ(heads, origin=origin, keys=keys, size=tree.size, root=tree.root)
            assert list(found) == []
            shorter = heads_that_differ(heads, origin=origin, keys=keys, size=tree.size - 1, root=tree.root)
            assert [bad.size for bad in shorter] == [tree.size]

    # The audit says how many it compared.
    signed = signed_heads(files, KEY.verifier())
    reader = log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle)
    async with books(place) as connection:
        audit = await verify(connection, reader, signed=signed)
        assert (audit.findings, audit.document()["signed_heads"]) == ({}, 2 * PARTITIONS)

    # Somebody with the key publishes another history: the witness refuses it, at every start anew.
    last = await last_published(place.kafka_bootstrap, topic, 1)
    assert last is not None
    forged = Checkpoint(last.origin, last.size + 1, bytes(32))
    data = last.model_copy(
        update={
            "size": forged.size,
            "root": encoded(forged.root),
            "note": sign_checkpoint(forged, KEY).render(),
            "previous_size": last.size,
            "consistency": [encoded(bytes(32))],
        }
    )
    async with connected(settings_of(place, checkpoints)) as (_, publisher):
        await publisher.publish([message_of(topic, signed_event(data))])
    for _ in range(2):
        told = lendlog(*watch, folder=tmp_path / "outside", code=1, **variables)
        assert (told["ok"], told["rule"]) == (False, "fork")
    latest = HeadFiles(witness).latest(1)
    assert latest is not None
    assert checkpoint_of(latest).size == last.size
