"""`lendlog policy check FILE…`: whether policy files are in order, before a service reads them. Needs no servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lendlog.books import AsJson, emit
from lendlog.policies.checking import UNUSABLE, Checked, Finding, check, house_files
from lendlog.policies.kinds import KINDS

command = typer.Typer(no_args_is_help=True, help="Check policy files; needs no servers.")
ROOT = Path(__file__).parents[1]
FINDING, NO_POLICY = 1, 2
Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE]...", help="Policy files; without any, the house's.")
]


@command.callback()
def _policy() -> None:
    """Check policy files; needs no servers."""


@command.command("check")
def check_files(files: Files = None, as_json: AsJson = False) -> None:
    """Check products, scorecards, credit, contact, class, valuation and other policies by the services' own rules.

    Files of one kind are checked together, as the service that reads them does: name all whose rows follow each other.
    Exit code 1 if a rule is broken, 2 if a file can't be read or is no policy.
    """
    checked = check(files or [file for part in ("services", "shared") for file in house_files(ROOT / part)])
    emit(_document(checked), _lines(checked), as_json=as_json)
    if any(one.rule in UNUSABLE for one in checked.findings):
        raise typer.Exit(NO_POLICY)
    if checked.findings:
        raise typer.Exit(FINDING)


def _document(checked: Checked) -> dict[str, object]:
    return {
        "files": [{"file": file, "kind": kind} for file, kind in checked.kinds.items()],
        "findings": [
            {"rule": one.rule, "file": one.file, "key": one.key, "line": one.line, "what": one.what, "do": one.todo}
            for one in checked.findings
        ],
    }


def _lines(checked: Checked) -> Iterator[str]:
    for one in checked.findings:
        yield f"{_place(one)}: {one.rule}: {one.what}"
        yield f"    {one.todo}"
    wrong = {one.file for one in checked.findings}
    for kind in KINDS:
        if files := [file for file, name in checked.kinds.items() if name == kind.name and file not in wrong]:
            yield f"in order: {kind.name}, {len(files)} file{'s' if len(files) > 1 else ''}"


def _place(one: Finding) -> str:
    return f"{one.file}:{one.line}" if one.line is not None else one.file
