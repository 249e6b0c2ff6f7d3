"""`lendlog replay`: the log into a scratch schema, by a role that can't read the live books; prints their digest."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, tell
from lendlog.digest_command import of_books, scratch_schema
from lendlog.platform import Platform, attach_or_start
from lendlog.servers.provision import provision_scratch
from lendlog.signals import run_to_end
from services.ledger.schema import create_books
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings

PROGRESS_SECONDS = 2.0
STOP_SECONDS = 5.0


def command(
    batch: Annotated[int, typer.Option(min=1, max=50_000, help="Records in one transaction.")] = 5000,
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that share the partitions; default: one a core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay the whole log into a scratch schema and print its digest, which is that of the books if all is well."""
    document = run_to_end(_replay(batch, processes or os.cpu_count() or 1))
    emit(document, fields(document), as_json=as_json)


async def _replay(batch: int, processes: int) -> dict[str, Any]:
    async with attach_or_start(PlatformSettings()) as platform, _alone(platform):
        partitions, started = ServiceSettings().partitions, time.perf_counter()
        await provision_scratch(platform.url("replay"), scratch_schema(), partitions, create_books)
        shares = [list(range(first, partitions, processes)) for first in range(min(processes, partitions))]
        records = await _run(platform, shares, batch)
        seconds = time.perf_counter() - started
        connection = await connect(platform.url("replay"), scratch_schema())
        try:
            digest = await of_books(connection)
        finally:
            await connection.close()
    rate = round(records / seconds) if seconds else 0
    return digest | {"records": records, "seconds": round(seconds, 3), "records_per_second": rate}


@asynccontextmanager
async def _alone(platform: Platform) -> AsyncIterator[None]:
    """Nobody else fills the scratch schema meanwhile."""
    connection = await connect(platform.url("replay"))
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", f"replay {scratch_schema()}"):
            raise MissingPrecondition("Another replay fills the scratch schema: wait for its end.")
        yield
    finally:
        await connection.close()


async def _run(platform: Platform, shares: Sequence[Sequence[int]], batch: int) -> int:
    """One child process a share of the partitions; how many records they took in. All end with this call."""
    environment = platform.service_environment("replay") | {"LENDLOG_LEDGER_SCHEMA": scratch_schema()}
    done = [0] * len(shares)
    children = []
    try:
        for share in shares:
            arguments = (sys.executable, "-m", "lendlog.replay_process", ",".join(map(str, share)), str(batch))
            child = await asyncio.create_subprocess_exec(*arguments, env=environment, stdout=asyncio.subprocess.PIPE)
            children.append(child)
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(_progress(done))
            counting = [group.create_task(_count(child, done, n)) for n, child in enumerate(children)]
            codes = [await task for task in counting]
            progress.cancel()
        if any(codes):
            raise MissingPrecondition("The replay stopped: what it said is above.")
        return sum(done)
    finally:
        for child in children:
            await _end(child)


async def _count(child: asyncio.subprocess.Process, done: list[int], n: int) -> int:
    """Add up what a child says it has taken in; its exit code."""
    assert child.stdout is not None
    async for line in child.stdout:
        done[n] += int(line)
    return await child.wait()


async def _progress(done: list[int]) -> None:
    started, before = time.monotonic(), 0
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        records = sum(done)
        rate, before = (records - before) / PROGRESS_SECONDS, records
        tell(f"replayed {records} records in {time.monotonic() - started:.0f} s, now {rate:.0f} a second")


async def _end(child: asyncio.subprocess.Process) -> None:
    """Nothing is left behind, whatever ended the replay."""
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
