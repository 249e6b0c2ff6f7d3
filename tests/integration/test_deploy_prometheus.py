"""Rules and dashboard in a real Prometheus: its own tool judges the files, and every expression is evaluated over
series with the names and labels that the code declares.

Without the programs (Debian's package `prometheus` has both) the tests are skipped by name; continuous integration has
them, or fails.
"""

import contextlib
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lendlog.dashboard import expressions
from lendlog.servers.processes import free_port
from lendlog.services import SERVICES
from tests.deployed import DEPLOY, RULES, alerts, declared
from tests.waiting import until

FOLDER = DEPLOY / "prometheus"
START_SECONDS = 30
VALUES = {"partition": ("0", "1"), "status": ("200", "500"), "stage": ("decode", "fold"), "days": ("30", "90")}
"""Values of labels; any other label has one."""


@pytest.fixture(scope="module")
def programs() -> dict[str, str]:
    """Where prometheus and promtool are."""
    found = {name: shutil.which(name) for name in ("prometheus", "promtool")}
    if missing := [name for name, path in found.items() if path is None]:
        sentence = f"{' and '.join(missing)}: not installed (Debian: apt-get install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return {name: str(path) for name, path in found.items()}


def tool(programs: dict[str, str], *words: str) -> str:
    """What promtool says; its exit code is 0."""
    done = subprocess.run([programs["promtool"], *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_and_both_configurations_are_sound(programs: dict[str, str]) -> None:
    assert f"{len(alerts())} rules found" in tool(programs, "check", "rules", str(RULES))
    for name in ("prometheus.yml", "one-machine.yml"):
        tool(programs, "check", "config", str(FOLDER / name))


@pytest.mark.ops
def test_each_alert_fires_where_it_must_and_stays_silent_where_it_must_not(programs: dict[str, str]) -> None:
    file = FOLDER / "tests" / "lendlog_test.yml"
    assert "SUCCESS" in tool(programs, "test", "rules", str(file))
    told = [check for test in yaml.safe_load(file.read_text())["tests"] for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in told if check.get("exp_alerts")} == {rule["alert"] for rule in alerts()}


class Exposition:
    """A process that moves: everything that the code declares, a little further at every scrape."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counters: list[Counter] = []
        for metric in declared():
            kinds = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
            made: Any = kinds[metric.kind](metric.name, "as declared", metric.labels, registry=self.registry)
            self.children(made, metric.labels)

    def children(self, metric: Any, labels: tuple[str, ...]) -> None:
        several = max((len(VALUES.get(label, "x")) for label in labels), default=1)
        for index in range(several):
            values = [VALUES.get(label, ("x",) * several)[index % several] for label in labels]
            child = metric.labels(*values) if labels else metric
            if isinstance(metric, Counter):
                self.counters.append(child)
            elif isinstance(metric, Gauge):
                child.set(1)
            else:
                child.observe(0.02)

    def text(self) -> bytes:
        for counter in self.counters:
            counter.inc()
        return generate_latest(self.registry)


@contextlib.contextmanager
def served(exposition: Exposition) -> Iterator[str]:
    """host:port of the exposition."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(exposition.text())

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def prometheus(program: str, folder: Path, targets: list[dict[str, Any]]) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes `targets` five times a second under the rules of the repository."""
    configuration = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "lendlog", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port(0)
    words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    process = subprocess.Popen(
        [program, *words, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(client: httpx.Client, expression: str) -> list[Any]:
    """The result of an instant query; a failure has Prometheus' own words."""
    answer = client.post("/query", data={"query": expression}).json()
    assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
    return list(answer["data"]["result"])


def chosen(expression: str) -> str:
    """As Grafana would send it with everything chosen."""
    expression = re.sub(r"\$(job|instance|service)\b", ".+", expression)
    return expression.replace("$__rate_interval", "5s")


@pytest.mark.ops
async def test_every_expression_is_evaluated_and_every_panel_has_data(programs: dict[str, str], tmp_path: Path) -> None:
    with served(Exposition()) as address:
        targets = [
            {"targets": [address], "labels": {"service": service, "process": f"{service}-worker"}}
            for service in SERVICES
        ]
        with prometheus(programs["prometheus"], tmp_path, targets) as client:

            async def scraped_twice() -> bool:
                with contextlib.suppress(httpx.TransportError, ValueError):
                    return len(ask(client, "rate(lendlog_stream_events_total[5s]) > 0")) == len(SERVICES)
                return False

            await until(scraped_twice, START_SECONDS)
            empty = [title for title, expression in expressions() if not ask(client, chosen(expression))]
            assert empty == []
            for rule in alerts():
                ask(client, rule["expr"])

            async def evaluated() -> bool:
                groups = client.get("/rules").json()["data"]["groups"]
                rules = [rule for group in groups for rule in group["rules"]]
                assert [rule["lastError"] for rule in rules if rule["health"] == "err"] == []
                return len(rules) == len(alerts()) and all(rule["health"] == "ok" for rule in rules)

            await until(evaluated, START_SECONDS)
