"""`lendlog import`: what comes from outside, entered by the ledger's own commands."""

import typer

from lendlog.berka_command import berka
from lendlog.loans_import_command import loans

command = typer.Typer(no_args_is_help=True, help="Enter what comes from outside by the ledger's own commands.")
command.command()(berka)
command.command()(loans)
