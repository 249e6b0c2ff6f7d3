"""What is known of an account: a fold of its events on the log, so that replaying them gives it again."""

from collections.abc import Iterable, Sequence
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

    def copy(self) -> "AccountState":
        """One that can go on by itself; lines and statements are never changed, only replaced."""
        return AccountState(list(self.statements), dict(self.lines), self.last_event)

    def go_on(self, events: Iterable[Any]) -> "AccountState":
        """The account after these events too, in order; events of other kinds say nothing about it."""
        for event in events:
            match event:
                case BankStatementTaken():
                    self.take(event.data, event.id)
                case BankLineAssigned():
                    self.assign(event.data, event.id)
                case _:
                    pass
        return self

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
    """The state after these events of one account, in order."""
    return AccountState().go_on(events)


class AccountFolds:
    """States of accounts that a process keeps, by subject with the ids of the events in them, so that only what came
    since has to be read and folded. A state is gone on from where its ids are the first that the books have now;
    whatever else they have, an older snapshot or another log, is folded whole."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[str, ...], AccountState]] = {}

    def resume(self, subject: str, ids: Sequence[str]) -> tuple[AccountState, int]:
        """The state to go on from, and how many of the events it has in it."""
        known, state = self._kept.get(subject, ((), AccountState()))
        return (state.copy(), len(known)) if tuple(ids[: len(known)]) == known else (AccountState(), 0)

    def keep(self, subject: str, ids: Sequence[str], state: AccountState) -> None:
        """Keep the state after the events of these ids."""
        self._kept[subject] = tuple(ids), state.copy()
