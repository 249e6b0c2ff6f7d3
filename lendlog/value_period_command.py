"""`lendlog value-period YYYY-MM`: what every loan is worth at the end of a month."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, reading, recording
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.commands import Recorded, ValueLoan
from services.ledger.periods import period_named
from services.ledger.valuation.policy import policy_on
from services.ledger.valuation.running import value_period
from shared.settings import ServiceSettings

COLUMNS = (
    "group",
    "loans",
    "exposure",
    "allowance",
    "coverage",
    "suspended_interest",
    "deferred_fees",
    "provision_expense",
)


def command(
    period: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month, which must be over.")],
    preview: Annotated[bool, typer.Option("--preview", help="Record nothing, show what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Value every loan at the end of a month: allowance, interest in suspense, deferred fees.

    Return once that is in the books. Done again it changes nothing, unless late facts changed a figure. Exit code 1 if
    a loan can't be valued.
    """
    document = run_to_end(_value(period, preview=preview))
    emit(document, _lines(document), as_json=as_json)
    if document["not_valued"]:
        raise typer.Exit(1)


async def _value(period: str, *, preview: bool) -> dict[str, Any]:
    end = period_named(period).last
    policy = policy_on(ServiceSettings().valuation_policy, end)
    if preview:
        async with reading() as (_, connection):
            return await value_period(lambda: _held(connection), end, policy, None)
    async with recording() as desk:

        async def record(commands: Sequence[ValueLoan]) -> list[Recorded]:
            return await desk.record(commands)

        return await value_period(lambda: _held(desk.books), end, policy, record)


@asynccontextmanager
async def _held(connection: Any) -> AsyncIterator[Any]:
    yield connection


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"{document['period_end']} by {document['policy']}: {document['loans']} loans"
    for code, rows in document["currencies"].items():
        yield ""
        yield code
        yield from table(rows, COLUMNS)
    yield ""
    yield from _outcome(document)


def _outcome(document: dict[str, Any]) -> Iterator[str]:
    if document["preview"]:
        yield f"{document['changed']} would be booked, {document['unchanged']} stand as they are; nothing was recorded"
    elif document["changed"]:
        yield f"{document['recorded']} booked, {document['unchanged']} stood already"
    else:
        yield "nothing changed: every loan stands as it was valued before"
    for one in document["reasons"]:
        yield f"not valued: {one['loan_id']}: {one['reason']}"
    if (more := document["not_valued"] - len(document["reasons"])) > 0:
        yield f"and {more} more"
