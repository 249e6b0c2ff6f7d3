"""`lendlog why entry|alert|level|case|decision …`: the chain of events behind it."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

import typer

from lendlog.books import AsJson, emit, fields, place_of, reading
from lendlog.signals import run_to_end
from shared.errors import MissingPrecondition

command = typer.Typer(no_args_is_help=True, help="Explain an entry, an alert, a level, a case or a decision.")


@command.callback()
def _why() -> None:
    """Explain an entry, an alert, a level, a case or a decision."""


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
    from services.ledger.explanation import why_entry

    parts = place.split("/", 2)
    partition, offset = place_of("/".join(parts[:2]))
    async with reading() as (_, connection):
        found = await why_entry(connection, partition, offset, parts[2] if len(parts) == 3 else None)
    if found is None:
        raise MissingPrecondition(f"The books hold no entry {place}.")
    return found


@command.command()
def alert(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="As the API of monitoring shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show what an alert went through, the event that each step followed from, and how its level came to be."""
    from services.monitoring.explanation import why_alert

    _show("monitoring", lambda c: why_alert(c, _uuid(alert_id)), f"no alert {alert_id}", as_json=as_json)


@command.command()
def level(
    borrower: Annotated[str, typer.Argument(metavar="BORROWER", help="The borrower's id.")],
    indicator: Annotated[str, typer.Argument(metavar="INDICATOR", help="For example inflow-fall.")],
    as_json: AsJson = False,
) -> None:
    """Show the level of a borrower's indicator, and every change of it with inputs and reason."""
    from services.monitoring.explanation import no_level, why_level
    from services.monitoring.indicators import CODES

    what = no_level(borrower, indicator)
    if indicator not in CODES:  # no need to read: nobody has one
        raise MissingPrecondition(f"Monitoring holds {what}.")
    _show("monitoring", lambda c: why_level(c, borrower, indicator), what, as_json=as_json)


@command.command()
def case(
    case_id: Annotated[str, typer.Argument(metavar="ID", help="As the API of collections shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show a case, the rule of its priority, and the events that changed it, each with its cause."""
    from services.collections.explanation import why_case

    _show("collections", lambda c: why_case(c, _uuid(case_id)), f"no case {case_id}", as_json=as_json)


@command.command()
def decision(
    application_id: Annotated[str, typer.Argument(metavar="APPLICATION", help="The application's id.")],
    as_json: AsJson = False,
) -> None:
    """Show the facts, rules, points, reasons and people behind the decision on an application."""
    from services.origination.explanation import why_decision

    what = f"no application {application_id}"
    _show("origination", lambda c: why_decision(c, application_id), what, as_json=as_json)


def _show(service: str, explain: Callable[[Any], Awaitable[Any]], what: str, *, as_json: bool) -> None:
    """Print an explanation from what a service keeps; MissingPrecondition if there is none."""

    async def explained() -> dict[str, Any]:
        async with reading(service) as (_, connection):
            found: dict[str, Any] | None = await explain(connection)
        if found is None:
            raise MissingPrecondition(f"{service.capitalize()} holds {what}.")
        return found

    document = run_to_end(explained())
    emit(document, _tree(document), as_json=as_json)


def _uuid(text: str) -> str:
    """The id as the tables have it; MissingPrecondition for what is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise MissingPrecondition(f"{text[:80]!r} is no id: it is a UUID.") from None


def _tree(document: Any, indent: str = "") -> Iterator[str]:
    """A document for people: a line a field, a list's items one below the other."""
    for name, value in document.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            yield label
            yield from _tree(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            yield label
            for one in value:
                yield f"{indent}  -"
                yield from _tree(one, indent + "    ")
        elif value not in (None, [], {}):
            yield f"{label} {', '.join(map(str, value)) if isinstance(value, list) else value}"


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
