"""`lendlog run` and `lendlog status` as processes: they come up, restart what dies, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lendlog.platform import attach_or_start, servers
from lendlog.servers.runfile import MARKER, RunFile
from shared.settings import PlatformSettings

pytestmark = [pytest.mark.servers, pytest.mark.ops, pytest.mark.alone]

LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
START_SECONDS = 60
STOP_SECONDS = 12
"""Ten for the children, two for the supervisor itself."""


class Home:
    """A folder of its own, and the commands that use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variables = {"LENDLOG_HOME": str(path), "LENDLOG_LEDGER_WORKERS": "1", "LENDLOG_SERVICES": "ledger"}
        ports = ("LENDLOG_POSTGRES_PORT", "LENDLOG_KAFKA_PORT", "LENDLOG_API_PORT", "LENDLOG_METRICS_PORT")
        self.variables |= dict.fromkeys(ports, "0")

    def start(self) -> "subprocess.Popen[str]":
        """`lendlog run` in a session of its own, as a terminal would have it."""
        return subprocess.Popen(
            [*LENDLOG, "run"],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another command, to its end."""
        return subprocess.run(
            [*LENDLOG, *arguments], env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def environment(self) -> dict[str, str]:
        """Without the servers that the environment may name: these tests end and kill them."""
        named = ("LENDLOG_POSTGRES_URL", "LENDLOG_KAFKA_BOOTSTRAP")
        return {name: value for name, value in os.environ.items() if name not in named} | self.variables

    def settings(self) -> PlatformSettings:
        """For code in the test's own process."""
        return PlatformSettings(home=self.path, postgres_url=None, kafka_bootstrap=None, postgres_port=0, kafka_port=0)

    def run_file(self) -> RunFile | None:
        """What stands in run.json."""
        return RunFile.load(self.path / "run.json")

    def status(self) -> dict[str, Any]:
        """The document of `lendlog status --json`."""
        return dict(json.loads(self.call("status", "--json").stdout))

    def processes(self) -> list[int]:
        """Living processes that belong to the folder: by their marker, or by its path among their arguments."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(MARKER) == str(self.path)
                if marked or any(str(self.path) in word for word in process.cmdline()):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def home(tmp_path: Path, kafka_jars: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    for pid in home.processes():
        psutil.Process(pid).kill()


def until(holds: Callable[[], object], seconds: float = START_SECONDS) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)


def runs(home: Home) -> bool:
    run = home.run_file()
    return run is not None and run.state == "running"


def ends(supervisor: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> str:
    """Signal the supervisor and nothing else; it must leave in time. Returns its output."""
    before = time.monotonic()
    supervisor.send_signal(number)
    output, _ = supervisor.communicate(timeout=STOP_SECONDS)
    assert time.monotonic() - before < STOP_SECONDS
    return output


def test_the_platform_comes_up_restarts_what_dies_and_leaves_nothing(home: Home) -> None:
    supervisor = home.start()
    until(lambda: runs(home))

    second = home.call("run")
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"process {supervisor.pid}" in second.stderr

    until(lambda: (home.status().get("ledger") or {}).get("lag") == 0)
    document = home.status()
    assert document["ledger"]["events"] == 0
    assert {process["name"] for process in document["processes"]} == {
        *("postgres", "kafka", "ledger-api", "ledger-worker-1", "ledger-notary")
    }

    for name in ("ledger-worker-1", "kafka", "postgres"):
        run = home.run_file()
        assert run
        os.kill(run.processes[name].pid, signal.SIGKILL)
        until(lambda name=name: restarted(home, name))  # type: ignore[misc]
    until(lambda: (home.status().get("ledger") or {}).get("lag") == 0)

    output = ends(supervisor)
    assert supervisor.returncode == 0, output
    assert home.processes() == []
    assert home.run_file() is None
    assert "lag=0" in output
    assert "Traceback" not in output


def restarted(home: Home, name: str) -> bool:
    run = home.run_file()
    return run is not None and run.restarts.get(name, 0) > 0 and run.processes[name].process() is not None


def test_a_start_that_is_interrupted_leaves_nothing(home: Home) -> None:
    for seconds in (0.7, 1.5, 3.0):
        supervisor = home.start()
        time.sleep(seconds)
        ends(supervisor, signal.SIGINT)
        assert home.processes() == []


async def test_after_the_supervisor_was_killed_the_next_start_ends_what_it_left(home: Home) -> None:
    supervisor = home.start()
    until(lambda: runs(home))
    supervisor.kill()
    supervisor.communicate()
    left = set(home.processes())
    assert left

    status = home.call("status")
    assert status.returncode == 2
    assert "was killed and left" in status.stderr
    assert set(home.processes()) <= left

    (home.path / "run.json").unlink()  # not even a record is needed
    async with servers(home.settings(), say=lambda _: None) as platform:
        assert left & set(home.processes()) == set()
        assert platform.run.is_alive()
    assert home.processes() == []


async def test_a_command_starts_the_servers_for_its_own_duration_or_attaches(home: Home) -> None:
    async with attach_or_start(home.settings()) as own:
        assert not own.services
        async with attach_or_start(home.settings()) as attached:
            assert attached.kafka_bootstrap == own.kafka_bootstrap
            assert attached.admin_url == own.admin_url
        assert own.run.is_alive()
    assert home.processes() == []


def test_status_starts_nothing_and_makes_no_folder(home: Home) -> None:
    answer = home.call("status", "--json")
    assert answer.returncode == 2
    assert "start it with `lendlog run`" in json.loads(answer.stdout)["error"]
    assert not home.path.exists()


def test_a_missing_java_is_one_sentence(home: Home, tmp_path: Path) -> None:
    home.variables["JAVA_HOME"] = str(tmp_path / "nowhere")
    answer = home.call("run")
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [line for line in answer.stderr.splitlines() if line.startswith("lendlog: ")]
    assert "install Java 17 or newer" in answer.stderr
    assert home.processes() == []
