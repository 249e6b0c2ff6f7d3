"""`lendlog simulate --loans N --months M --seed S`: a lender's life on the real services."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, tell
from lendlog.signals import run_to_end


def command(
    loans: Annotated[int, typer.Option(min=1, max=100_000, help="How many loans are paid out.")],
    months: Annotated[int, typer.Option(min=1, max=120, help="How many months pass, from 2024-01-01 on.")],
    seed: Annotated[int, typer.Option(help="What everything is drawn from.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Let borrowers, officers and collectors act through the real APIs and topics, into an empty book, and sum up.

    A book that holds the same simulation already is left as it is; one that was killed goes on where it was.
    """
    tell(f"seed {seed}")
    document = run_to_end(_run(loans, months, seed))
    emit(document, _lines(document), as_json=as_json)


async def _run(loans: int, months: int, seed: int) -> dict[str, Any]:
    from lendlog.platform import attach_or_start
    from lendlog.simulate.driver import Asked, simulate
    from shared.settings import PlatformSettings

    async with attach_or_start(PlatformSettings(), services=True) as platform:
        return await simulate(platform, Asked(loans, months, seed), tell)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
        yield f"{name.replace('_', ' '):<16}{shown}"
