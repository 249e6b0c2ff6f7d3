"""What the commands of reports print, and how they end."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from lendlog import statement_command, trial_balance_command
from lendlog.cli import build
from shared.errors import MissingPrecondition


def trial(difference: str) -> dict[str, Any]:
    line = {"code": "1010", "account": "cash", "debit": "5.00", "credit": "0.00", "balance": "5.00"}
    one = {"accounts": [line], "debits": "5.00", "credits": "5.00", "difference": difference}
    return {"known": "2024-03-01", "effective": "2024-03-01", "currencies": {"EUR": one, "JPY": one}}


@pytest.mark.parametrize(("difference", "code"), [("0.00", 0), ("0", 0), ("5.00", 1), ("-0.01", 1)])
def test_a_trial_balance_that_does_not_balance_is_a_finding(
    difference: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_balance_command, "_trial_balance", lambda *dates, placed: trial(difference))
    monkeypatch.setattr(trial_balance_command, "run_to_end", lambda document: document)
    for arguments in (["trial-balance", "--json"], ["trial-balance"]):
        done = CliRunner().invoke(build(arguments), arguments)
        assert done.exit_code == code, done.output
    assert f"difference {difference}" in done.output
    assert json.loads(CliRunner().invoke(build(["trial-balance"]), ["trial-balance", "--json"]).stdout) == trial(
        difference
    )


def test_a_pdf_is_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_command.sys.stdout, "isatty", lambda: True)
    with pytest.raises(MissingPrecondition, match="--out"):
        statement_command.command("loan-1", "pdf")
