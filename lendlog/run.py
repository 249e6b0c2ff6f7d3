"""`lendlog run`: the whole platform until Ctrl-C, with a live status on a terminal and plain lines elsewhere."""

import asyncio
import contextlib
import sys
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from lendlog.figures import Collector
from lendlog.platform import Platform, platform, until_ready
from lendlog.signals import Stopped, run_to_end
from lendlog.status import document_of, lines
from shared.settings import PlatformSettings

SCREEN_SECONDS = 1.0
LINE_SECONDS = 5.0


def command() -> None:
    """Bring everything up; Ctrl-C or SIGTERM ends services, then broker, then database."""
    with contextlib.suppress(Stopped):
        run_to_end(_run(PlatformSettings()))


async def _run(settings: PlatformSettings) -> None:
    console = Console()
    _line("starting servers and services; the first start fetches Apache Kafka")
    async with platform(settings, wait=False, say=_line) as running, asyncio.TaskGroup() as tasks:
        for name, address in running.run.addresses.items():
            if isinstance(address, str | list):
                _line(f"{name}: {address if isinstance(address, str) else ' '.join(address)}")
        _line(f"API tokens: {running.home.path / 'tokens.json'}; logs: {running.home.logs}")
        tasks.create_task(_say_when_ready(running))
        if console.is_terminal:
            await _screen(running, console)
        else:
            await _plain(running)


async def _say_when_ready(running: Platform) -> None:
    if await until_ready(running, _line):
        _line("ready: " + " ".join(f"{name}={running.api_url(name)}" for name in running.services))


async def _screen(running: Platform, console: Console) -> None:
    collector = Collector(running)
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(_table(await _document(running, collector)), refresh=True)
                await asyncio.sleep(SCREEN_SECONDS)
    finally:
        await collector.close()


async def _plain(running: Platform) -> None:
    collector = Collector(running)
    try:
        while True:
            _line(_summary(await _document(running, collector)))
            await asyncio.sleep(LINE_SECONDS)
    finally:
        await collector.close()


async def _document(running: Platform, collector: Collector) -> dict[str, Any]:
    """As `status` has it; without the ledger's figures while a server is away."""
    return document_of(running, await collector.read_if_reachable())


def _table(document: dict[str, Any]) -> Table:
    table = Table(title="Lendlog — Ctrl-C ends it", show_header=False, title_justify="left")
    for name, value in lines(document):
        table.add_row(name, value)
    if document["ledger"] is None:
        table.add_row("figures", "a server does not answer; it is being started again")
    return table


def _summary(document: dict[str, Any]) -> str:
    ledger = document["ledger"]
    down = [process["name"] for process in document["processes"] if not process["alive"]]
    tail = f" down={','.join(down)}" if down else ""
    if ledger is None:
        return f"no figures: a server does not answer{tail}"
    outstanding = ",".join(f"{amount}{code}" for code, amount in ledger["outstanding"].items()) or "0"
    suspense = ",".join(f"{amount}{code}" for code, amount in ledger["suspense"].items()) or "0"
    return (
        f"lag={ledger['lag']} events={ledger['events']} rate={ledger['events_per_second']} loans={ledger['loans']}"
        f" outstanding={outstanding} suspense={suspense} parked={ledger['parked_loans']}"
        f" dead_letters={ledger['dead_letters']} conflicts={ledger['conflicts']} halted={len(ledger['halted'])}"
        f"{_of_services(document['services'])}{tail}"
    )


def _of_services(services: dict[str, dict[str, Any]]) -> str:
    """` | service name=figure …` of each, without what is nothing."""
    parts = []
    for service, figures in services.items():
        shown = [f"{name}={value}" for name, value in figures.items() if value and not isinstance(value, dict | str)]
        parts.append(f" | {service} " + (" ".join(shown) or "idle"))
    return "".join(parts)


def _line(text: str) -> None:
    sys.stdout.write(f"lendlog: {text}\n")
    sys.stdout.flush()
