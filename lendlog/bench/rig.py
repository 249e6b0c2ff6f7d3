"""Servers of their own for a benchmark, in a home of its own: the user's book stays as it is."""

import asyncio
import multiprocessing
import os
import platform
import re
import shutil
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lendlog.platform import Platform, servers
from lendlog.servers.home import Home
from lendlog.servers.java import jars
from lendlog.servers.provision import Site, provision_schemas, provision_scratch
from services.ledger.schema import create_books
from shared.database import connect
from shared.settings import PlatformSettings, ServiceSettings
from shared.streams.topic_admin import ensure_topics

BENCH = Site(database="lendlog_bench", role_prefix="lendlog_bench")
PREFIX = "bench."


@dataclass(slots=True)
class Rig:
    """Addresses, names and roles of one benchmark."""

    bootstrap: str
    admin_url: str
    secrets: dict[str, str]
    folder: Path
    partitions: int = 8

    def schema(self, name: str) -> str:
        """The schema of this name."""
        return f"bench_{name}"

    def url(self, role: str) -> str:
        """The URL of a role."""
        return BENCH.url(self.admin_url, role, self.secrets)

    def environment(self, role: str, schema: str, **more: str) -> dict[str, str]:
        """Environment of a child process."""
        return {
            **os.environ,
            "LENDLOG_KAFKA_BOOTSTRAP": self.bootstrap,
            "LENDLOG_DATABASE_URL": self.url(role),
            "LENDLOG_LEDGER_SCHEMA": schema,
            "LENDLOG_TOPIC_PREFIX": PREFIX,
            "LENDLOG_PARTITIONS": str(self.partitions),
            "LENDLOG_DEAD_LETTER_KEY": self.secrets["dead_letter_key"],
            "LENDLOG_LOG_LEVEL": "warning",
        } | more

    def settings(self, role: str) -> ServiceSettings:
        """Settings for code in this process."""
        return ServiceSettings.model_validate(
            {
                "kafka_bootstrap": self.bootstrap,
                "database_url": self.url(role),
                "topic_prefix": PREFIX,
                "partitions": self.partitions,
            }
        )

    async def provision(self, schema: str) -> None:
        """A schema with the ledger's tables."""
        settings = ServiceSettings(ledger_schema=schema, ledger_api_schema=f"{schema}_api", partitions=self.partitions)
        await provision_schemas(self.admin_url, self.secrets, settings, services=["ledger"], site=BENCH)

    async def scratch(self) -> str:
        """A fresh scratch schema of the replay role."""
        schema = self.schema("scratch")
        await provision_scratch(self.url("replay"), schema, self.partitions, create_books)
        return schema

    async def in_processes(self, work: Callable[..., None], count: int, *arguments: Any) -> None:
        """Run `work(rig, partitions, *arguments)` in `count` processes, each with its share of the partitions."""
        context = multiprocessing.get_context("spawn")
        shares = [list(range(n, self.partitions, count)) for n in range(count)]
        children = [context.Process(target=work, args=(self, share, *arguments)) for share in shares]
        for child in children:
            child.start()
        await asyncio.gather(*(asyncio.to_thread(child.join) for child in children))
        if failed := [child.exitcode for child in children if child.exitcode]:
            raise RuntimeError(f"a child process ended with {failed}")

    async def database_settings(self) -> dict[str, str]:
        """What the database promises about durability, and its sizes."""
        connection = await connect(BENCH.administrator_url(self.admin_url))
        try:
            names = (
                "fsync",
                "synchronous_commit",
                "full_page_writes",
                "shared_buffers",
                "max_wal_size",
                "server_version",
            )
            return {name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in names}
        finally:
            await connection.close()


@asynccontextmanager
async def new_rig(settings: PlatformSettings, say: Callable[[str], None]) -> AsyncIterator[Rig]:
    """Start servers in a temporary home (the jars come from the user's), make the schema and the topics."""
    base = Home(settings.home)
    if not settings.kafka_bootstrap:
        os.environ["LENDLOG_KAFKA_JARS"] = str(await jars(base))
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=base.path))
    own = settings.model_copy(update={"home": folder, "postgres_port": 0, "kafka_port": 0})
    try:
        async with servers(own, say=say) as running:
            rig = _rig(running, folder)
            await rig.provision(rig.schema("ledger"))
            await ensure_topics(rig.bootstrap, prefix=PREFIX, partitions=rig.partitions)
            yield rig
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rig(running: Platform, folder: Path) -> Rig:
    return Rig(running.kafka_bootstrap, running.admin_url, running.home.secrets(), folder)


def hardware() -> dict[str, Any]:
    """What this machine is."""
    model = (
        re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if Path("/proc/cpuinfo").exists()
        else None
    )
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def busy_seconds(workers: Sequence[Any]) -> dict[str, float]:
    """CPU seconds so far: our workers, the database's processes, the broker."""
    spent = {"workers": 0.0, "postgres": 0.0, "kafka": 0.0}
    ours = {worker.pid for worker in workers}
    for process in psutil.process_iter(["pid", "name", "cpu_times"]):
        times, name = process.info["cpu_times"], process.info["name"] or ""
        if times is None:
            continue
        kind = (
            "workers"
            if process.pid in ours
            else "postgres"
            if name.startswith("postgres")
            else "kafka"
            if name == "java"
            else None
        )
        if kind:
            spent[kind] += times.user + times.system + times.children_user + times.children_system
    return spent


async def scrape(port: int) -> dict[str, float]:
    """Stage seconds of a worker, from its /metrics."""

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:  # loopback
            return str(answer.read().decode())

    text = await asyncio.to_thread(read)
    found = re.findall(r'^lendlog_stream_stage_seconds\{stage="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {stage: float(value) for stage, value in found}
