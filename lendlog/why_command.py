"""`lendlog why entry PARTITION/OFFSET[/LOAN]`: what caused an entry."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, place_of, reading
from lendlog.signals import run_to_end
from services.ledger.explanation import why_entry
from shared.errors import MissingPrecondition

command = typer.Typer(no_args_is_help=True, help="Explain an entry of the books.")


@command.callback()
def _why() -> None:
    """Explain an entry of the books."""


@command.command()
def entry(
    place: Annotated[
        str, typer.Argument(metavar="PARTITION/OFFSET[/LOAN]", help="As `lendlog loan history` shows it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show the event that caused an entry, the rule and terms applied, and the loan before and after."""
    document = run_to_end(_explain(place))
    emit(document, _lines(document), as_json=as_json)


async def _explain(place: str) -> dict[str, Any]:
    parts = place.split("/", 2)
    partition, offset = place_of("/".join(parts[:2]))
    async with reading() as (_, connection):
        found = await why_entry(connection, partition, offset, parts[2] if len(parts) == 3 else None)
    if found is None:
        raise MissingPrecondition(f"The books hold no entry {place}.")
    return found


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for name, part in document.items():
        if isinstance(part, dict):
            yield f"{name}:"
            yield from (f"  {line}" for line in fields(part))
        elif name == "postings":
            yield "postings:"
            for line in part:
                amount = f"{line['amount']} {line['currency']}"
                yield f"  {line['debit']} / {line['credit']} {amount}, effective {line['effective_date']}"
        else:
            yield f"{name.replace('_', ' ')}: {part}"
