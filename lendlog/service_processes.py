"""Which processes the chosen services have, at which ports, and what Prometheus is told of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lendlog.servers.processes import free_port
from lendlog.services import SERVICES
from shared.settings import PlatformSettings

NOTARY = "ledger-notary"
"""Signs the heads of the log's trees; it alone has the key."""


@dataclass(frozen=True, slots=True)
class Process:
    """A service process: its name, the module that it runs, its database role, its port."""

    name: str
    service: str
    module: str
    role: str
    port: int


def place(addresses: dict[str, Any], settings: PlatformSettings) -> list[Process]:
    """The processes of the chosen services, each with a free port; `addresses` of the run file gets where they are."""
    taken: list[int] = []

    def port(preferred: int) -> int:
        taken.append(free_port(preferred, taken))
        return taken[-1]

    processes, metrics = [], list[str]()
    for number, service in enumerate(SERVICES):
        if service not in settings.service_names():
            continue
        api = Process(
            f"{service}-api",
            service,
            f"services.{service}.api",
            f"{service}_api",
            port(_nth(settings.api_port, number)),
        )
        processes.append(api)
        addresses[api.name] = f"http://127.0.0.1:{api.port}"
        for index in range(1, (settings.ledger_workers if service == "ledger" else 1) + 1):
            name = f"{service}-worker-{index}" if service == "ledger" else f"{service}-worker"
            first = settings.metrics_port
            worker = Process(name, service, f"services.{service}.app", service, port(_nth(first, len(metrics))))
            processes.append(worker)
            metrics.append(f"http://127.0.0.1:{worker.port}/metrics")
        if service == "ledger":
            first = settings.metrics_port
            notary = Process(NOTARY, service, "services.ledger.proofs", "reader", port(_nth(first, len(metrics))))
            processes.append(notary)
            metrics.append(f"http://127.0.0.1:{notary.port}/metrics")
    addresses["metrics"] = metrics
    return processes


def _nth(first: int, n: int) -> int:
    """The n-th port from `first`; 0 stays any free one."""
    return first + n if first else 0


def write_targets(file: Path, processes: Sequence[Process]) -> None:
    """What Prometheus scrapes, for its file_sd_configs (deploy/prometheus/)."""
    targets = [
        {
            "targets": [f"127.0.0.1:{process.port}"],
            "labels": {"service": process.service, "process": process.name},
        }
        for process in processes
    ]
    file.write_text(json.dumps(targets, indent=1) + "\n")
