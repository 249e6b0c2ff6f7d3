"""How often the auditor looks, and what its metrics say of an audit of what came since."""

from typing import Any

import pytest

from lendlog import auditor
from lendlog.auditor import AGAIN_SECONDS, AuditorSettings
from lendlog.verify_command import marks_as_json, marks_of_json
from services.ledger.verify import ALL_CHECKS, CHECKS, Audit, Finding, Mark
from services.ledger.verify.since import is_run_since

MARKS = {0: Mark(7, 6, b"\x01" * 32, 5, b"\x02" * 64), 1: Mark(0, None, None, 0, b"")}


@pytest.mark.parametrize(
    ("document", "whole_in", "marks", "seconds"),
    [
        (None, 3000.0, MARKS, AGAIN_SECONDS),
        ({"ok": True}, 3000.0, MARKS, 600.0),
        ({"ok": True}, 12.0, MARKS, 12.0),
        ({"ok": False}, 3000.0, {}, 3000.0),
        ({"ok": True}, -1.0, MARKS, 0.0),
    ],
)
def test_it_looks_every_few_minutes_once_the_whole_was_sound(
    document: Any, whole_in: float, marks: Any, seconds: float
) -> None:
    settings = AuditorSettings(audit_minutes=10, audit_hours=24)
    assert auditor._pause(settings, document, whole_in, marks) == seconds


def test_marks_survive_their_journey() -> None:
    assert marks_of_json(marks_as_json(MARKS)) == MARKS


def test_an_audit_of_what_came_since_leaves_the_findings_of_the_whole_as_they_are() -> None:
    finding = Finding("posting", {"partition": 0}, "differs", "amount")
    whole = Audit(findings={"replayed-postings": finding, "folds": finding})
    auditor.take(whole.document())
    before = auditor.LAST._value.get()
    auditor.take(Audit(since=MARKS).document())
    found = {name: auditor.FINDINGS.labels(name)._value.get() for name in ALL_CHECKS}
    assert [name for name, value in found.items() if value] == ["replayed-postings"]
    assert auditor.LAST._value.get() == before


def test_an_audit_of_what_came_since_says_from_where_and_which_checks_it_ran() -> None:
    document = Audit(since=MARKS).document()
    assert document["since"] == {"0": 7, "1": 0}
    assert set(document["checks"]) == {name for name in CHECKS if is_run_since(name)}
    assert {"tree", "records", "log", "folds", "principal"} <= set(document["checks"])
