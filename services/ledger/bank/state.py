"""What is known of an account: a fold of its events on the log, so that replaying them gives it again."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from shared.events.bank import (
    UNMATCHED,
    Allocation,
    BankLine,
    BankLineAssigned,
    BankStatement,
    BankStatementTaken,
    LineAssignment,
    Outcome,
)
from shared.events.envelope import derived_event_id
from shared.money import minor_units


@dataclass(frozen=True, slots=True)
class LineState:
    """A line of a statement, and what it is now."""

    account: str
    statement_id: str
    currency: str
    line: BankLine
    outcome: Outcome
    allocations: tuple[Allocation, ...]
    revision: int = 0
    reason: str | None = None
    other_account: str | None = None

    @property
    def line_id(self) -> str:
        """The line's id."""
        return line_id(self.account, self.statement_id, self.line.n)

    @property
    def amount(self) -> int:
        """Signed minor units."""
        return signed_minor(self.line.amount, self.currency)


@dataclass(slots=True)
class AccountState:
    """An account's statements in order, without their lines, and its lines by id."""

    statements: list[BankStatement] = field(default_factory=list)
    lines: dict[str, LineState] = field(default_factory=dict)
    last_event: str | None = None

    def take(self, statement: BankStatement, event_id: str) -> None:
        """The account after one more statement."""
        self.statements.append(statement.model_copy(update={"lines": ()}))
        for said in statement.lines:
            line = LineState(
                statement.account,
                statement.statement_id,
                statement.currency,
                said,
                said.outcome,
                said.allocations,
                other_account=said.other_account,
            )
            self.lines[line.line_id] = line
        self.last_event = event_id

    def assign(self, data: LineAssignment, event_id: str) -> None:
        """The account after a person said what a line is."""
        name = line_id(data.account, data.statement_id, data.n)
        self.lines[name] = replace(
            self.lines[name],
            outcome=data.outcome,
            allocations=data.allocations,
            revision=data.revision,
            reason=data.reason,
            other_account=data.other_account,
        )
        self.last_event = event_id

    def linked(self) -> frozenset[str]:
        """The facts of the books that stand for a line."""
        return frozenset(one.event_id for line in self.lines.values() for one in line.allocations)


def line_id(account: str, statement_id: str, n: int) -> str:
    """The id of a line, from which the ids of all that follows from it derive: the same whenever it is read again."""
    return derived_event_id(f"bank-line:{account}:{statement_id}", 0, account, n)


def statement_event_id(account: str, statement_id: str, digest: str) -> str:
    """The id of the event that takes a statement in; another content is another event, which is refused."""
    return derived_event_id(f"bank-statement:{account}:{statement_id}:{digest}", 0, account, 0)


def suspense_id(line: str) -> str:
    """The pseudo-loan on which money waits that came in by this line and fits no loan (decision 11)."""
    return f"{UNMATCHED}{line}"


def signed_minor(text: str, currency: str) -> int:
    """Minor units of a signed amount."""
    minor = minor_units(text.lstrip("-"), currency)
    return -minor if text.startswith("-") else minor


def fold_account(events: Iterable[Any]) -> AccountState:
    """The state after these events of one account, in order; events of other kinds say nothing about it."""
    state = AccountState()
    for event in events:
        match event:
            case BankStatementTaken():
                state.take(event.data, event.id)
            case BankLineAssigned():
                state.assign(event.data, event.id)
            case _:
                pass
    return state
