"""Enters running loans of a file by the ledger's own commands, and holds the books against file and control totals."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lendlog.loans_file import AMOUNTS, COUNTS, Arrival, Manifest, Refused, Totals, refused_as, texts, totals
from services.ledger.commands.model import Command
from services.ledger.commands.recorder import Recorded
from services.ledger.commands.refusals import BookNotOpen
from services.ledger.engine.accounts import (
    FEES_RECEIVABLE,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    MIGRATION_CLEARING,
    OVERPAYMENT,
    PENALTIES_RECEIVABLE,
)
from shared.errors import MissingPrecondition, Refusal
from shared.money import code_of
from shared.partitioner import partition_for

LOANS_A_TRANSACTION = 50
"""So many are recorded at once: fewer than a unit of work locks one by one."""


class Recorder(Protocol):
    """Where commands go: the ledger's, all of one call in one transaction, a repeated event id writing nothing."""

    async def record_many(self, commands: Sequence[Command]) -> list[Recorded]:
        """Record all or none, in order."""


@dataclass(slots=True)
class Outcome:
    """What became of the lines; `already_there`: entered by an import before this one."""

    entered: list[Arrival] = field(default_factory=list)
    already_there: list[Arrival] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    """Loans of the file that the books hold, but do not take further."""
    sides: dict[str, Totals] = field(default_factory=dict)
    """Totals of the `file` (all lines that were not refused), of the `books`, and the `control` if there is one."""

    def differences(self) -> list[str]:
        """Each figure on which the sides do not agree."""
        found, file = [], self.sides["file"]
        for side in ("books", "control"):
            other = self.sides.get(side, {})
            for code in sorted(file.keys() | other.keys()):
                ours, theirs = file.get(code, {}), other.get(code, {})
                for name in theirs if side == "control" else (*COUNTS, *AMOUNTS):
                    if (a := ours.get(name, 0)) != (b := theirs.get(name, 0)):
                        said = {"file": texts(code, {name: a})[name], side: texts(code, {name: b})[name]}
                        found.append(
                            f"{code} {name}: " + ", ".join(f"{which} {figure}" for which, figure in said.items())
                        )
        return found

    @property
    def ok(self) -> bool:
        """Whether every line is in the books, and all totals agree."""
        return not self.refused and not self.parked and not self.differences()

    def document(self) -> dict[str, Any]:
        """As `lendlog import loans --json` prints it."""
        return {
            "ok": self.ok,
            "entered": len(self.entered),
            "already_there": len(self.already_there),
            "refused": [
                {"line": one.line, "loan_id": one.loan_id, "rule": one.rule, "reason": one.reason}
                for one in self.refused
            ],
            "parked": self.parked,
            "totals": {
                side: {code: texts(code, sums) for code, sums in sorted(found.items())}
                for side, found in self.sides.items()
            },
            "differences": self.differences(),
        }


async def import_loans(
    manifest: Manifest,
    control: Totals | None,
    *,
    commands: Recorder,
    books: Any,
    until_in: Callable[[str], Awaitable[None]],
    partitions: int,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Enter the loans, each as contract and take-over in one transaction; return once they are in the books.

    A line that is refused leaves nothing behind; the others go on. Started again after a kill, or with refused lines
    mended, it enters what is missing. `until_in` returns when an event is in the books (an asyncpg connection whose
    search path is their schema). Raises MissingPrecondition if the book is not open.
    """
    outcome = Outcome(refused=list(manifest.refused))
    done = 0
    for start in range(0, len(manifest.arrivals), LOANS_A_TRANSACTION):
        some = manifest.arrivals[start : start + LOANS_A_TRANSACTION]
        await _enter(some, commands, outcome)
        done += len(some)
        if progress is not None:
            progress(done, len(manifest.arrivals))
    outcome.refused.sort(key=lambda one: one.line)
    standing = sorted([*outcome.entered, *outcome.already_there], key=lambda one: one.line)
    for event_id in {partition_for(one.loan.loan_id.encode(), partitions): one.event_id for one in standing}.values():
        await until_in(event_id)
    outcome.sides = {"file": totals(standing), "books": await booked(books, standing)}
    if control is not None:
        outcome.sides["control"] = control
    ids = [one.loan.loan_id for one in standing]
    outcome.parked = [row["loan_id"] for row in await books.fetch(_PARKED, ids)]
    return outcome


async def _enter(some: Sequence[Arrival], commands: Recorder, outcome: Outcome) -> None:
    """All in one transaction; where one is refused, each in its own."""
    try:
        recorded = await commands.record_many([command for one in some for command in one.commands])
    except BookNotOpen as refusal:
        raise MissingPrecondition(
            "Open the book first, on a date that no cut-over is after: POST /v1/book."
        ) from refusal
    except Refusal as refusal:
        if len(some) == 1:
            outcome.refused.append(refused_as(some[0].line, some[0].loan.loan_id, refusal))
            return
        for one in some:
            await _enter([one], commands, outcome)
        return
    repeated = {one.event_id for one in recorded if one.repeated}
    for one in some:
        (outcome.already_there if one.event_id in repeated else outcome.entered).append(one)


_PARKED = "SELECT loan_id FROM parked_loan WHERE loan_id = ANY($1::text[]) ORDER BY loan_id"
_IN = "SELECT event_id FROM event WHERE event_id = ANY($1::uuid[])"
# What was booked against migration clearing by these events, by the account on the other side; debits positive.
_BOOKED = """
SELECT currency, CASE WHEN credit = $2 THEN debit ELSE credit END AS account,
       sum(CASE WHEN credit = $2 THEN amount ELSE -amount END)::bigint AS amount
FROM posting JOIN event USING (partition, "offset")
WHERE event_id = ANY($1::uuid[]) AND $2 IN (debit, credit) GROUP BY 1, 2
"""
_SIGNED = {
    LOANS_RECEIVABLE: ("principal_outstanding", 1),
    INTEREST_RECEIVABLE: ("interest_due", 1),
    FEES_RECEIVABLE: ("fees_due", 1),
    PENALTIES_RECEIVABLE: ("penalties_due", 1),
    OVERPAYMENT: ("overpaid", -1),
}


async def booked(books: Any, arrivals: Sequence[Arrival]) -> Totals:
    """The same totals, summed from the opening entries in the books."""
    by_id = {one.event_id: one for one in arrivals}
    found: Totals = defaultdict(lambda: dict.fromkeys((*COUNTS, *AMOUNTS), 0))
    for row in await books.fetch(_IN, list(by_id)):
        one = by_id[str(row["event_id"])]
        for name in COUNTS:
            found[one.code][name] += one.figures[name]
    for row in await books.fetch(_BOOKED, list(by_id), MIGRATION_CLEARING):
        if (signed := _SIGNED.get(row["account"])) is not None:
            name, sign = signed
            found[code_of(row["currency"])][name] += sign * row["amount"]
    return dict(found)
