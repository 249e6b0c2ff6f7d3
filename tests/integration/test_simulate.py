"""`lendlog simulate` as a process, on a platform of its own: a small lender's month, once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lendlog.books import reading
from services.ledger import queries

pytestmark = [pytest.mark.servers, pytest.mark.alone, pytest.mark.ops, pytest.mark.timeout(600)]

LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
ASKED = ("simulate", "--loans", "8", "--months", "1")
SECONDS = 280


class Home:
    """A home of its own, and commands on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
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

    def balances(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Borrower's number → what is booked for its loan, by account."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        loans = json.loads((self.path / "simulation.json").read_text())["loans"]

        async def read() -> dict[str, Any]:
            async with reading() as (_, connection):
                found = {number: await queries.balances_view(connection, loan) for number, loan in loans.items()}
            return {number: booked and booked["currencies"] for number, booked in found.items()}

        balances = asyncio.run(read())
        assert balances
        assert all(balances.values())
        return balances


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


def test_a_killed_simulation_goes_on_and_every_loan_is_as_in_one_that_was_not(
    tmp_path: Path, kafka_jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("simulate", "--loans", "6", "--months", "1", "--seed", "11")
    killed, whole = Home(tmp_path / "killed"), Home(tmp_path / "whole")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*LENDLOG, *asked, "--json"], env=killed.environment, stdout=log, stderr=log, start_new_session=True
        )
        journal = tmp_path / "killed" / "simulation-journal.jsonl"
        deadline = time.monotonic() + SECONDS
        while not journal.exists() or b'"close-2024-01-12' not in journal.read_bytes():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    assert "goes on" in killed.call("simulate", "--loans", "6", "--months", "1", "--seed", "12", code=2)["error"]
    after, never = killed.call(*asked), whole.call(*asked)
    for timed in ("seconds", "requests", "events"):  # a closing that was asked for again, and wall-clock time
        after.pop(timed), never.pop(timed)
    assert after == never
    assert not journal.exists()
    assert killed.balances(monkeypatch) == whole.balances(monkeypatch)
