"""The command line: a table of commands, each in a module of its own that is imported only when it is asked for.

Exit codes: 0 ok, 1 a finding (a failed check, a difference), 2 usage, a missing precondition. With `--json` exactly one
document goes to standard output, an error included; everything else goes to standard error.
"""

import errno
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from shared.errors import MissingPrecondition, Refusal

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("lendlog.run", "Bring up servers, topics, database and services, and show how they fare until Ctrl-C."),
    "provision": ("lendlog.provision_command", "Make roles, schemas, tokens and topics on servers of your own."),
    "status": ("lendlog.status", "Show the figures of what runs; starts nothing."),
    "bench": ("lendlog.bench.command", "Measure what the platform does on this machine."),
    "import": ("lendlog.import_command", "Enter running loans, or a published data set, by the ledger's own commands."),
    "simulate": ("lendlog.simulate_command", "Let a simulated lender live on the real services."),
    "schedule": ("lendlog.schedule_command", "Print the schedule of a loan on given terms; needs no servers."),
    "loan": ("lendlog.loan_command", "Show a loan as the books have it, and what a change would make of it."),
    "payoff": ("lendlog.payoff_command", "Print what ends a loan on a day."),
    "balance": ("lendlog.balance_command", "Show what is booked for a loan, by account."),
    "statement": ("lendlog.statement_command", "Make the statement of a loan's account: text, JSON or PDF."),
    "trial-balance": ("lendlog.trial_balance_command", "Show debits and credits of the whole book."),
    "movements": ("lendlog.movements_command", "Show what each account moved by between two dates."),
    "income-statement": ("lendlog.income_statement_command", "Show income and expenses between two dates."),
    "entry": ("lendlog.entry_command", "Propose manual entries, and decide on those of others."),
    "close-period": ("lendlog.close_period_command", "Close an accounting period."),
    "close-year": ("lendlog.close_year_command", "Take the result of a year to retained earnings."),
    "reconcile": (
        "lendlog.reconcile_command",
        "Take in bank statements, match their lines, and check cash three ways.",
    ),
    "mandate": ("lendlog.mandate_command", "Keep mandates for direct debits."),
    "debit": ("lendlog.debit_command", "Collect instalments by direct debit, and take in what the bank answers."),
    "branch-cash": ("lendlog.branch_cash_command", "Show what a branch took in cash on a date."),
    "pay-out": ("lendlog.pay_out_command", "Pay disbursements out by files to the bank."),
    "portfolio": ("lendlog.portfolio_command", "Show portfolio at risk, classes and concentration."),
    "contact": ("lendlog.contact_command", "Ask the contact gate."),
    "why": ("lendlog.why_command", "Explain an entry, an alert, a level, a case or a decision."),
    "close-date": ("lendlog.close_date_command", "Close business dates."),
    "value-period": ("lendlog.value_period_command", "Value every loan at the end of a month, and book it."),
    "rate": ("lendlog.rate_command", "Publish reference rates, and list them."),
    "replay": ("lendlog.replay_command", "Replay the log into a scratch schema, and print its digest."),
    "digest": ("lendlog.digest_command", "Print the digest of the books."),
    "verify": ("lendlog.verify_command", "Check the books against themselves and against the log."),
    "proof": ("lendlog.proof_command", "Prove what stands on the log, and check such proofs without servers."),
    "witness": ("lendlog.witness_command", "Watch a book's heads from outside, and sign those that continue."),
    "oracle": ("lendlog.oracle_command", "Hold the engine against figures that others published."),
    "dlq": ("lendlog.dead_letters_command", "Show dead letters, and have them read again."),
    "policy": ("lendlog.policy_command", "Check policy files before a service reads them; needs no servers."),
    "parked": ("lendlog.parked_command", "Show parked loans and borrowers, and let them go on."),
}
"""Name → (module, one line of help). The module's `command` is a function, or a typer.Typer for a noun with verbs."""

OK, FINDING, UNUSABLE = 0, 1, 2


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application for these arguments: only the module of the command that they name is imported."""
    app = typer.Typer(
        name="lendlog",
        help="An event-sourced loan ledger.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module, text) in COMMANDS.items():
        command = importlib.import_module(module).command if name == wanted else _not_imported
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, help=text)
        else:
            app.command(name, help=text)(command)
    return app


def main() -> None:
    """The console script."""
    arguments = sys.argv[1:]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters comes as an exception
    try:
        build(arguments)(arguments)
    except (MissingPrecondition, Refusal) as error:
        fail(str(error), as_json="--json" in arguments)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        fail("The disk is full: free some, or set LENDLOG_HOME to another one.", as_json="--json" in arguments)


def fail(sentence: str, *, as_json: bool) -> NoReturn:
    """End with code 2 and one sentence that says what to do."""
    if as_json:
        sys.stdout.write(json.dumps({"error": sentence}) + "\n")
    else:
        sys.stderr.write(f"lendlog: {sentence}\n")
    sys.exit(UNUSABLE)


def _root() -> None:
    """Make typer keep the command's name even while there is one command only."""


def _not_imported() -> None:
    """Stand in for a command that was not asked for: `lendlog --help` lists it."""
