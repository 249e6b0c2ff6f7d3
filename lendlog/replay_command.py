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
from lendlog.digest_command import by_service, digest_of_service
from lendlog.platform import Platform, attach_or_start
from lendlog.servers.provision import provision_scratch
from lendlog.services import schemas_of
from lendlog.signals import run_to_end
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
    every: Annotated[bool, typer.Option("--all", help="Of every service, each from its own log.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replay the whole log into a scratch schema and print its digest, which is that of the books if all is well."""
    count = processes or os.cpu_count() or 1
    if not every:
        document = run_to_end(_replay(["ledger"], batch, count))["ledger"]
        emit(document, fields(document), as_json=as_json)
        return
    documents = run_to_end(_replay(PlatformSettings().service_names(), batch, count))
    emit(documents, by_service(documents), as_json=as_json)


async def _replay(services: Sequence[str], batch: int, processes: int) -> dict[str, Any]:
    """Per service: its digest, and how fast it was replayed."""
    async with attach_or_start(PlatformSettings()) as platform:
        return {
            service: await replay_service(platform, service, batch=batch, processes=processes) for service in services
        }


async def replay_service(platform: Platform, service: str, *, batch: int, processes: int) -> dict[str, Any]:
    """Replay one service's log into its scratch schema; its digest, and how fast it was."""
    settings = ServiceSettings()
    schemas, partitions, started = schemas_of(service, settings), settings.partitions, time.perf_counter()
    async with _alone(platform, schemas.scratch):
        await provision_scratch(platform.url("replay"), schemas.scratch, partitions, schemas.create)
        shares = [list(range(first, partitions, processes)) for first in range(min(processes, partitions))]
        records = await _run(platform, service, shares, batch)
        seconds = time.perf_counter() - started
        connection = await connect(platform.url("replay"), schemas.scratch)
        try:
            digest = await digest_of_service(service, connection)
        finally:
            await connection.close()
    rate = round(records / seconds) if seconds else 0
    return digest | {"records": records, "seconds": round(seconds, 3), "records_per_second": rate}


@asynccontextmanager
async def _alone(platform: Platform, schema: str) -> AsyncIterator[None]:
    """Nobody else fills the scratch schema meanwhile."""
    connection = await connect(platform.url("replay"))
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", f"replay {schema}"):
            raise MissingPrecondition("Another replay fills the scratch schema: wait for its end.")
        yield
    finally:
        await connection.close()


async def _run(platform: Platform, service: str, shares: Sequence[Sequence[int]], batch: int) -> int:
    """One child process a share of the partitions; how many records they took in. All end with this call."""
    environment = platform.service_environment("replay")
    done = [0] * len(shares)
    children = []
    try:
        for share in shares:
            arguments: tuple[str, ...] = (sys.executable, "-m", "lendlog.replay_process", service)
            arguments += (",".join(map(str, share)), str(batch))
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
