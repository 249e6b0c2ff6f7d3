"""Reading case files, and judging a case by its kind."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from lendlog.oracle import rates, risk, schedules
from lendlog.oracle.difference import Difference, compare
from lendlog.oracle.given import Case, Figures, NotAFigure, number
from shared.errors import InvariantBroken, Refusal

FIGURES: dict[str, Figures] = {**rates.FIGURES, **schedules.FIGURES, **risk.FIGURES}
HISTORIES = frozenset({"simple", "servicing"})
"""Kinds that are loan histories in steps."""


class UnreadableCases(Refusal):
    """A file of cases is not a JSON list of objects with id and kind."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case; it passed if there are no differences."""

    case_id: str
    category: str
    differences: tuple[Difference, ...]


def read(path: Path) -> list[Case]:
    """The cases of a file. Raises UnreadableCases: which file, which case, what is wrong."""
    try:
        cases = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise UnreadableCases(f"{path}: {error.strerror}.") from None
    except ValueError as error:  # not JSON, or not even text
        raise UnreadableCases(f"{path} is not JSON: {error}.") from None
    if not isinstance(cases, list):
        raise UnreadableCases(f"{path} is not a list of cases.")
    for number_in_file, case in enumerate(cases, start=1):
        if not isinstance(case, dict):
            raise UnreadableCases(f"{path}: case {number_in_file} is not an object.")
        for name in ("id", "kind"):
            if not isinstance(case.get(name), str) or not case[name]:
                shown = f" ({case['id']})" if name == "kind" else ""
                raise UnreadableCases(f"{path}: case {number_in_file}{shown} has no {name}.")
    return cases


def run(case: Case) -> Outcome:
    """Judge a case; whatever goes wrong within it is a difference of that case alone."""
    category = case.get("category") or case["kind"]
    try:
        differences = judge(case)
    except (Refusal, InvariantBroken) as refusal:
        differences = [Difference("the case", "figures", str(refusal))]
    except Exception as error:  # noqa: BLE001  one case's failure must not hide how the others fare
        differences = [Difference("the case", "figures", f"{type(error).__name__}: {error}")]
    return Outcome(case["id"], str(category), tuple(differences))


def judge(case: Case) -> list[Difference]:
    """Where our figures differ from the expected ones. Raises what the engine refuses, or finds missing in the case."""
    kind = case["kind"]
    if kind in HISTORIES:
        from lendlog.oracle import fineract  # the ledger's whole engine: the other kinds don't need it

        return fineract.differences(case)
    if kind not in FIGURES:
        return [Difference("kind", f"one of {', '.join(sorted({*FIGURES, *HISTORIES}))}", kind)]
    for name in ("input", "expected"):
        if not isinstance(case.get(name), dict) or not case[name]:
            raise NotAFigure(f"The case has no {name}.")
    return compare(case["expected"], FIGURES[kind](case), number(case.get("tolerance", 0)))
