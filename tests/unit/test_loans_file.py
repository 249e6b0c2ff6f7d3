"""A file of running loans: each line a loan or a refusal, its event ids its own, and totals that can be controlled."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lendlog.loans_file import read, read_control, totals
from lendlog.loans_import import Outcome, import_loans
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.commands.model import Command
from services.ledger.commands.recorder import Recorded
from shared.errors import MissingPrecondition
from tests.unit.ledger.test_take_over import FOUND, TERMS

STAMP = Stamp("2025-02-15T10:00:00.000000Z")


def line(loan_id: str, **changes: Any) -> dict[str, Any]:
    contract = {"borrower_id": f"of-{loan_id}", "product": "old@1", "terms": TERMS}
    return {"loan_id": loan_id, "contract": contract, "cut_over": "2025-02-15", "positions": FOUND | changes}


def file(where: Path, *lines: dict[str, Any] | str) -> Path:
    path = where / "loans.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines) + "\n")
    return path


def test_a_line_that_is_no_loan_is_refused_by_number_and_the_others_go_on(tmp_path: Path) -> None:
    found = read(
        file(
            tmp_path,
            line("L1"),
            "",
            "{not json",
            line("L2") | {"colour": "red"},
            line("L3", principal_outstanding="1.00"),
            line("L1"),
        )
    )
    assert [one.loan.loan_id for one in found.arrivals] == ["L1"]
    assert [(one.line, one.loan_id, one.rule) for one in found.refused] == [
        (3, None, "not-a-loan"),
        (4, None, "not-a-loan"),
        (5, "L3", "principal-differs"),
        (6, "L1", "loan-twice"),
    ]
    assert "colour" in found.refused[1].reason
    assert found.refused[2].reason.startswith("principal_outstanding: ")


def test_totals_are_by_currency_and_leave_out_claims_that_are_no_assets(tmp_path: Path) -> None:
    crowns = line("L3")
    crowns["contract"] = crowns["contract"] | {"terms": TERMS | {"currency": "CZK"}}
    arrivals = read(file(tmp_path, line("L1"), line("L2", charged_off_on="2025-02-10"), crowns)).arrivals
    one = {
        "loans": 1, "charged_off": 0, "principal_outstanding": 65_000, "interest_due": 100, "fees_due": 200,
        "penalties_due": 300, "overpaid": 0,
    }  # fmt: skip
    assert totals(arrivals) == {"EUR": one | {"loans": 2, "charged_off": 1}, "CZK": one}


class Recorder:
    """The ledger's rules without a database."""

    def __init__(self, opened: date | None = date(2025, 2, 15)) -> None:
        self.guards = Guards(opened)
        self.recorded: set[str] = set()

    async def record_many(self, commands: Sequence[Command]) -> list[Recorded]:
        kept, known = dict(self.guards.loans), set(self.recorded)
        try:
            return [self._record(command) for command in commands]
        except Exception:
            self.guards.loans, self.recorded = kept, known
            raise

    def _record(self, command: Command) -> Recorded:
        if repeated := command.event_id in self.recorded:
            return Recorded(command.event_id, repeated)
        decide(command, self.guards, partitions=1, stamp=STAMP)
        evolve(command, self.guards)
        self.recorded.add(command.event_id)
        return Recorded(command.event_id, repeated)


class NoBooks:
    """Books that took nothing in."""

    async def fetch(self, *_: Any) -> list[Any]:
        return []


async def entered(path: Path, recorder: Recorder, control: Any = None) -> Outcome:
    async def in_the_books(_event_id: str) -> None:
        return None

    return await import_loans(
        read(path), control, commands=recorder, books=NoBooks(), until_in=in_the_books, partitions=1
    )


async def test_an_import_that_is_repeated_enters_what_is_missing_and_refuses_what_was_changed(tmp_path: Path) -> None:
    recorder = Recorder()
    first = await entered(file(tmp_path, line("L1"), line("L2") | {"cut_over": "2025-02-16"}), recorder)
    assert [one.loan.loan_id for one in first.entered] == ["L1"]
    assert [(one.line, one.rule) for one in first.refused] == [(2, "value-date-ahead")]
    again = await entered(file(tmp_path, line("L1"), line("L2")), recorder)
    assert [one.loan.loan_id for one in again.already_there] == ["L1"]
    assert [one.loan.loan_id for one in again.entered] == ["L2"]
    changed = await entered(file(tmp_path, line("L1", disbursed_on="2025-01-02"), line("L2")), recorder)
    assert [(one.line, one.rule) for one in changed.refused] == [(1, "loan-already-contracted")]


async def test_books_and_control_totals_that_differ_from_the_file_are_told_by_figure(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_text('{"EUR": {"loans": 1, "principal_outstanding": "651.00"}}')
    control = read_control(tmp_path / "control.json")
    outcome = await entered(file(tmp_path, line("L1")), Recorder(), control)
    assert not outcome.ok
    assert "EUR principal_outstanding: file 650.00, books 0.00" in outcome.differences()
    assert "EUR principal_outstanding: file 650.00, control 651.00" in outcome.differences()
    assert not any("loans" in one and "control" in one for one in outcome.differences())


@pytest.mark.parametrize(
    "said", ['{"EUR": {"loans": "1"}}', '{"EUR": {"tea": 1}}', "[1]", "{", '{"EUR": {"overpaid": "1.001"}}']
)
def test_control_totals_that_say_nothing_are_a_missing_precondition(tmp_path: Path, said: str) -> None:
    (tmp_path / "control.json").write_text(said)
    with pytest.raises(MissingPrecondition, match="control totals"):
        read_control(tmp_path / "control.json")


def test_the_example_in_the_manual_is_a_file_and_its_control_totals(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
    loan, control = (block.partition("```")[0] for block in page.split("```json\n")[1:])
    (tmp_path / "control.json").write_text(control)
    found = read(file(tmp_path, json.loads(loan)))
    assert found.refused == []
    assert totals(found.arrivals) == read_control(tmp_path / "control.json")


async def test_the_book_must_be_open(tmp_path: Path) -> None:
    with pytest.raises(MissingPrecondition, match="Open the book"):
        await entered(file(tmp_path, line("L1")), Recorder(None))
    with pytest.raises(MissingPrecondition, match="can't be read"):
        read(tmp_path / "nothing.jsonl")
