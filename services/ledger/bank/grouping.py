"""Which lines and facts stand for each other, and on which bank account cash is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from services.ledger.bank.facts import CashFact
from services.ledger.bank.state import LineState


@dataclass(slots=True)
class Group:
    """Lines and facts that stand for each other."""

    lines: list[LineState] = field(default_factory=list)
    facts: list[CashFact] = field(default_factory=list)


def groups_of(lines: Sequence[LineState], facts: Sequence[CashFact], log: Mapping[str, CashFact]) -> list[Group]:
    """The connected parts of: a line and what it stands for, a reversal and what it takes back, a transfer's lines."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    for line in lines:
        for stood in line.allocations:
            parent[root(stood.event_id)] = root(line.line_id)
    for one, other in transfers(lines):
        parent[root(one.line_id)] = root(other.line_id)
    for fact in (*facts, *log.values()):
        if fact.reverses is not None:
            parent[root(fact.event_id)] = root(fact.reverses)
    found: dict[str, Group] = {}
    for line in lines:
        found.setdefault(root(line.line_id), Group()).lines.append(line)
    for fact in facts:
        found.setdefault(root(fact.event_id), Group()).facts.append(fact)
    return list(found.values())


def transfers(lines: Iterable[LineState]) -> list[tuple[LineState, LineState]]:
    """Pairs of lines that are the two sides of a transfer: each names the other's account, of one amount; the first
    that went out with the first that came in."""
    waiting: dict[tuple[str, str, int], list[LineState]] = {}
    pairs = []
    for line in sorted(lines, key=lambda one: (one.line.booked_on, one.line_id)):
        if line.outcome != "transfer" or line.other_account is None:
            continue
        if other := waiting.get((line.other_account, line.account, -line.amount)):
            pairs.append((line, other.pop(0)))
        else:
            waiting.setdefault((line.account, line.other_account, line.amount), []).append(line)
    return pairs


def placed_cash(lines: Iterable[LineState], amounts: Mapping[str, int], on: date) -> dict[str, int]:
    """The books' cash at each bank account on a date, in minor units: what its lines stand for, as the books have it
    (`amounts` by event id), and what was transferred."""
    found: dict[str, int] = {}
    for line in lines:
        moved = sum(amounts.get(one.event_id, 0) for one in line.allocations)
        if line.outcome == "transfer" and line.line.booked_on <= on:
            moved += line.amount
        found[line.account] = found.get(line.account, 0) + moved
    return found
