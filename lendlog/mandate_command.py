"""`lendlog mandate sign|revoke|resume|list`: mandates by which borrowers let the lender debit their accounts."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, ValidationError

from lendlog.books import AsJson, Reason, emit, reading, recording, until_in
from lendlog.reconcile_command import lender
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger.commands import Recorded
from services.ledger.debits.desk import DebitDesk
from services.ledger.debits.reading import mandates_view
from services.ledger.queries import snapshot
from shared.errors import MissingPrecondition
from shared.events.debits import Mandate, MandateWord, Scheme

COLUMNS = ("loan_id", "reference", "signed_on", "scheme", "state", "reason")

command = typer.Typer(no_args_is_help=True, help="Keep mandates for direct debits.")
LoanId = Annotated[str, typer.Argument(metavar="LOAN", help="The loan that is collected by it.")]
Reference = Annotated[str, typer.Option(help="The lender's name for the mandate, 35 characters at most.")]


@command.command()
def sign(
    loan: LoanId,
    reference: Reference,
    on: Annotated[datetime, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The day of the signature.")],
    scheme: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Scheme))}.")] = "CORE",
    as_json: AsJson = False,
) -> None:
    """Note a signed mandate; it takes the place of an earlier one of the loan."""
    mandate = _formed(Mandate, reference=reference, signed_on=on.date(), scheme=scheme)
    _said(loan, lambda desk: desk.sign(loan, mandate), as_json=as_json)


@command.command()
def revoke(loan: LoanId, reference: Reference, reason: Reason, as_json: AsJson = False) -> None:
    """Take a mandate back: nothing is debited by it any more."""
    word = _formed(MandateWord, reference=reference, reason=reason)
    _said(loan, lambda desk: desk.revoke(loan, word), as_json=as_json)


@command.command()
def resume(loan: LoanId, reference: Reference, reason: Reason, as_json: AsJson = False) -> None:
    """Use a mandate again that a returned debit had suspended."""
    word = _formed(MandateWord, reference=reference, reason=reason)
    _said(loan, lambda desk: desk.resume(loan, word), as_json=as_json)


@command.command("list")
def list_mandates(
    loan: Annotated[
        str | None, typer.Option(help="Only those of this loan; else of all, which reads all events.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List mandates: live, suspended by what came back, replaced by a later one, or revoked."""

    async def asked() -> list[dict[str, Any]]:
        async with reading() as (_, connection), snapshot(connection):
            return await mandates_view(connection, loan)

    found = run_to_end(asked())
    emit({"mandates": found}, _lines(found), as_json=as_json)


def _formed(model: type[Any], **data: Any) -> Any:
    """The data of an event. Raises MissingPrecondition for what has not its form."""
    try:
        found: BaseModel = model.model_validate(data)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise MissingPrecondition(f"{str(data[str(field)])[:60]!r} is no usable {field}.") from None
    return found


def _said(loan: str, ask: Callable[[DebitDesk], Awaitable[Recorded]], *, as_json: bool) -> None:
    async def run() -> list[dict[str, Any]]:
        known = lender()
        async with recording() as desk:
            debits = DebitDesk(desk.commands, lambda: nullcontext(desk.books), known)
            await until_in(desk.books, (await ask(debits)).event_id)
            return await debits.mandates(loan)

    found = run_to_end(run())
    emit({"mandates": found}, _lines(found), as_json=as_json)


def _lines(mandates: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not mandates:
        yield "no mandates"
        return
    yield from table(mandates, COLUMNS, left=6)
