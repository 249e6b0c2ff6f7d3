"""`lendlog policy check`: each slip in a policy file is named, with file, key, line and what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lendlog.policies.advice import advice
from lendlog.policies.checking import Finding, check, house_files
from services.origination.measures import ATTRIBUTES, measure

ROOT = Path(__file__).parents[2]
CREDIT = "services/origination/policies/credit-1.yaml"
CAPS = "services/origination/policies/rate-caps.yaml"
CARD = "services/origination/scorecards/expert-1.yaml"
HARVEST = "services/origination/products/seasonal-harvest.yaml"
CONTACT = "services/collections/policies/contact-cz.yaml"
STRATEGY = "services/collections/policies/strategy-1.yaml"
CLASSES = "shared/policies/classes-five.yaml"
INDICATORS = "services/monitoring/policies/indicators-1.yaml"
LIMITS = "services/ledger/policies/restructuring.yaml"
VALUATION = "services/ledger/policies/valuation-ifrs-9.yaml"
CHART = "services/ledger/policies/chart-of-accounts.yaml"
ACCOUNTS = "services/ledger/bank/lender/accounts.yaml"


def changed(folder: Path, house: str, *changes: tuple[str, str]) -> Path:
    """A copy of a house's file with texts replaced where they stand first."""
    text = (ROOT / house).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    file = folder / Path(house).name
    file.write_text(text, encoding="utf-8")
    return file


def only(file: Path) -> Finding:
    found = check([file]).findings
    assert len(found) == 1, found
    return found[0]


SLIPS = [
    # house's file, what stands there, what is put in its place, the rule, the text of the line that is named
    (CREDIT, "{at_least: 520, below: 560,", "{at_least: 530, below: 560,", "band-gap", "score_bands:"),
    (CREDIT, "{at_least: 520, below: 560,", "{at_least: 510, below: 560,", "band-overlap", "score_bands:"),
    (CREDIT, '{at_least: "1.00", below: "1.20"', '{at_least: "1.10", below: "1.20"', "band-gap", "coverage:"),
    (CREDIT, "scorecard: expert@1", "scorecard: expert@9", "unknown-scorecard", "scorecard: expert@9"),
    (CREDIT, "months_max: 60", "months_max: 1000", "bad-value", "months_max: 1000"),
    (CREDIT, "months_max: 60", "month_max: 60", "key-missing", "capacity:"),
    (CREDIT, "version: 1\n", "version: 1\nversion: 2\n", "key-twice", "version: 2"),
    (CARD, "name: coverage\n", "name: colour\n", "unknown-attribute", "name: colour"),
    (HARVEST, "kind: farm", "kind: garden", "bad-value", "kind: garden"),
    (HARVEST, "valid_from: 2020-01-01", "valid_from: 2020-01-01\nvalid_until: 2019-01-01", "policy-refused", "2019"),
    (CAPS, "valid_until: 2025-12-31", "valid_until: 2026-12-31", "rate-cap-rows-overlap", "cn-microloan-24@2"),
    (CAPS, "valid_until: 2025-12-31", "valid_until: 2025-11-30", "cap-gap", "cn-microloan-24@2"),
    (CAPS, "  cn-lpr-1y:", "  cn-lpr-9y:", "unknown-reference", "multiple_of: cn-lpr-1y"),
    (CAPS, "name: cn-microloan-24@2", "name: cn-microloan-24@1", "id-twice", "name: cn-microloan-24@1"),
    (CONTACT, "closes: '20:00'", "closes: '23:30'", "window-at-night", "cz-hours"),
    (CONTACT, "name: cz-figures", "name: cz-permit", "policy-overlap", "name: cz-permit"),
    (STRATEGY, "opens_at_days_past_due: 4", "opens_at_days_past_due: 5", "steps-not-ascending", "days"),
    (CLASSES, "through: 2023-06-30", "through: 2023-05-31", "policy-refused", "start: 2023-07-01"),
    (CLASSES, "through: 2023-06-30", "through: 2023-07-31", "policy-refused", "start: 2023-07-01"),
    (CLASSES, "start: 1900-01-01", "start: 2000-01-01", "policy-refused", ""),
    (CLASSES, "substandard: 90, doubtful: 270", "substandard: 270, doubtful: 90", "policy-refused", "version: lender"),
    (VALUATION, "name: ifrs-9", "name: IFRS 9", "bad-value", "name: IFRS 9"),
    (ACCOUNTS, "id: branch-czk", "id: main-eur", "id-twice", "id: main-eur"),
    (ACCOUNTS, "opened_on: 2024-01-31", "opened_on: 2024-02-31", "bad-value", "opened_on: 2024-02-31"),
    (CHART, "roles:", "rules:", "unknown-key", "rules:"),
]


