"""Statements and lines as JSON."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from services.ledger.bank.lender import BankAccount
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
        "other_account": line.other_account,
        "reason": line.reason,
    }


def line_documents(
    states: Mapping[str, tuple[BankAccount, AccountState]], outcome: str | None, account: str | None
) -> list[dict[str, Any]]:
    """The lines of these accounts in order, those of one outcome or account where it is named."""
    return [
        line_document(line)
        for name, (_, state) in states.items()
        if account in (None, name)
        for line in state.lines.values()
        if outcome in (None, line.outcome)
    ]


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
