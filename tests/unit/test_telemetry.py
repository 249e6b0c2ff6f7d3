"""Logs are one JSON object a line, and every metric is declared with what it means."""

import json
import logging
from collections.abc import Iterator

import pytest

from shared import telemetry
from shared.streams import command_outbox


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_both_kinds_of_loggers_write_json_lines_to_standard_error(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure_logging("test-service", "info")
    telemetry.logger("ours").info("published", events=12, loan_id="loan-1")
    telemetry.logger("ours").debug("not asked for")
    logging.getLogger("theirs").warning("took %s s", 3)
    said = capsys.readouterr()
    ours, theirs = (json.loads(line) for line in said.err.splitlines())
    assert said.out == ""
    assert (ours["event"], ours["events"], ours["loan_id"], ours["service"]) == (
        "published",
        12,
        "loan-1",
        "test-service",
    )
    assert (theirs["event"], theirs["level"], theirs["service"]) == ("took 3 s", "warning", "test-service")


def test_before_it_is_configured_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.logger("ours").warning("early")
    assert capsys.readouterr().out == ""


def test_a_failure_is_logged_with_its_trace(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("test-service", "info")
    try:
        raise LookupError("gone")
    except LookupError:
        telemetry.logger("ours").exception("failed")
    line = json.loads(capsys.readouterr().err)
    assert "LookupError: gone" in line["exception"]


def test_a_metric_is_declared_once_with_prefix_kind_unit_and_meaning() -> None:
    declared = telemetry.DECLARED["lendlog_command_outbox_oldest_seconds"]
    assert (declared.kind, declared.unit) == ("gauge", "seconds")
    assert declared.meaning
    assert command_outbox.OLDEST is not None
    for name in ("lendlog_command_outbox_oldest_seconds", "oldest_seconds"):
        with pytest.raises(AssertionError):
            telemetry.gauge(name, "seconds", "again")
    with pytest.raises(AssertionError):
        telemetry.counter("lendlog_things", "things", "no _total")
    text = telemetry.exposition().decode()
    assert all(f"# HELP {name}" in text for name in telemetry.DECLARED)
