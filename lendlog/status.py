"""`lendlog status`: the figures of what runs. Starts nothing, and makes no folder."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lendlog.figures import Collector, Figures
from lendlog.platform import Platform, attach
from lendlog.servers.home import Home
from lendlog.servers.runfile import RunFile
from lendlog.signals import run_to_end
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings

RATE_SECONDS = 1.0
"""Between the two readings that tell events per second."""
DEMO_FOLDER = "demo"
"""In the home: where `lendlog run` shows a simulated lender, as long as the home has no book."""


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Show the figures of what runs."""
    document = run_to_end(_document())
    if as_json:
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        sys.stdout.write("\n".join(f"{name:<20}{value}" for name, value in lines(document)) + "\n")


async def _document() -> dict[str, Any]:
    running = await running_platform(PlatformSettings())
    figures = None
    if running.services:
        collector = Collector(running)
        try:
            if await collector.read_if_reachable():
                await asyncio.sleep(RATE_SECONDS)
                figures = await collector.read_if_reachable()
        finally:
            await collector.close()
    return document_of(running, figures)


async def running_platform(settings: PlatformSettings) -> Platform:
    """What runs from the home. MissingPrecondition if nothing does."""
    if settings.home.expanduser().exists():
        home = Home(settings.home)
        if running := await attach(settings, home):
            return running
        if run := RunFile.load(home.run_file):
            left = len(run.survivors(home.path))
            raise MissingPrecondition(
                f"The run in {home.path} was killed and left {left} processes: `lendlog run` ends them and starts anew."
            )
    raise MissingPrecondition(f"Nothing runs from {settings.home.expanduser().resolve()}: {_way_on(settings)}.")


def _way_on(settings: PlatformSettings) -> str:
    """What to do where nothing runs: `lendlog run` shows its simulated lender in a home of its own, inside this one."""
    demo = settings.home / DEMO_FOLDER
    if demo.expanduser().exists() and RunFile.load(Home(demo).run_file):
        return f"the simulated lender has a home of its own, `LENDLOG_HOME={demo} lendlog status`"
    return "start it with `lendlog run`"


def document_of(running: Platform, figures: Figures | None) -> dict[str, Any]:
    """The JSON document of `status`; `ledger` and `services` are null while none runs or a server is away."""
    run = RunFile.load(running.home.run_file) or running.run
    apis = [f"{name}-api" for name in running.services]
    addresses = {name: run.addresses[name] for name in (*apis, "metrics", "kafka", "postgres") if name in run.addresses}
    return {
        "running": True,
        "home": str(running.home.path),
        "supervisor": run.supervisor.pid if run.supervisor else None,
        "addresses": addresses,
        "processes": [
            {"name": name, "pid": i.pid, "alive": i.process() is not None, "restarts": run.restarts.get(name, 0)}
            for name, i in run.processes.items()
        ],
        "ledger": figures.document() if figures else None,
        "services": figures.services if figures else None,
    }


def lines(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The same document for people: (name, value) in the order shown."""
    rows: list[tuple[str, str]] = []
    if ledger := document["ledger"]:
        rows += [
            ("lag", f"{ledger['lag']} records"),
            ("events", f"{ledger['events']} ({ledger['events_per_second']}/s)"),
            ("loans", str(ledger["loans"])),
            ("outstanding", _amounts(ledger["outstanding"])),
            ("open date", ledger["open_date"] or "no book is open"),
            ("suspense", _amounts(ledger["suspense"])),
            ("parked", f"{ledger['parked_loans']} loans, {ledger['parked_events']} events held"),
            ("dead letters", str(ledger["dead_letters"])),
            ("conflicts", str(ledger["conflicts"])),
            ("duplicates", str(ledger["duplicates"])),
            ("halted", ", ".join(f"partition {p}: {why}" for p, why in ledger["halted"].items()) or "none"),
        ]
    for service, figures in (document["services"] or {}).items():
        rows.append((service, ", ".join(_words(figures))))
    addresses = {name: " ".join(a) if isinstance(a, list) else str(a) for name, a in document["addresses"].items()}
    for process in document["processes"]:
        state = f"process {process['pid']}" if process["alive"] else "down"
        times = f"restarted {process['restarts']}x" if process["restarts"] else ""
        rows.append((process["name"], ", ".join(filter(None, (addresses.pop(process["name"], ""), state, times)))))
    return rows + list(addresses.items())


def _words(figures: dict[str, Any]) -> Iterator[str]:
    """A service's figures: its lag and events always, of the others what is not nothing."""
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {one}" for key, one in value.items() if one)  # noqa: PLW2901 - as text
        if value or name in ("lag", "events"):
            yield f"{value} {name.replace('_', ' ')}" if isinstance(value, int) else f"{name.replace('_', ' ')} {value}"


def _amounts(amounts: dict[str, str]) -> str:
    return ", ".join(f"{amount} {code}" for code, amount in amounts.items()) or "none"
