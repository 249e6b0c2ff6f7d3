"""`lendlog bench spine`: a backlog on the log to committed, balanced, relayed books, and stock Faust beside it.

The clock starts when every worker has claimed its partitions (what the first did until then is not counted) and stops
when lag is zero, every derived event is published and every changed loan's snapshot too. Then the books' digest must
equal a replay's. The peers work on the same log, into schemas of their own, with the same number of processes, for a
fixed time, three times each; their rate is the most that they committed in it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from lendlog.bench.rig import Rig, busy_seconds, hardware, scrape
from lendlog.histories import History
from lendlog.servers.processes import free_port
from services.ledger.digest import digest_of
from services.ledger.replay import replay_ledger
from services.ledger.worker import topics_of
from shared.database import connect, open_pool
from shared.streams.kafka import KafkaLog

DAYS, PERIOD_DAYS, PARTS, INSTALMENTS = 110, 30, 3, 12
"""Market traders: twelve monthly instalments, each paid in about three parts; 110 dates are closed."""
PEER_SECONDS = 15.0
PEER_RUNS = 3
"""The best counts, in its favour: between runs its rate varies by an order of magnitude."""
READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    loans: int = 50_000
    seed: int = 1
    processes: int = 2
    peers: bool = True
    check: bool = True


async def produce(rig: Rig, plan: Plan) -> int:
    """Write the backlog; returns the number of events."""
    producer = AIOKafkaProducer(
        bootstrap_servers=rig.bootstrap, max_batch_size=1 << 20, linger_ms=0, enable_idempotence=True
    )
    await producer.start()
    topic = topics_of(rig.settings("ledger")).lifecycle
    history = History(
        seed=plan.seed, loans=plan.loans, days=DAYS, instalments=INSTALMENTS, period_days=PERIOD_DAYS, parts=PARTS
    )
    batches: dict[int, Any] = {}
    now = int(time.time() * 1000)
    try:
        for record in history.records():
            batch = batches.get(record.partition)
            if batch is None or batch.append(key=record.key, value=record.value, timestamp=now) is None:
                if batch is not None:
                    batch.close()
                    await producer.send_batch(batch, topic, partition=record.partition)
                batch = batches[record.partition] = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=now)
        for partition, batch in batches.items():
            batch.close()
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return history.produced


@contextmanager
def processes(rig: Rig, module: tuple[str, ...], count: int, ports: list[int], schema: str) -> Iterator[list[Any]]:
    """`count` children; ended at the end."""
    running = []
    for port in ports[:count]:
        log = (rig.folder / f"{module[0].rsplit('.', 1)[-1]}-{port}.log").open("wb")
        environment = rig.environment("ledger", schema, LENDLOG_PORT=str(port))
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", *module], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        )
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=12)
            except subprocess.TimeoutExpired:
                process.kill()


async def positions(connection: Any) -> tuple[int, dict[int, int]]:
    """(events accepted, next offset by partition)."""
    rows = await connection.fetch("SELECT partition, next_offset, events FROM position")
    return sum(row["events"] for row in rows), {row["partition"]: row["next_offset"] for row in rows}


async def _through(connection: Any, ends: dict[int, int]) -> bool:
    """Lag zero, outbox and snapshots relayed."""
    _, at = await positions(connection)
    if any(at[partition] < end for partition, end in ends.items()):
        return False
    if await connection.fetchval(
        "SELECT count(*) FROM position JOIN relay USING (partition) WHERE outbox_mark < outbox_next"
    ):
        return False
    for partition in ends:
        mark = "(SELECT snapshot_mark FROM relay WHERE partition = $1)"
        if await connection.fetchval(
            f"SELECT EXISTS (SELECT 1 FROM loan_p{partition:d} WHERE loan >= 0 AND as_of >= {mark})", partition
        ):
            return False
    return True


async def measure(rig: Rig, plan: Plan, ends: dict[int, int], say: Any) -> dict[str, Any]:
    """Our workers on the whole backlog."""
    ports = [free_port(0) for _ in range(plan.processes)]
    connection = await connect(rig.url("reader"), rig.schema("ledger"))
    try:
        with processes(rig, ("services.ledger.app",), plan.processes, ports, rig.schema("ledger")) as running:
            await _ready(ports, running)
            (before, _), started, busy = await positions(connection), time.perf_counter(), busy_seconds(running)
            while not await _through(connection, ends):
                _require_alive(running, rig.folder)
                await asyncio.sleep(POLL_SECONDS)
                events, _ = await positions(connection)
                say(f"{events:,} events, {(events - before) / (time.perf_counter() - started):,.0f}/s")
            seconds = time.perf_counter() - started
            spent = {name: value - busy[name] for name, value in busy_seconds(running).items()}
            stages = [await scrape(port) for port in ports]
        events, _ = await positions(connection)
        return {
            "events": events,
            "seconds": round(seconds, 2),
            "events_per_second": round((events - before) / seconds),
            "cpu_seconds": {name: round(value, 1) for name, value in spent.items()},
            "stage_seconds": {stage: round(sum(s.get(stage, 0) for s in stages), 1) for stage in stages[0]},
            **await _sizes(connection),
        }
    finally:
        await connection.close()


async def _ready(ports: list[int], running: list[Any]) -> None:
    from lendlog.platform import http_status

    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if all([await http_status(port, "/readyz") == 200 for port in ports]):
            return
        await asyncio.sleep(0.02)
    raise RuntimeError(f"the workers were not ready within {READY_SECONDS_MAX:g} s ({[p.poll() for p in running]})")


def _require_alive(running: list[Any], folder: Path) -> None:
    for process in running:
        if process.poll() is not None:
            raise RuntimeError(f"a worker ended with {process.returncode}; see {folder}")


async def _sizes(connection: Any) -> dict[str, Any]:
    """Bytes per posting and per stored event, indexes included."""
    row = await connection.fetchrow(
        "SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        " WHERE inhparent = 'posting'::regclass) AS posting_bytes,"
        " (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        " WHERE inhparent = 'event'::regclass) AS event_bytes,"
        " (SELECT count(*) FROM posting) AS postings, (SELECT count(*) FROM event) AS events"
    )
    return {
        "postings": row["postings"],
        "bytes_per_posting": round(float(row["posting_bytes"]) / max(1, row["postings"]), 1),
        "bytes_per_event": round(float(row["event_bytes"]) / max(1, row["events"]), 1),
    }


async def measure_peer(rig: Rig, plan: Plan, idiom: str, say: Any) -> float:
    """The best of PEER_RUNS runs."""
    return max([await _peer_run(rig, plan, idiom, run, say) for run in range(PEER_RUNS)])


async def _peer_run(rig: Rig, plan: Plan, idiom: str, run: int, say: Any) -> float:
    """Events a second that stock Faust commits in PEER_SECONDS, from its first commit on."""
    schema = rig.schema(f"peer_{idiom}_{run}")
    await rig.provision(schema)
    connection = await connect(rig.url("reader"), schema)
    try:
        ports = [free_port(0) for _ in range(plan.processes)]
        with processes(rig, ("lendlog.bench.faust_peer", idiom), plan.processes, ports, schema) as running:
            deadline = time.monotonic() + READY_SECONDS_MAX
            while not (first := (await positions(connection))[0]):
                _require_alive(running, rig.folder)
                if time.monotonic() > deadline:
                    raise RuntimeError(f"stock Faust committed nothing within {READY_SECONDS_MAX:g} s")
                await asyncio.sleep(POLL_SECONDS)
            started = time.perf_counter()
            while (passed := time.perf_counter() - started) < PEER_SECONDS:
                await asyncio.sleep(0.5)
                now = (await positions(connection))[0]
                say(f"stock Faust, {idiom}: {(now - first) / max(passed, 0.5):,.0f}/s")
            return ((await positions(connection))[0] - first) / (time.perf_counter() - started)
    finally:
        await connection.close()


def _replay_some(rig: Rig, partitions: list[int], schema: str) -> None:
    """In a child process: replay these partitions."""

    async def run() -> None:
        pool = await open_pool(rig.url("replay"), schema)
        try:
            for partition in partitions:
                await replay_ledger(
                    partition, bootstrap=rig.bootstrap, topics=topics_of(rig.settings("ledger")), pool=pool, batch=5000
                )
        finally:
            await pool.close()

    asyncio.run(run())


async def check(rig: Rig, plan: Plan, say: Any) -> dict[str, Any]:
    """The digest of the books and of a replay; and the replay's own rate."""
    say("replaying the log into a scratch schema")
    schema = await rig.scratch()
    started = time.perf_counter()
    await rig.in_processes(_replay_some, plan.processes, schema)
    seconds = time.perf_counter() - started
    digests = []
    for role, name in (("reader", rig.schema("ledger")), ("replay", schema)):
        connection = await connect(rig.url(role), name)
        try:
            digests.append(await digest_of(connection, range(rig.partitions)))
        finally:
            await connection.close()
    return {
        "digest": digests[0]["digest"],
        "digest_equals_replay": digests[0] == digests[1],
        "replay_events_per_second": round(digests[1]["events"] / seconds),
    }


async def run(rig: Rig, plan: Plan, say: Any) -> dict[str, Any]:
    """The whole benchmark; see the module."""
    say("writing the backlog")
    await produce(rig, plan)
    log_port = KafkaLog(rig.bootstrap)
    await log_port.start()
    topic = topics_of(rig.settings("ledger")).lifecycle
    ends = {partition: (await log_port.bounds(topic, partition))[1] for partition in range(rig.partitions)}
    await log_port.stop()
    result = await measure(rig, plan, ends, say)
    if plan.check:
        result |= await check(rig, plan, say)
    if plan.peers:
        per_event = await measure_peer(rig, plan, "event", say)
        take = await measure_peer(rig, plan, "take", say)
        result |= {
            "faust_per_event_events_per_second": round(per_event),
            "faust_take_events_per_second": round(take),
            "ratio_to_faust_per_event": round(result["events_per_second"] / per_event, 1),
            "ratio_to_faust_take": round(result["events_per_second"] / take, 2),
        }
    return result | {
        "loans": plan.loans,
        "seed": plan.seed,
        "processes": plan.processes,
        "hardware": hardware(),
        "settings": await rig.database_settings(),
    }
