"""`lendlog simulate` as a process, on a platform of its own: a small lender's month, once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.alone, pytest.mark.ops, pytest.mark.timeout(600)]

LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
ASKED = ("simulate", "--loans", "8", "--months", "1")
SECONDS = 280


class Home:
    """A home of its own, and commands on it."""

    def __init__(self, path: Path) -> None:
        ports = ("LENDLOG_POSTGRES_PORT", "LENDLOG_KAFKA_PORT", "LENDLOG_API_PORT", "LENDLOG_METRICS_PORT")
        named = ("LENDLOG_POSTGRES_URL", "LENDLOG_KAFKA_BOOTSTRAP", "LENDLOG_SERVICES")
        self.environment = {name: value for name, value in os.environ.items() if name not in named}
        self.environment |= dict.fromkeys(ports, "0") | {"LENDLOG_HOME": str(path), "LENDLOG_LEDGER_WORKERS": "1"}

    def call(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The one JSON document that a command prints; it must end with `code`."""
        done = subprocess.run(
            [*LENDLOG, *arguments, "--json"], env=self.environment, text=True, capture_output=True, timeout=SECONDS
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout))


def test_a_simulated_lender_lives_once_and_every_service_replays(tmp_path: Path, kafka_jars: Path) -> None:
    home = Home(tmp_path / "home")
    summary = home.call(*ASKED, "--seed", "7")
    decided, at_end = summary["policy_decided"], summary["status_at_end"]
    assert summary["applications"] == sum(decided.values()) == sum(at_end.values()) >= 8
    assert at_end["paid-out"] == 8
    assert summary["loans_paid_out"] == 8
    assert summary["payments"] > 0
    assert summary["signals"] > 0
    assert set(summary["events"]) == {"ledger", "origination", "monitoring", "collections"}
    assert home.call(*ASKED, "--seed", "7") == summary  # it is there: nothing is done again
    assert "simulation" in home.call(*ASKED, "--seed", "8", code=2)["error"]
    portfolio = home.call("portfolio", "--as-of", "2024-01-31")
    assert portfolio["currencies"]["CNY"]["loans"] > 0
    live = home.call("digest", "--all")
    replayed = home.call("replay", "--all")
    assert {name: one["digest"] for name, one in live.items()} == {
        name: one["digest"] for name, one in replayed.items()
    }
