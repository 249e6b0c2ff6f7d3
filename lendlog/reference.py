"""The generated pages of the command line, the metrics and the posting rules: what the code says of itself."""

import importlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

from lendlog.cli import COMMANDS
from services.ledger.engine.accounts import NAMES
from services.ledger.engine.methods import METHODS, SEEN_AS
from services.ledger.engine.postings import RULES
from shared import telemetry

DECLARING = (
    "shared.api.serving",
    "shared.streams.command_outbox",
    "shared.streams.merger",
    "shared.streams.worker_metrics",
    "lendlog.auditor",
    "services.ledger.proofs.metrics",
    "services.monitoring.metrics",
    "services.collections.metrics",
)
"""Modules that declare metrics; a test finds one that is missing here."""


def cli_page(note: str) -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Command line",
        "",
        note,
        "",
        "Exit codes: 0 ok; 1 a finding (a failed check, a difference); 2 usage, or",
    ]
    lines += ["something that must be there is not. `--json` prints exactly one document on standard output."]
    for name, command in commands():
        lines += ["", f"## `lendlog {name}`", "", " ".join((command.help or "").split())]
        if rows := [_row(parameter) for parameter in command.params]:
            lines += ["", "| argument or option | meaning | default |", "| --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def postings_page(note: str) -> str:
    """The posting rules, and how each accounting method sees their roles."""
    lines = ["# Posting rules", "", note, ""]
    lines += ["What the engine books, by role; the lender's chart names the account of each role", "(`LENDLOG_CHART`)."]
    lines += ["", "| what happens | of it | debit | credit |", "| --- | --- | --- | --- |"]
    happening = ""
    for rule in RULES:
        shown, happening = "" if rule.happening == happening else rule.happening, rule.happening
        lines.append(f"| {shown} | {rule.of} | {NAMES[rule.debit]} | {NAMES[rule.credit]} |")
    lines += [
        "",
        "## Accounting methods",
        "",
        "By a method other than accrual-periodic a role is seen as another; a line",
    ]
    lines += ["between roles that are seen as one is not booked. Under `accrual-upfront` all interest is"]
    lines += ["debited to interest-receivable and credited to interest-income when the money is paid out.", ""]
    lines += ["| role | " + " | ".join(f"`{name}`" for name in METHODS) + " |"]
    lines += ["| --- |" + " --- |" * len(METHODS)]
    for role, name in NAMES.items():
        ways = (NAMES[SEEN_AS[method].get(role, role)] for method in METHODS.values())
        lines.append(f"| {name} | " + " | ".join("" if way == name else way for way in ways) + " |")
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, Any]]:
    """(name as it is typed after `lendlog`, the command) of each leaf, in the order of `lendlog --help`."""
    for name, (module, text) in COMMANDS.items():
        command = importlib.import_module(module).command
        if not isinstance(command, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name, help=text)(command)
            yield name, typer.main.get_command(alone)
            continue
        yield from _verbs(name, typer.main.get_command(command))


def _verbs(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    for verb, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _verbs(f"{name} {verb}", one)
        else:
            yield f"{name} {verb}", one


_KINDS = {str: "TEXT", int: "N", datetime: "DATE", Path: "FILE"}


def _row(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "option":
        name = " / ".join([*parameter.opts, *parameter.secondary_opts])
        if not parameter.is_flag:
            name += f" {_kind(parameter.type_descriptor.annotation)}"
    default = "required" if parameter.required else _default(parameter)
    return f"| `{name}` | {parameter.help or ''} | {default} |"


def _kind(annotation: Any) -> str:
    """What an option takes: a kind of value, or one of the words listed."""
    if get_origin(annotation) is list:
        return _kind(get_args(annotation)[0])
    return _KINDS.get(annotation) or "\\|".join(get_args(annotation))


def _default(parameter: Any) -> str:
    if parameter.default is None or parameter.default is False:
        return ""
    if parameter.default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{parameter.default}`"


def metrics_page(note: str) -> str:
    """Every metric with its kind, unit, labels and meaning."""
    for module in DECLARING:
        importlib.import_module(module)
    lines = ["# Metrics", "", note, "", "A worker serves its own at `/metrics`, the API likewise.", ""]
    lines += ["| metric | kind | unit | labels | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, one in sorted(telemetry.DECLARED.items()):
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{name}` | {one.kind} | {one.unit} | {labels} | {one.meaning} |")
    return "\n".join(lines) + "\n"
