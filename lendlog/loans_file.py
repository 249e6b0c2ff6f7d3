"""A file of running loans that come from another system, as commands and control totals. Pure.

JSON lines, one loan a line: `loan_id`; `contract` and `positions` as in the events `origination.LoanContracted.v1` and
`ledger.LoanTakenOver.v1`; `cut_over`, the date on which the loan stood as the positions say when it began.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from pydantic import ValidationError

from services.ledger.commands.model import Command, ConcludeContract, TakeOver
from services.ledger.engine.account import FEE, INTEREST, PENALTY, PRINCIPAL
from services.ledger.engine.positions import checked
from shared.errors import MissingPrecondition, Refusal
from shared.events.envelope import Data, LoanId
from shared.events.origination import Contract
from shared.events.take_over import OpeningPositions
from shared.money import decimal_text, minor_units

_IDS = uuid5(NAMESPACE_URL, "https://lendlog.dev/loans")
AMOUNTS = ("principal_outstanding", "interest_due", "fees_due", "penalties_due", "overpaid")
COUNTS = ("loans", "charged_off")
Totals = dict[str, dict[str, int]]
"""By currency code: counts, and amounts in minor units. Claims of charged-off loans are no assets and not in them."""


class LoanLine(Data):
    """One line of the file."""

    loan_id: LoanId
    contract: Contract
    cut_over: date
    positions: OpeningPositions


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not entered, and why: the name of the rule, and a sentence."""

    line: int
    loan_id: str | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line that is in order: its number in the file, its loan, and the commands that enter it."""

    line: int
    loan: LoanLine
    commands: tuple[Command, ...]
    figures: Mapping[str, int]

    @property
    def code(self) -> str:
        """The loan's currency."""
        return self.loan.contract.terms.currency

    @property
    def event_id(self) -> str:
        """The take-over's."""
        return self.commands[-1].event_id


@dataclass(slots=True)
class Manifest:
    """What a file holds."""

    arrivals: list[Arrival] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def read(file: Path) -> Manifest:
    """All lines of the file that are in order by themselves, and those that are not. Raises MissingPrecondition."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingPrecondition(f"{file} can't be read: {error}.") from error
    found, seen = Manifest(), dict[str, int]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            arrival = _arrival(number, LoanLine.model_validate_json(line, extra="forbid"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "/".join(map(str, first["loc"])) or "the line"
            found.refused.append(Refused(number, None, "not-a-loan", f"{where}: {first['msg']}"))
            continue
        except _LineRefused as refused:
            found.refused.append(refused_as(number, refused.loan_id, refused.refusal))
            continue
        loan_id = arrival.loan.loan_id
        if (before := seen.setdefault(loan_id, number)) != number:
            found.refused.append(Refused(number, loan_id, "loan-twice", f"It stands on line {before} too."))
        else:
            found.arrivals.append(arrival)
    return found


class _LineRefused(Exception):
    """The positions of a loan are not in order."""

    def __init__(self, loan_id: str, refusal: Refusal) -> None:
        super().__init__(loan_id)
        self.loan_id, self.refusal = loan_id, refusal


def refused_as(line: int, loan_id: str, refusal: Refusal) -> Refused:
    """A refusal of a loan's line."""
    where = f"{refusal.field}: " if refusal.field else ""
    title = (type(refusal).__doc__ or "").strip()
    return Refused(line, loan_id, refusal.rule(), f"{where}{title} {refusal.detail}".strip())


def _arrival(number: int, loan: LoanLine) -> Arrival:
    """The same line gives the same event ids, so that entering it again does nothing; a line that was changed has
    others, and is refused once the loan is there."""
    digest = sha256(loan.model_dump_json().encode()).hexdigest()
    contract_id, take_over_id = (str(uuid5(_IDS, f"{loan.loan_id}/{what}/{digest}")) for what in ("contract", "cut"))
    commands = (
        ConcludeContract(loan.loan_id, loan.contract, contract_id),
        TakeOver(loan.loan_id, loan.positions, loan.cut_over, take_over_id),
    )
    try:
        return Arrival(number, loan, commands, _figures(loan))
    except Refusal as refusal:
        raise _LineRefused(loan.loan_id, refusal) from refusal


def _figures(loan: LoanLine) -> dict[str, int]:
    """The loan's part of the control totals; raises what is refused of its positions."""
    opening = checked(loan.contract.terms, loan.positions, loan.cut_over)
    counts = {"loans": 1, "charged_off": int(loan.positions.charged_off_on is not None)}
    left, claims = opening.left, not counts["charged_off"]
    return counts | {
        "principal_outstanding": claims * sum(left[PRINCIPAL]),
        "interest_due": claims * sum(left[INTEREST][: opening.fallen]),
        "fees_due": claims * sum(left[FEE]),
        "penalties_due": claims * sum(left[PENALTY]),
        "overpaid": opening.overpaid,
    }


def totals(arrivals: Iterable[Arrival]) -> Totals:
    """What the lines add up to."""
    found: Totals = defaultdict(lambda: dict.fromkeys((*COUNTS, *AMOUNTS), 0))
    for arrival in arrivals:
        sums = found[arrival.code]
        for name, figure in arrival.figures.items():
            sums[name] += figure
    return dict(found)


def read_control(file: Path) -> Totals:
    """Control totals as a JSON object: by currency code any of COUNTS as numbers, and of AMOUNTS as decimal text.
    Raises MissingPrecondition."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return {
            code: {name: _total(code, name, figure) for name, figure in sums.items()} for code, sums in said.items()
        }
    except (OSError, ValueError, AttributeError, Refusal) as error:
        raise MissingPrecondition(f"The control totals {file} can't be used: {error}.") from error


def _total(code: str, name: str, figure: object) -> int:
    if name in COUNTS and isinstance(figure, int):
        return figure
    if name in AMOUNTS and isinstance(figure, str):
        return minor_units(figure, code)
    wanted = f"a number of {' or '.join(COUNTS)}, or decimal text of {', '.join(AMOUNTS)}"
    raise ValueError(f"{code}/{name} is {figure!r}, not {wanted}")


def texts(code: str, sums: Mapping[str, int]) -> dict[str, int | str]:
    """Totals with amounts as decimal text."""
    return {name: decimal_text(figure, code) if name in AMOUNTS else figure for name, figure in sums.items()}
