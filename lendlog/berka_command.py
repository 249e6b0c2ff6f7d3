"""`lendlog import berka FOLDER --through DATE`: the command around the import."""

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer


def berka(
    folder: Annotated[
        Path, typer.Argument(help="Where loan.asc, trans.asc and district.asc of the PKDD'99 bank data are.")
    ],
    through: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The last business date, which is closed too.")
    ],
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Enter the Berka loans into an empty book, with the movements of their accounts and the districts' figures as
    signals, and compare the books with the file (exit code 1: they differ).

    May be repeated, after a kill or for a later date: what is there already is not entered twice.
    """
    from lendlog.signals import run_to_end

    run_to_end(_run(folder, through.date(), json_output))


async def _run(folder: Path, through: date, json_output: bool) -> None:
    from lendlog.berka import plan, read
    from lendlog.berka_import import import_berka
    from lendlog.berka_signals import read_signals
    from lendlog.books import until_in
    from lendlog.platform import attach_or_start
    from lendlog.signals_publishing import Outside, until_closed
    from services.ledger.commands import LedgerCommands
    from shared.database import connect, open_pool
    from shared.settings import PlatformSettings
    from shared.topics import LIFECYCLE

    last = plan(read(folder, through), through)[-1]  # a damaged file is told before any server starts
    read_signals(folder, through)
    async with attach_or_start(PlatformSettings(), services=True) as platform, Outside.of(platform) as outside:
        settings = platform.service_settings("ledger_api")
        url = settings.database_url.get_secret_value()
        pool = await open_pool(url, settings.ledger_api_schema, size=2)
        api = await connect(url, settings.ledger_api_schema)
        books = await connect(url, settings.ledger_schema)
        try:
            comparison = await import_berka(
                folder,
                through,
                commands=LedgerCommands(pool, settings.partitions, settings.topic_prefix + LIFECYCLE.name),
                outside=outside,
                api=api,
                books=books,
                caught_up=lambda: until_in(books, last.event_id),
                progress=_tell,
            )
            await until_closed(platform, through)
        finally:
            await books.close()
            await api.close()
            await pool.close()
    if json_output:
        print(json.dumps({"file": comparison.file, "books": comparison.books, "signals": comparison.signals}))
    else:
        sides = (("file", comparison.file), ("books", comparison.books), ("signals", comparison.signals))
        for name, side in sides:
            print(f"{name:8}" + ", ".join(f"{figure} {value}" for figure, value in side.items()))
    if not comparison.equal:
        print("The books differ from the file.", file=sys.stderr)
        raise typer.Exit(1)


def _tell(done: int, total: int) -> None:
    print(f"recorded {done} of {total} commands", file=sys.stderr)
