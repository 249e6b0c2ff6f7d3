"""The auditor of a deployment: the checks of `lendlog verify` again and again, and what they found as metrics.

`python -m lendlog.auditor`, with the reader's database role. Every few minutes it looks at what came since it looked
last, now and then at the whole. Each audit is a process of its own (`--once`, which reads where the last one ended and
prints the audit's document with where this one did): it holds a partition of the books in memory while it checks it,
and keeps no probe waiting.
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
from lendlog.verify_command import log_reader, marks_as_json, marks_of_json
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.heads_check import SignedHeads, signed_heads
from services.ledger.proofs.settings import ProofSettings
from services.ledger.verify import ALL_CHECKS, verify
from shared import telemetry
from shared.database import connect
from shared.errors import MissingPrecondition, Refusal
from shared.settings import ServiceSettings
from shared.signed_note import parse_verifier
from shared.streams.health import serve_health
from shared.telemetry import counter, gauge
from shared.topics import LIFECYCLE

AGAIN_SECONDS = 60.0
"""After an audit that could not be finished."""

FINDINGS = gauge("lendlog_audit_findings", "0 or 1", "Whether the last audit found something by this check", "check")
LAST = gauge("lendlog_audit_timestamp_seconds", "seconds", "When the last finished audit of the whole ended")
SECONDS = gauge("lendlog_audit_duration_seconds", "seconds", "How long the last finished audit took", "scope")
RATE = gauge("lendlog_audit_events_per_second", "events a second", "How fast the last finished audit was", "scope")
FAILED = counter("lendlog_audit_failures_total", "audits", "Audits that could not be finished")
_log = telemetry.logger(__name__)


class AuditorSettings(ServiceSettings):
    """The auditor's: where the books are, and how often it looks."""

    audit_hours: float = Field(default=24.0, gt=0)
    """Between two audits of the whole."""
    audit_minutes: float = Field(default=10.0, gt=0)
    """Between two audits of what came since."""


async def audit(settings: ServiceSettings, marks: dict[str, Any]) -> dict[str, Any]:
    """One audit's document, as `lendlog verify --json` prints it, with the marks where it ended. `marks`: those of the
    last one, if only what came since is to be looked at."""
    signed = _signed()
    connection = await connect(settings.database_url.get_secret_value(), settings.ledger_schema)
    try:
        log = log_reader(settings.kafka_bootstrap, settings.topic_prefix + LIFECYCLE.name)
        done = await verify(connection, log, prefix=settings.topic_prefix, since=marks_of_json(marks), signed=signed)
        return done.document() | {"marks": marks_as_json(done.marks)}
    finally:
        await connection.close()


def take(document: dict[str, Any]) -> None:
    """Set the metrics from an audit's document. What only the whole is asked for stays as the last one of it found."""
    for name in ALL_CHECKS:
        if name in document["checks"]:
            FINDINGS.labels(name).set(document["checks"][name] != "ok")
    scope = "since" if "since" in document else "whole"
    SECONDS.labels(scope).set(document["seconds"])
    RATE.labels(scope).set(document["events_per_second"])
    if scope == "whole":
        LAST.set(time.time())
    for name, finding in document["checks"].items():
        if finding != "ok":
            _log.error("finding", check=name, table=finding["table"], key=finding["key"], problem=finding["problem"])
    _log.info("audited", scope=scope, ok=document["ok"], seconds=document["seconds"])


def _signed() -> SignedHeads | None:
    """The heads that the log is held against, where folder and public key are named."""
    proofs = ProofSettings()
    if proofs.checkpoints is None or not proofs.checkpoint_verifier:
        return None
    return signed_heads(HeadFiles(proofs.checkpoints), parse_verifier(proofs.checkpoint_verifier))


async def keep_auditing(settings: AuditorSettings) -> None:
    """Audit for as long as the process runs."""
    finished = False

    def not_ready() -> str | None:
        return None if finished else "no audit has been finished yet"

    runner = await serve_health(settings.host, settings.port, not_ready=not_ready, refresh=lambda: None)
    try:
        marks: dict[str, Any] = {}
        whole_at = time.monotonic()
        while True:
            whole = not marks or time.monotonic() >= whole_at
            if document := await _in_a_process({} if whole else marks):
                take(document)
                finished = True
                marks = document["marks"] if document["ok"] else marks
                whole_at = time.monotonic() + settings.audit_hours * 3600 if whole else whole_at
            else:
                FAILED.inc()
            await asyncio.sleep(_pause(settings, document, whole_at - time.monotonic(), marks))
    finally:
        await runner.cleanup()


def _pause(settings: AuditorSettings, document: Any, whole_in: float, marks: Any) -> float:
    """Seconds to the next audit: of what came since only once the whole was found sound."""
    if not document:
        return AGAIN_SECONDS
    return max(0.0, min(settings.audit_minutes * 60, whole_in) if marks else whole_in)


async def _in_a_process(marks: dict[str, Any]) -> dict[str, Any] | None:
    """The document of an audit in a child, which ends with us; None where it ended without one, and said why."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lendlog.auditor", "--once", stdin=pipe, stdout=pipe
    )
    try:
        said, _ = await child.communicate(json.dumps(marks).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    return dict(json.loads(said)) if child.returncode == 0 else None


def main(arguments: list[str]) -> int:
    """Until SIGTERM; with `--once`, one audit to standard output from the marks on standard input, if any; exit code 2
    where it could not be finished."""
    settings = AuditorSettings()
    telemetry.configure_logging("auditor", settings.log_level)
    if arguments != ["--once"]:
        with contextlib.suppress(Stopped):
            run_to_end(keep_auditing(settings))
        return 0
    try:
        marks = json.loads(sys.stdin.read() or "{}")
        sys.stdout.write(json.dumps(run_to_end(audit(settings, marks))) + "\n")
    except (MissingPrecondition, Refusal, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError) as error:
        _log.warning("the audit could not be finished", reason=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
