"""`lendlog import loans FILE`: the command around the import of running loans."""

from pathlib import Path
from typing import Annotated

import typer

from lendlog.books import AsJson, emit, recording, tell, until_in
from lendlog.loans_file import Manifest, Totals, read, read_control
from lendlog.loans_import import Outcome, import_loans
from lendlog.signals import run_to_end
from shared.settings import ServiceSettings

SHOWN = 20
"""Refused lines that are listed; the JSON document has all."""


def loans(
    file: Annotated[Path, typer.Argument(help="Running loans, one JSON object a line: contract, cut-over, positions.")],
    control: Annotated[
        Path | None, typer.Option(help="Control totals by currency, as JSON; compared with file and books.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take running loans over from another system with their opening positions, and hold the books against the file
    and the control totals (exit code 1: lines were refused, loans are parked, or totals differ).

    May be repeated, after a kill or with refused lines mended: what is there already is not entered twice.
    """
    totals = None if control is None else read_control(control)
    outcome = run_to_end(_run(read(file), totals))
    emit(outcome.document(), _lines(outcome), as_json=as_json)
    if not outcome.ok:
        raise typer.Exit(1)


async def _run(manifest: Manifest, control: Totals | None) -> Outcome:
    async with recording() as desk:
        return await import_loans(
            manifest,
            control,
            commands=desk.commands,
            books=desk.books,
            until_in=lambda event_id: until_in(desk.books, event_id),
            partitions=ServiceSettings().partitions,
            progress=lambda done, total: tell(f"recorded {done} of {total} loans"),
        )


def _lines(outcome: Outcome) -> list[str]:
    document = outcome.document()
    refused = document["refused"]
    return [
        ", ".join(f"{what.replace('_', ' ')} {document[what]}" for what in ("entered", "already_there")),
        f"refused {len(refused)}, parked {len(document['parked'])}",
        *(f"line {one['line']}: {one['loan_id'] or '-'}: {one['rule']}: {one['reason']}" for one in refused[:SHOWN]),
        *([f"and {len(refused) - SHOWN} more: --json has them all"] if len(refused) > SHOWN else []),
        *(f"parked: {loan_id}" for loan_id in document["parked"][:SHOWN]),
        *(
            f"{side:8}{code} " + ", ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in sums.items())
            for side, found in document["totals"].items()
            for code, sums in found.items()
        ),
        *(f"differs: {one}" for one in document["differences"]),
    ]
