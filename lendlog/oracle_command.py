"""`lendlog oracle`: hold the engine against figures that others published."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit
from lendlog.oracle.cases import Outcome, UnreadableCases, read, run

SHOWN = 10
WIDEST = 48
"""Columns are aligned up to this width; a longer cell moves what follows it."""


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Case files (docs/oracles.md).")],
    as_json: AsJson = False,
    failures: Annotated[
        int | None, typer.Option(min=0, help=f"Show so many failing cases; without it {SHOWN}, with --json all.")
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="ID", help="Run this case alone.")] = None,
) -> None:
    """Run case files; exit code 1 if a case fails, 2 if a file is not one of cases."""
    cases = [case for path in files for case in read(path) if only is None or case["id"] == only]
    if only is not None and not cases:
        raise UnreadableCases(f"No case {only} in {', '.join(map(str, files))}.")
    outcomes = [run(case) for case in cases]
    failed = [outcome for outcome in outcomes if outcome.differences]
    shown = failed[: failures if failures is not None else len(failed) if as_json else SHOWN]
    document = _document(outcomes, shown)
    emit(document, _lines(document, shown), as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _document(outcomes: Sequence[Outcome], shown: Sequence[Outcome]) -> dict[str, Any]:
    passed = Counter(outcome.category for outcome in outcomes if not outcome.differences)
    failed = Counter(outcome.category for outcome in outcomes if outcome.differences)
    return {
        "passed": passed.total(),
        "failed": failed.total(),
        "by_category": {name: {"passed": passed[name], "failed": failed[name]} for name in sorted({*passed, *failed})},
        "failures": [
            {
                "id": outcome.case_id,
                "category": outcome.category,
                "differences": [asdict(difference) for difference in outcome.differences],
            }
            for outcome in shown
        ],
    }


def _lines(document: dict[str, Any], shown: Sequence[Outcome]) -> Iterator[str]:
    for outcome in shown:
        yield f"FAILED  {outcome.case_id} ({outcome.category})"
        rows = [("where", "expected", "actual")]
        rows += [(one.where, one.expected, one.actual) for one in outcome.differences]
        widths = [min(WIDEST, max(len(row[column]) for row in rows)) for column in range(2)]
        for where, expected, actual in rows:
            yield f"  {where:<{widths[0]}}  {expected:<{widths[1]}}  {actual}".rstrip()
        yield ""
    if document["failed"] > len(shown):
        yield f"{document['failed'] - len(shown)} more failed."
        yield ""
    width = max([len("category"), *map(len, document["by_category"])])
    yield f"{'category':<{width}}  passed  failed"
    for name, counts in document["by_category"].items():
        yield f"{name:<{width}}  {counts['passed']:>6}  {counts['failed']:>6}"
    yield f"{'all':<{width}}  {document['passed']:>6}  {document['failed']:>6}"
