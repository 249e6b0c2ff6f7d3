"""`lendlog run`: the whole platform until Ctrl-C, with a live status on a terminal and plain lines elsewhere."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from lendlog.figures import Collector
from lendlog.platform import Platform, platform, until_ready
from lendlog.services import SERVICES
from lendlog.signals import Stopped, run_to_end
from lendlog.status import DEMO_FOLDER, document_of, lines
from shared.settings import PlatformSettings

DEMO = ("--loans", "30", "--months", "6", "--seed", "1")
"""What the demo simulates: a few minutes of work."""
SCREEN_SECONDS = 1.0
LINE_SECONDS = 5.0


def command(
    demo: Annotated[
        bool, typer.Option(help="Show a simulated lender, in a home of its own, as long as there is no book.")
    ] = True,
) -> None:
    """Bring everything up; Ctrl-C or SIGTERM ends services, then broker, then database."""
    settings = PlatformSettings()
    shown = demo_home(settings) if demo else None
    with contextlib.suppress(Stopped):
        run_to_end(_run(settings if shown is None else settings.model_copy(update={"home": shown}), demo=bool(shown)))


def demo_home(settings: PlatformSettings) -> Path | None:
    """Where a simulated lender is shown instead of nothing: beside a home that nobody named and that holds no database
    yet, on embedded servers, with all services. The home itself stays empty. None: run what was asked for."""
    usual = PlatformSettings.model_fields["home"].default
    asked = settings.home != usual or settings.postgres_url or settings.kafka_bootstrap or settings.servers
    if asked or settings.service_names() != SERVICES or (settings.home / "postgres").exists():
        return None
    return settings.home / DEMO_FOLDER


async def _simulate(home: Path) -> None:
    """A small simulated lender in the demo's home, by the command itself; says how it ended."""
    log = home / "logs" / "simulate.log"
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lendlog", "simulate", *DEMO),
            env={**os.environ, "LENDLOG_HOME": str(home)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        code = await process.wait()
        _line("the simulated lender has lived its months" if code == 0 else f"the simulation ended early; see {log}")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _run(settings: PlatformSettings, *, demo: bool = False) -> None:
    console = Console()
    if demo:
        _line(f"no book yet: a simulated lender is shown, in {settings.home}; your own book: `lendlog run --no-demo`")
    _line("starting servers and services; the first start fetches Apache Kafka")
    async with platform(settings, wait=False, say=_line) as running, asyncio.TaskGroup() as tasks:
        for name, address in running.run.addresses.items():
            if isinstance(address, str | list):
                _line(f"{name}: {address if isinstance(address, str) else ' '.join(address)}")
        _line(f"API tokens: {running.home.path / 'tokens.json'}; logs: {running.home.logs}")
        tasks.create_task(_say_when_ready(running))
        simulation = tasks.create_task(_simulate(running.home.path)) if demo else None
        try:
            await (_screen(running, console) if console.is_terminal else _plain(running))
        finally:
            if simulation is not None:
                simulation.cancel()


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
    """` | service name=figure …` of each, without what is nothing. Dates and reasons are `status`'s to show."""
    parts = []
    for service, figures in services.items():
        told = {name: _compact(value) for name, value in figures.items() if name not in ("open_date", "halted")}
        told["halted"] = str(len(figures["halted"]) or "")
        shown = " ".join(f"{name}={value}" for name, value in told.items() if value)
        parts.append(f" | {service} {shown or 'idle'}")
    return "".join(parts)


def _compact(value: Any) -> str:
    """A figure without blanks, `red:1,orange:2` for counts by name; empty for what is nothing."""
    if isinstance(value, dict):
        return ",".join(f"{name}:{count}" for name, count in value.items() if count)
    return str(value) if value else ""


def _line(text: str) -> None:
    sys.stdout.write(f"lendlog: {text}\n")
    sys.stdout.flush()
