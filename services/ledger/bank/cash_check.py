"""The daily three-way check of cash: the bank's balance, the books' cash account, and the log's own movements.

Lines and facts that stand for each other are put into one group; a reversal joins the fact that it takes back. The
difference between bank and books is then exactly the sum of the groups' own differences, and each of them has a reason
or is a finding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from services.ledger.bank.facts import CashFact
from services.ledger.bank.lender import BankAccount
from services.ledger.bank.state import AccountState, LineState
from shared.money import decimal_text

Kind = Literal["in-transit", "not-at-the-bank", "not-in-the-books", "amount-differs", "outside", "set-aside", "log"]
EXPLAINED: tuple[Kind, ...] = ("in-transit", "outside", "set-aside")
"""in-transit: one side has it, and the other does on another day, or may still. outside: a person said that it is none
of the loan book's business. set-aside: the log has it and the books hold it back, behind a parked loan or as a dead
letter. The others are findings; log: the books moved something else than the log says."""


@dataclass(slots=True)
class Group:
    """Lines and facts that stand for each other."""

    lines: list[LineState] = field(default_factory=list)
    facts: list[CashFact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sources:
    """The three sides. `books`, `log`: cash facts by event id; `aside`: event ids that the log has and the books hold
    back, with the reason."""

    accounts: Mapping[str, tuple[BankAccount, AccountState]]
    books: Mapping[str, CashFact]
    log: Mapping[str, CashFact]
    aside: Mapping[str, str]


def cash_check(sources: Sources, on: date, transit_days: int) -> dict[str, Any]:
    """The check of all currencies in which the lender has an account, on a value date, as JSON."""
    codes = sorted({account.currency for account, _ in sources.accounts.values()})
    currencies = {code: _check(sources, code, on, transit_days) for code in codes}
    return {"on": on.isoformat(), "ok": all(one["ok"] for one in currencies.values()), "currencies": currencies}


def _check(sources: Sources, code: str, on: date, transit_days: int) -> dict[str, Any]:
    mine = [(account, state) for account, state in sources.accounts.values() if account.currency == code]
    opening = sum(account.opening_minor for account, _ in mine)
    start = min(account.opened_on for account, _ in mine)
    lines = [line for _, state in mine for line in state.lines.values()]
    linked = {one.event_id for line in lines for one in line.allocations}

    def counts(fact: CashFact) -> bool:
        return fact.currency == code and fact.on <= on and (fact.on >= start or fact.event_id in linked)

    books = [fact for fact in sources.books.values() if counts(fact)]
    log = {key: fact for key, fact in sources.log.items() if counts(fact)}
    groups = _groups(lines, [fact for fact in sources.books.values() if fact.currency == code], sources.log)
    items = [item for group in groups if (item := _item(group, sources, on, start, linked, transit_days)) is not None]
    items += _log_items(books, log, sources.aside)
    bank = opening + sum(line.amount for line in lines if line.line.booked_on <= on)
    unexplained = [item for item in items if item["kind"] not in EXPLAINED]
    figures = {
        "opening": opening,
        "bank": bank,
        "books": sum(fact.amount for fact in books),
        "log": sum(fact.amount for fact in log.values()),
    }
    figures["difference"] = figures["bank"] - opening - figures["books"]
    return {
        **{name: decimal_text(minor, code) for name, minor in figures.items()},
        "ok": not unexplained,
        "accounts": [_account(account, state, on) for account, state in mine],
        "items": [item | {"amount": decimal_text(item["amount"], code)} for item in items],
    }


def _account(account: BankAccount, state: AccountState, on: date) -> dict[str, Any]:
    """The last statement that had ended by the date."""
    ended = [one for one in state.statements if one.closes <= on]
    last = ended[-1] if ended else None
    return {
        "account": account.id,
        "statement_id": last.statement_id if last else None,
        "through": last.closes.isoformat() if last else None,
        "closing": last.closing if last else None,
    }


def _groups(lines: Sequence[LineState], facts: Sequence[CashFact], log: Mapping[str, CashFact]) -> list[Group]:
    """The connected parts of: a line and what it stands for, a reversal and what it takes back."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    for line in lines:
        for one in line.allocations:
            parent[root(one.event_id)] = root(line.line_id)
    for fact in (*facts, *log.values()):
        if fact.reverses is not None:
            parent[root(fact.event_id)] = root(fact.reverses)
    found: dict[str, Group] = {}
    for line in lines:
        found.setdefault(root(line.line_id), Group()).lines.append(line)
    for fact in facts:
        found.setdefault(root(fact.event_id), Group()).facts.append(fact)
    return list(found.values())


def _item(
    group: Group, sources: Sources, on: date, start: date, linked: set[str], transit_days: int
) -> dict[str, Any] | None:
    """What a group adds to the difference of bank and books on the date; None: nothing."""
    counted = [f for f in group.facts if f.on <= on and (f.on >= start or f.event_id in linked)]
    shown = [line for line in group.lines if line.line.booked_on <= on]
    amount = sum(line.amount for line in shown) - sum(fact.amount for fact in counted)
    if not amount:
        return None
    kind = _kind(group, counted, shown, sources, on, transit_days)
    days = [fact.on for fact in counted] or [line.line.booked_on for line in shown]
    return {
        "kind": kind,
        "amount": amount,
        "since": min(days).isoformat(),
        "lines": sorted(line.line_id for line in group.lines),
        "events": sorted({one.event_id for one in group.facts} | _named(group)),
        "loans": sorted(
            {fact.loan_id for fact in group.facts} | {a.loan_id for x in group.lines for a in x.allocations}
        ),
        "reason": _reason(group, sources),
    }


def _kind(
    group: Group, counted: list[CashFact], shown: list[LineState], sources: Sources, on: date, transit_days: int
) -> Kind:
    whole = sum(line.amount for line in group.lines) - sum(fact.amount for fact in group.facts)
    if group.lines and group.facts and not whole:
        return "in-transit"  # both sides have it, one of them on a later day
    if any(event_id in sources.aside for event_id in _named(group)):
        return "set-aside"
    if not counted:
        return "outside" if all(line.outcome == "outside" for line in shown) else "not-in-the-books"
    if shown:
        return "amount-differs"
    late = (on - min(fact.on for fact in counted)).days > transit_days
    return "not-at-the-bank" if late else "in-transit"


def _named(group: Group) -> set[str]:
    return {one.event_id for line in group.lines for one in line.allocations}


def _reason(group: Group, sources: Sources) -> str | None:
    said = [line.reason for line in group.lines if line.reason]
    return next(iter([sources.aside[name] for name in sorted(_named(group)) if name in sources.aside] + said), None)


def _log_items(
    books: Iterable[CashFact], log: Mapping[str, CashFact], aside: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Where books and log differ, event by event: what the books lack, or have too much."""
    have = {fact.event_id: fact for fact in books}
    items = []
    for event_id in sorted(have.keys() | log.keys()):
        one, other = have.get(event_id), log.get(event_id)
        amount = (other.amount if other else 0) - (one.amount if one else 0)
        fact = other or one
        assert fact is not None
        if amount:
            kind: Kind = "set-aside" if event_id in aside and one is None else "log"
            items.append(
                {
                    "kind": kind,
                    "amount": amount,
                    "since": fact.on.isoformat(),
                    "lines": [],
                    "events": [event_id],
                    "loans": [fact.loan_id],
                    "reason": aside.get(event_id),
                }
            )
    return items
