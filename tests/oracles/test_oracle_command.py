"""`lendlog oracle`: what it prints, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lendlog.cli import build
from lendlog.oracle.cases import UnreadableCases

RIGHT = {"id": "right", "kind": "pmt", "input": {"rate": 0, "n": 4, "pv": 100}, "expected": {"pmt": -25}}
WRONG = RIGHT | {"id": "wrong", "expected": {"pmt": -26.5}}
REFUSED = {
    "id": "refused",
    "kind": "irr",
    "category": "returns",
    "input": {"cashflows": [100, 10]},
    "expected": {"irr": 0.1},
}


def oracle(tmp_path: Path, cases: Any, *options: str) -> Result:
    path = tmp_path / "cases.json"
    path.write_text(cases if isinstance(cases, str) else json.dumps(cases))
    arguments = ["oracle", str(path), *options]
    return CliRunner().invoke(build(arguments), arguments)


def test_all_passed_is_exit_0_and_counts(tmp_path: Path) -> None:
    result = oracle(tmp_path, [RIGHT, RIGHT | {"category": "annuities"}])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "category   passed  failed",
        "annuities       1       0",
        "pmt             1       0",
        "all             2       0",
    ]


def test_a_failing_case_is_shown_side_by_side_and_is_exit_1(tmp_path: Path) -> None:
    result = oracle(tmp_path, [RIGHT, WRONG])
    assert result.exit_code == 1
    assert result.output.splitlines()[:3] == [
        "FAILED  wrong (pmt)",
        "  where  expected  actual",
        "  pmt    -26.5     -25",
    ]
    assert result.output.splitlines()[-1] == "all            1       1"


def test_the_document_counts_by_category_and_names_the_differences(tmp_path: Path) -> None:
    result = oracle(tmp_path, [RIGHT, WRONG, REFUSED], "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "passed": 1,
        "failed": 2,
        "by_category": {"pmt": {"passed": 1, "failed": 1}, "returns": {"passed": 0, "failed": 1}},
        "failures": [
            {
                "id": "wrong",
                "category": "pmt",
                "differences": [{"where": "pmt", "expected": "-26.5", "actual": "-25"}],
            },
            {
                "id": "refused",
                "category": "returns",
                "differences": [
                    {
                        "where": "the case",
                        "expected": "figures",
                        "actual": "What is paid and what is received balance at no rate.",
                    }
                ],
            },
        ],
    }


def test_no_more_failures_than_asked_for_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    many = [WRONG | {"id": f"w{n}"} for n in range(12)]
    text = oracle(tmp_path, many).output
    assert text.count("FAILED") == 10
    assert "2 more failed." in text
    assert oracle(tmp_path, many, "--failures", "0").output.count("FAILED") == 0
    assert len(json.loads(oracle(tmp_path, many, "--json").output)["failures"]) == 12
    shown = json.loads(oracle(tmp_path, many, "--json", "--failures", "3").output)
    assert (shown["failed"], len(shown["failures"])) == (12, 3)


def test_one_case_can_be_run_alone(tmp_path: Path) -> None:
    assert oracle(tmp_path, [RIGHT, WRONG], "--only", "right").exit_code == 0
    assert isinstance(oracle(tmp_path, [RIGHT], "--only", "left").exception, UnreadableCases)


def test_a_kind_that_is_not_known_a_missing_figure_and_a_defect_fail_their_case_alone(tmp_path: Path) -> None:
    cases = [
        RIGHT | {"id": "kind", "kind": "horoscope"},
        RIGHT | {"id": "nothing-expected", "expected": {}},
        RIGHT | {"id": "no-input", "input": None},
        RIGHT | {"id": "no-rate", "input": {"n": 4, "pv": 100}},
        RIGHT | {"id": "not-a-number", "input": {"rate": "x", "n": 4, "pv": 100}},
        RIGHT | {"id": "no-such-figure", "expected": {"pmtt": -25}},
        RIGHT | {"id": "no-term", "input": {"rate": 0, "n": 0, "pv": 100}},
        RIGHT,
    ]
    result = oracle(tmp_path, cases, "--json")
    document = json.loads(result.output)
    assert (document["passed"], document["failed"]) == (1, 7)
    said = {failure["id"]: failure["differences"][0]["actual"] for failure in document["failures"]}
    assert said["kind"] == "horoscope"
    assert said["nothing-expected"] == "The case has no expected."
    assert said["no-input"] == "The case has no input."
    assert said["no-rate"] == "The input has no rate."
    assert said["not-a-number"] == "'x' is not a number."
    assert said["no-such-figure"] == "no such figure"
    assert said["no-term"].startswith("DivisionByZero")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"id": "a"}', "is not a list of cases."),
        ("[1]", "case 1 is not an object."),
        ('[{"id": "a", "kind": "pmt"}, {"kind": "pmt"}]', "case 2 has no id."),
        ('[{"id": "a"}]', "case 1 (a) has no kind."),
    ],
)
def test_a_bad_file_is_named_with_the_case_and_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    error = oracle(tmp_path, text).exception
    assert isinstance(error, UnreadableCases)
    assert "cases.json" in str(error)
    assert said in str(error)


def test_bad_files_are_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lendlog import cli

    missing = str(tmp_path / "none.json")
    monkeypatch.setattr("sys.argv", ["lendlog", "oracle", missing, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert json.loads(capsys.readouterr().out) == {"error": f"{missing}: No such file or directory."}
