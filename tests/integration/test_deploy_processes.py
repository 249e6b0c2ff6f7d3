"""The processes of docker-compose.yml without the containers: its commands with its variables, on servers of this
machine, provisioned by `lendlog provision` with the secrets of deploy/docker/new-env, under a Prometheus."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from lendlog.dashboard import expressions
from lendlog.dashboard.panels import ROWS
from lendlog.platform import servers as start_servers
from lendlog.servers.processes import free_port
from lendlog.servers.provision import LOGINS
from lendlog.services import SERVICES
from shared.settings import PlatformSettings
from tests.deployed import DEPLOY, REPOSITORY
from tests.integration.test_deploy_prometheus import ask, chosen, programs, prometheus
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.alone, pytest.mark.ops]

__all__ = ["programs"]
CONTAINERS: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
SILENT = {"Relay restarts"} | {panel.title for panel in ROWS["The book, its alerts and its contacts"]}
"""Panels without data while nothing fails and no loan is there."""
READY_SECONDS = 60
LEAVE_SECONDS = 15
SPECIAL = {"lendlog": [sys.executable, "-c", "from lendlog.cli import main; main()"], "python": [sys.executable]}


@dataclass(slots=True)
class Deployment:
    """Secrets, where broker and database are, and the processes that were started."""

    secrets: dict[str, str]
    kafka: str
    postgres: str
    administrator: str
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def environment(self, name: str, **more: str) -> dict[str, str]:
        """What the container gets, its hosts replaced by this machine's; and nothing else of ours."""
        given = {key: self.filled(str(value)) for key, value in CONTAINERS[name]["environment"].items()}
        ours = {key: value for key, value in os.environ.items() if not key.startswith("LENDLOG_")}
        return ours | {key: self.placed(value) for key, value in given.items()} | more

    def filled(self, value: str) -> str:
        """`${NAME…}` replaced as Compose does it."""

        def fill(found: re.Match[str]) -> str:
            name, rest = found[1], found[2]
            if rest.startswith(":?"):
                assert self.secrets[name], f"{name} is not set"
            return self.secrets[name] or rest.removeprefix(":-").removeprefix("-").removeprefix(":?")

        return re.sub(r"\$\{([A-Z_]+)([^}]*)\}", fill, value)

    def placed(self, value: str) -> str:
        """Names of containers replaced by addresses."""
        value = value.replace("kafka:9092", self.kafka).replace("@postgres:5432", f"@{self.postgres}")
        return re.sub(r"http://([a-z-]+):8600", lambda found: f"http://127.0.0.1:{self.ports[found[1]]}", value)

    def command(self, name: str) -> list[str]:
        """The container's command, by this machine's interpreter."""
        program, *words = CONTAINERS[name]["command"]
        return [*SPECIAL[program], *words]

    def start(self, name: str) -> None:
        """Start the container's process."""
        more = {"LENDLOG_HOST": "127.0.0.1", "LENDLOG_PORT": str(self.ports[name])}
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self.command(name), env=self.environment(name, **more), stderr=log)
        self.processes.append(process)

    def provision(self) -> dict[str, Any]:
        """`lendlog provision` as its container runs it; the administrator is this server's own."""
        environment = self.environment("provision", LENDLOG_POSTGRES_URL=self.administrator)
        done = subprocess.run(
            [*self.command("provision"), "--json"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture
def secrets() -> dict[str, str]:
    """What deploy/docker/new-env makes up."""
    made = subprocess.run([DEPLOY / "docker" / "new-env"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in made.splitlines() if "=" in line and not line.startswith("#"))


@pytest.fixture
async def deployment(tmp_path: Path, secrets: dict[str, str], kafka_jars: Path) -> AsyncIterator[Deployment]:
    """On servers of its own, whatever servers the environment names: provisioning sets passwords."""
    settings = PlatformSettings(
        home=tmp_path / "home", postgres_url=None, kafka_bootstrap=None, postgres_port=0, kafka_port=0
    )
    async with start_servers(settings) as running:
        place = urlsplit(running.admin_url).netloc.rpartition("@")[2]
        one = Deployment(secrets, running.kafka_bootstrap, place, running.admin_url, tmp_path)
        try:
            yield one
        finally:
            for process in one.processes:
                process.terminate()
            for process in one.processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LEAVE_SECONDS)
                process.kill()
                process.wait()
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


async def test_every_container_s_process_is_ready_and_every_panel_has_data(
    deployment: Deployment, programs: dict[str, str], tmp_path: Path
) -> None:
    first = deployment.provision()
    assert first["services"] == list(SERVICES)
    assert len(first["logins"]) == len(LOGINS)
    assert first["topics_created"]
    assert deployment.provision()["topics_created"] == []  # it may be repeated
    names = [name for name, one in CONTAINERS.items() if one["image"] == "lendlog:local" and name != "provision"]
    for name in names:
        deployment.ports[name] = free_port(0)
    for name in names:
        deployment.start(name)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        for name in names:

            async def ready(name: str = name) -> bool:
                try:
                    return (await http.get(f"http://127.0.0.1:{deployment.ports[name]}/readyz")).status_code == 200
                except httpx.TransportError:
                    said = (tmp_path / f"{name}.log").read_text()[-2000:]
                    assert all(process.poll() is None for process in deployment.processes), f"{name}: {said}"
                    return False

            await until(ready, READY_SECONDS)
        await _let_in(http, deployment)
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name.split("-")[0], "process": name}}
        for name, port in deployment.ports.items()
    ]
    (tmp_path / "prometheus").mkdir()
    with prometheus(programs["prometheus"], tmp_path / "prometheus", targets) as client:

        async def scraped_twice() -> bool:
            with contextlib.suppress(httpx.TransportError, ValueError):
                return len(ask(client, "rate(process_cpu_seconds_total[5s])")) == len(names)
            return False

        await until(scraped_twice, READY_SECONDS)
        assert ask(client, "up == 0") == []
        empty = {title for title, expression in expressions() if not ask(client, chosen(expression))}
        assert empty <= SILENT


async def _let_in(http: httpx.AsyncClient, deployment: Deployment) -> None:
    """The operator opens the book and the auditor reads it; a stranger does neither."""
    address = f"http://127.0.0.1:{deployment.ports['ledger-api']}/v1/book"
    opening = {"business_date": "2026-01-01"}
    assert (await http.post(address, json=opening)).status_code == 401
    tokens = {
        role: {"Authorization": f"Bearer {deployment.secrets[f'LENDLOG_TOKEN_{role}']}"}
        for role in ("OPERATOR", "AUDITOR")
    }
    opened = await http.post(address, json=opening, headers=tokens["OPERATOR"])
    assert opened.status_code == 202, opened.text
    read = await http.get(
        f"http://127.0.0.1:{deployment.ports['ledger-api']}{opened.headers['location']}", headers=tokens["AUDITOR"]
    )
    assert read.status_code == 200, read.text
