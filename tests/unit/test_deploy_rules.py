"""Alert rules and what stands around them: runbooks, severities, the services and jobs that are scraped."""

import re

import pytest
import yaml

from lendlog.services import SERVICES
from tests.deployed import DEPLOY, RUNBOOKS, alerts

NAMES = [rule["alert"] for rule in alerts()]
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


@pytest.mark.parametrize("rule", alerts(), ids=NAMES)
def test_an_alert_says_how_urgent_it_is_in_one_sentence_and_where_its_runbook_is(
    rule: dict[str, dict[str, str]],
) -> None:
    name = str(rule["alert"])
    assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md"
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS


def test_names_are_used_once_and_every_runbook_belongs_to_an_alert() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"} == set(NAMES)
    table = (RUNBOOKS / "README.md").read_text()
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
    assert dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", table, re.MULTILINE)) == severities


def test_every_service_is_scraped_and_watched_for_absence() -> None:
    containers = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job = next(job for job in containers["scrape_configs"] if job["job_name"] == "lendlog")
    names = {f"{service}-{process}" for service in SERVICES for process in ("api", "worker")}
    names |= {"ledger-auditor", "ledger-notary"}
    assert set(job["dns_sd_configs"][0]["names"]) == names
    absent = next(rule for rule in alerts() if rule["alert"] == "ServiceAbsent")["expr"]
    assert set(re.findall(r'service="(\w+)"', absent)) == set(SERVICES)


def test_both_configurations_scrape_under_the_job_of_the_rules_and_as_often() -> None:
    intervals = set()
    for name in ("prometheus.yml", "one-machine.yml"):
        configuration = yaml.safe_load((DEPLOY / "prometheus" / name).read_text())
        assert configuration["rule_files"] == ["rules/*.yml"]
        assert "lendlog" in {job["job_name"] for job in configuration["scrape_configs"]}
        intervals.add(configuration["global"]["scrape_interval"])
    source = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())
    assert {source["datasources"][0]["jsonData"]["timeInterval"]} == intervals
