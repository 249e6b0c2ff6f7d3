"""`lendlog statement LOAN`: the statement of a loan's account, as text, JSON or PDF."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lendlog.books import reading, tell
from lendlog.loan_reading import known as found
from lendlog.loan_reading import statement_lines
from lendlog.signals import run_to_end
from lendlog.two_dates import Effective, Known, day
from services.ledger import queries
from shared.errors import MissingPrecondition


def command(
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan's id.")],
    form: Annotated[Literal["text", "json", "pdf"], typer.Option("--format", help="What to make.")] = "text",
    out: Annotated[Path | None, typer.Option(help="The file to write; else standard output.")] = None,
    known: Known = None,
    effective: Effective = None,
    lender: Annotated[str, typer.Option(help="The lender's name, for the head of a PDF.")] = "",
    language: Annotated[Literal["en", "zh-CN"], typer.Option(help="The words of a PDF.")] = "en",
) -> None:
    """Make the statement of a loan's account, as known on one date and effective on another."""
    if form == "pdf" and out is None and sys.stdout.isatty():
        raise MissingPrecondition("A PDF is no text for a terminal: name a file with --out.")
    document = run_to_end(_statement(loan_id, day(known), day(effective)))
    match form:
        case "text":
            content = ("\n".join(statement_lines(document)) + "\n").encode()
        case "json":
            content = (json.dumps(document, ensure_ascii=False) + "\n").encode()
        case "pdf":
            from lendlog.statement_pdf import statement_pdf

            content = statement_pdf(document, lender=lender, language=language)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        out.write_bytes(content)
        tell(f"wrote {out}")


async def _statement(loan_id: str, known: date | None, effective: date | None) -> dict[str, Any]:
    """Statement and balances from one state of the books."""
    async with reading() as (_, connection), queries.snapshot(connection):
        made = await queries.statement_view(connection, loan_id, known=known, effective=effective)
        booked = await queries.balances_view(connection, loan_id, known=known, effective=effective)
    return found(loan_id, made) | {"balances": found(loan_id, booked)["currencies"]}
