"""The auditor of a deployment: the checks of `lendlog verify` again and again, and what they found as metrics.

`python -m lendlog.auditor`, with the reader's database role. Each audit is a process of its own (`--once`, which prints
the audit's document): it holds a partition of the books in memory while it checks it, and keeps no probe waiting.
"""

import asyncio
import contextlib
import json
import sys
import time
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import Field

from lendlog.signals import Stopped, run_to_end
from lendlog.verify_command import log_reader
from services.ledger.verify import CHECKS, verify
from shared import telemetry
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings
from shared.streams.health import serve_health
from shared.telemetry import counter, gauge
from shared.topics import LIFECYCLE

AGAIN_SECONDS = 60.0
"""After an audit that could not be finished."""

FINDINGS = gauge("lendlog_audit_findings", "0 or 1", "Whether the last audit found something by this check", "check")
LAST = gauge("lendlog_audit_timestamp_seconds", "seconds", "When the last finished audit ended")
SECONDS = gauge("lendlog_audit_duration_seconds", "seconds", "How long the last finished audit took")
FAILED = counter("lendlog_audit_failures_total", "audits", "Audits that could not be finished")
_log = telemetry.logger(__name__)


class AuditorSettings(ServiceSettings):
    """The auditor's: where the books are, and how often it looks."""

    audit_hours: float = Field(default=24.0, gt=0)


async def audit(settings: ServiceSettings) -> dict[str, Any]:
    """One audit's document, as `lendlog verify --json` prints it."""
    connection = await connect(settings.database_url.get_secret_value(), settings.ledger_schema)
    try:
        log = log_reader(settings.kafka_bootstrap, settings.topic_prefix + LIFECYCLE.name)
        return (await verify(connection, log)).document()
    finally:
        await connection.close()


def take(document: dict[str, Any]) -> None:
    """Set the metrics from an audit's document."""
    for name in CHECKS:
        FINDINGS.labels(name).set(document["checks"][name] != "ok")
    SECONDS.set(document["seconds"])
    LAST.set(time.time())
    for name, finding in document["checks"].items():
        if finding != "ok":
            _log.error("finding", check=name, table=finding["table"], key=finding["key"], problem=finding["problem"])
    _log.info("audited", ok=document["ok"], seconds=document["seconds"])


async def keep_auditing(settings: AuditorSettings) -> None:
    """Audit for as long as the process runs."""
    finished = False

    def not_ready() -> str | None:
        return None if finished else "no audit has been finished yet"

    runner = await serve_health(settings.host, settings.port, not_ready=not_ready, refresh=lambda: None)
    try:
        while True:
            if document := await _in_a_process():
                take(document)
                finished = True
            else:
                FAILED.inc()
            await asyncio.sleep(settings.audit_hours * 3600 if document else AGAIN_SECONDS)
    finally:
        await runner.cleanup()


async def _in_a_process() -> dict[str, Any] | None:
    """The document of an audit in a child, which ends with us; None where it ended without one, and said why."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lendlog.auditor", "--once", stdout=asyncio.subprocess.PIPE
    )
    try:
        said, _ = await child.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    return dict(json.loads(said)) if child.returncode == 0 else None


def main(arguments: list[str]) -> int:
    """Until SIGTERM; with `--once`, one audit to standard output, exit code 2 where it could not be finished."""
    settings = AuditorSettings()
    telemetry.configure_logging("auditor", settings.log_level)
    if arguments != ["--once"]:
        with contextlib.suppress(Stopped):
            run_to_end(keep_auditing(settings))
        return 0
    try:
        sys.stdout.write(json.dumps(run_to_end(audit(settings))) + "\n")
    except (MissingPrecondition, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError) as error:
        _log.warning("the audit could not be finished", reason=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
