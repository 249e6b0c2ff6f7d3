"""Statements and lines as JSON."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from services.ledger.bank.lender import BankAccount
from services.ledger.bank.refusals import UnknownLine
from services.ledger.bank.state import AccountState, LineState

OPEN = ("ambiguous", "unmatched", "partial")
"""Outcomes about which a person has something to decide."""


def line_document(line: LineState) -> dict[str, Any]:
    """A line as it is now."""
    said = line.line
    return {
        "line_id": line.line_id,
        "account": line.account,
        "statement_id": line.statement_id,
        "n": said.n,
        "booked_on": said.booked_on.isoformat(),
        "value_date": said.value_date.isoformat(),
        "amount": said.amount,
        "currency": line.currency,
        "reference": said.reference,
        "bank_reference": said.bank_reference,
        "outcome": line.outcome,
        "allocations": [one.model_dump() for one in line.allocations],
        "candidates": list(said.candidates),
        "expected": said.expected,
        "code": said.code,
        "other_account": line.other_account,
        "reason": line.reason,
    }


def line_documents(
    states: Mapping[str, tuple[BankAccount, AccountState]],
    outcome: str | None,
    account: str | None,
    *,
    beyond: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The lines of these accounts in order, those of one outcome or account where it is named; `beyond`: those after
    this line, whatever it is by now, `limit` of them at most. Raises UnknownLine."""
    lines = (line for _, state in states.values() for line in state.lines.items())
    if beyond is not None and not any(name == beyond for name, _ in lines):  # what is left of `lines` comes after it
        raise UnknownLine(f"No statement that was taken has a line {beyond}.", field="cursor")
    found = (line for _, line in lines if account in (None, line.account) and outcome in (None, line.outcome))
    return [line_document(line) for line in islice(found, limit)]


def statement_document(state: AccountState, statement_id: str, *, repeated: bool = False) -> dict[str, Any]:
    """A statement that was taken, with how many of its lines are what. `repeated`: it was taken before, and nothing
    was changed now."""
    data = next(one for one in state.statements if one.statement_id == statement_id)
    lines = [line for line in state.lines.values() if line.statement_id == statement_id]
    return {
        "account": data.account,
        "statement_id": data.statement_id,
        "sequence": data.sequence,
        "currency": data.currency,
        "from": data.opens.isoformat(),
        "to": data.closes.isoformat(),
        "opening": data.opening,
        "closing": data.closing,
        "lines": len(lines),
        "pending": data.pending,
        "repeated": repeated,
        "outcomes": dict(sorted(Counter(line.outcome for line in lines).items())),
        "open": sum(line.outcome in OPEN for line in lines),
    }