@pytest.mark.parametrize(("house", "old", "new", "rule", "line"), SLIPS)
def test_a_slip_is_named_with_its_place(tmp_path: Path, house: str, old: str, new: str, rule: str, line: str) -> None:
    file = changed(tmp_path, house, (old, new))
    found = next(one for one in check([file]).findings if one.rule == rule)
    assert found.file == str(file)
    if line:
        assert found.line is not None, found
        assert line in file.read_text(encoding="utf-8").splitlines()[found.line - 1], found
    assert found.todo == advice(rule) != advice("")


def test_every_file_of_the_house_is_of_a_kind_and_in_order() -> None:
    files = [file for part in ("services", "shared") for file in house_files(ROOT / part)]
    everything = {file for part in ("services", "shared") for file in (ROOT / part).rglob("*.yaml")}
    checked = check(files)
    assert set(files) == everything
    assert (len(checked.kinds), checked.findings) == (len(files), [])


def test_rows_may_go_on_in_the_next_file_and_are_checked_together(tmp_path: Path) -> None:
    first = changed(tmp_path, CLASSES, ("    start: 2023-07-01\n", "    start: 2023-07-01\n    through: 2026-06-30\n"))
    assert only(first).rule == "policy-refused"  # nothing covers the days after
    second = tmp_path / "classes-more.yaml"
    rows = (ROOT / CLASSES).read_text(encoding="utf-8").split("  - version: cn-order-2023-1@1", 1)[1]
    text = "rows:\n  - version: cn-order-2023-1@2" + rows.replace("2023-07-01", "2026-07-01", 1)
    second.write_text(text, encoding="utf-8")
    assert check([first, second]).findings == []
    second.write_text(text.replace("2026-07-01", "2026-07-02", 1), encoding="utf-8")
    (gap,) = check([first, second]).findings
    assert (gap.file, gap.rule) == (str(second), "policy-refused")


def test_a_version_is_there_once(tmp_path: Path) -> None:
    copy = changed(tmp_path, HARVEST, ("Crop loan", "Another crop loan"))
    (found,) = check([ROOT / HARVEST, copy]).findings
    assert found.rule == "version-twice"


def test_an_indicator_is_there_once(tmp_path: Path) -> None:
    text = (ROOT / INDICATORS).read_text(encoding="utf-8")
    codes = [
        line.split("code: ")[1].split(",")[0].split("}")[0].strip() for line in text.splitlines() if "code: " in line
    ]
    assert only(changed(tmp_path, INDICATORS, (f"code: {codes[1]}", f"code: {codes[0]}"))).rule == "policy-refused"


def test_what_is_no_policy_ends_with_two_and_a_broken_rule_with_one(tmp_path: Path) -> None:
    files = {"a.yaml": "a: [", "b.yaml": "colour: green\n", "c.yaml": (ROOT / CREDIT).read_text(encoding="utf-8")}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def call(*names: str) -> tuple[int, list[str]]:
        command = (sys.executable, "-m", "lendlog", "policy", "check", "--json", *(str(tmp_path / n) for n in names))
        done = subprocess.run(command, text=True, capture_output=True, timeout=60, cwd=ROOT)
        return done.returncode, [one["rule"] for one in json.loads(done.stdout)["findings"]]

    assert call("a.yaml", "b.yaml", "none.yaml") == (2, ["not-yaml", "unknown-kind", "not-readable"])
    assert call("c.yaml") == (0, [])
    (tmp_path / "c.yaml").write_text(files["c.yaml"].replace("below: 560", "below: 570", 1), encoding="utf-8")
    assert call("c.yaml") == (1, ["band-overlap"])


def test_the_attributes_are_those_that_applications_are_measured_by() -> None:
    names = {constant for constant in measure.__code__.co_consts if isinstance(constant, tuple)}
    assert any(set(keys) == ATTRIBUTES for keys in names)
