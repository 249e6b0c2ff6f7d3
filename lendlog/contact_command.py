"""`lendlog contact check`: what the contact gate says of an attempt."""

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import typer

from lendlog.books import AsJson, emit, fields, reading
from lendlog.signals import run_to_end
from shared.errors import MissingPrecondition
from shared.events.collections import ContactPurpose
from shared.events.parties import Channel

command = typer.Typer(no_args_is_help=True, help="Ask the contact gate.")


@command.callback()
def _contact() -> None:
    """Ask the contact gate."""


@command.command()
def check(
    borrower: Annotated[str, typer.Argument(metavar="BORROWER", help="The borrower's id.")],
    channel: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Channel))}.")],
    purpose: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(ContactPurpose))}.")],
    at: Annotated[str, typer.Option(metavar="TIME", help="RFC 3339 with an offset: 2026-01-30T19:30:00+08:00.")],
    loan: Annotated[str | None, typer.Option(help="The loan that it is about.")] = None,
    agency: Annotated[bool, typer.Option("--agency", help="An agency would make it, not the lender.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a borrower may be contacted: allow or deny, the rule, and the earliest time. Reserves nothing."""
    for name, value, known in (("channel", channel, get_args(Channel)), ("purpose", purpose, get_args(ContactPurpose))):
        if value not in known:
            raise MissingPrecondition(f"There is no {name} {value[:40]!r}: it is one of {', '.join(known)}.")
    document = run_to_end(_check(borrower, channel, purpose, _instant(at), loan, agency))
    emit(document, fields(document), as_json=as_json)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise MissingPrecondition(f"{text[:60]!r} is no instant: write 2026-01-30T19:30:00+08:00, with an offset.")
    return at.astimezone(UTC)


async def _check(
    borrower: str, channel: Any, purpose: Any, at: datetime, loan: str | None, agency: bool
) -> dict[str, Any]:
    from services.collections.contact import Attempt
    from services.collections.queries import contact_check

    attempt = Attempt(at, channel, purpose, "agency" if agency else "lender", loan)
    async with reading("collections") as (_, connection):
        return await contact_check(connection, borrower, attempt)
