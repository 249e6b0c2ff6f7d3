"""The dashboard: the rules of Grafana's dashboard linter, and every name in it is one that the code declares."""

import json
import re
from typing import Any

import pytest

from lendlog.dashboard import DASHBOARD, document, expressions, text
from tests.deployed import SCRAPED, all_series, asked, grouped, selectors

UNITS = {"short", "s", "ops", "reqps", "percentunit"}
PANELS: list[dict[str, Any]] = [panel for panel in document()["panels"] if panel["type"] != "row"]
TITLES = [panel["title"] for panel in PANELS]
WIDTH = 24


def test_the_file_is_what_the_table_gives() -> None:
    assert DASHBOARD.read_text() == text(), "run `make generate`"
    assert json.loads(text()) == document()


def test_nobody_edits_it_in_grafana() -> None:
    assert document()["editable"] is False


def test_the_data_source_the_job_and_the_instance_are_variables_that_follow_the_time_range() -> None:
    variables = {one["name"]: one for one in document()["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "service", "instance"]
    source = variables.pop("datasource")
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    for name, variable in variables.items():
        assert variable["label"] == name.capitalize()
        assert variable["datasource"]["uid"] == "${datasource}"
        assert (variable["type"], variable["multi"], variable["allValue"]) == ("query", True, ".+")
        assert variable["refresh"] == 2
        assert re.fullmatch(r"label_values\(up(\{.+\})?, " + name + r"\)", variable["query"]["query"])


@pytest.mark.parametrize("panel", PANELS, ids=TITLES)
def test_a_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert 1 <= len(panel["targets"]) <= 5
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_have_their_own_numbers_and_places() -> None:
    every = document()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len(set(TITLES)) == len(TITLES)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < WIDTH
        taken |= cells


@pytest.mark.parametrize("query", list(expressions()), ids=lambda query: query[0])
def test_every_query_is_narrowed_by_the_variables(query: tuple[str, str]) -> None:
    for _, _, matchers in selectors(query[1]):
        assert matchers.items() >= {"job": "$job", "instance": "$instance", "service": "$service"}.items()


@pytest.mark.parametrize("query", list(expressions()), ids=lambda query: query[0])
def test_rates_are_over_the_interval_that_grafana_chooses(query: tuple[str, str]) -> None:
    for function, window in re.findall(r"(rate|irate)\([^()]*\[([^\]]+)\]", query[1]):
        assert window == "$__rate_interval", function


@pytest.mark.parametrize(("where", "expression"), asked(), ids=[where for where, _ in asked()])
def test_counters_are_never_shown_as_they_are(where: str, expression: str) -> None:
    for names, before, _ in selectors(expression):
        if any(name.endswith(("_total", "_bucket", "_sum", "_count")) for name in names):
            assert before.endswith(("rate(", "increase(")), where


@pytest.mark.parametrize(("where", "expression"), asked(), ids=[where for where, _ in asked()])
def test_every_metric_and_label_is_one_that_the_code_declares(where: str, expression: str) -> None:
    series = all_series()
    found = list(selectors(expression))
    assert found
    known = set(SCRAPED)
    for names, _, matchers in found:
        assert names
        assert [name for name in names if name not in series] == []
        labels = {*SCRAPED, *(label for name in names for label in series[name])}
        assert matchers.keys() <= labels
        known |= labels
    assert grouped(expression) <= known
