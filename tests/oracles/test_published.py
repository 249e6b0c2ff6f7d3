"""Figures that others published (data/published.json names each source) come out of the product."""

from pathlib import Path

import pytest

from lendlog.oracle.cases import judge, read
from lendlog.oracle.given import Case

CASES = read(Path(__file__).parent / "data" / "published.json")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_published_case_gives_its_figures(case: Case) -> None:
    assert judge(case) == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_published_case_with_another_figure_fails(case: Case) -> None:
    changed = case | {"expected": {name: _changed(value) for name, value in case["expected"].items()}}
    assert len(judge(changed)) >= len(case["expected"])


def _changed(value: object) -> object:
    match value:
        case dict():
            return {name: _changed(inner) for name, inner in value.items()}
        case list():
            return [_changed(inner) for inner in value]
        case _:
            return value + 1  # type: ignore[operator]
