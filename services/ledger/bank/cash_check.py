"""The daily three-way check of cash: the bank's balance, the books' cash account, and the log's own movements.

Of a loan of accounting method `none` the books have only the cash that waits in suspense: the bank is held against what
the log moved, which is told apart (`unbooked`), and the books against what still waits.

Lines and facts that stand for each other are put into one group; a reversal joins the fact that it takes back, and the
two lines of a transfer each other. The difference between bank and books is then exactly the sum of the groups' own
differences, and each of them has a reason or is a finding.

The books' cash at a bank account is what its lines stand for; the rest is `elsewhere`: on its way, or in a drawer. So
the difference of a currency is that of its accounts, less what is elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from services.ledger.bank.facts import CashFact
from services.ledger.bank.grouping import Group, groups_of, placed_cash
from services.ledger.bank.lender import BankAccount
from services.ledger.bank.log_cash import Unbooked
from services.ledger.bank.state import AccountState, LineState
from shared.money import decimal_text

Kind = Literal["in-transit", "not-at-the-bank", "not-in-the-books", "amount-differs", "outside", "set-aside", "log"]
EXPLAINED: tuple[Kind, ...] = ("in-transit", "outside", "set-aside")
"""in-transit: one side has it, and the other does on another day, or may still. outside: a person said that it is none
of the loan book's business. set-aside: the log has it and the books hold it back, behind a parked loan or as a dead
letter. The others are findings; log: the books moved something else than the log says."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The three sides. `books`, `log`: one fact an event and currency; `aside`: event ids that the log has and the
    books hold back, with the reason; `unbooked`: loans of which no cash is booked, by id."""

    accounts: Mapping[str, tuple[BankAccount, AccountState]]
    books: Sequence[CashFact]
    log: Sequence[CashFact]
    aside: Mapping[str, str]
    unbooked: Mapping[str, Unbooked] = field(default_factory=dict)

    def in_currency(self, code: str) -> tuple[dict[str, CashFact], dict[str, CashFact], set[str]]:
        """Books and log by event id, and the ids of those that the books don't have by their loan's method."""
        books = {fact.event_id: fact for fact in self.books if fact.currency == code}
        log = {fact.event_id: fact for fact in self.log if fact.currency == code}
        hidden = {key for key, fact in log.items() if fact.loan_id in self.unbooked and not fact.manual}
        return books, log, hidden - self.aside.keys()


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
        return fact.on <= on and (fact.on >= start or fact.event_id in linked)

    def moved(facts: Iterable[CashFact]) -> int:
        return sum(fact.amount for fact in facts if counts(fact))

    books, log, hidden = sources.in_currency(code)
    booked = [fact for key, fact in books.items() if key not in hidden]
    known = [log[key] for key in sorted(hidden)]
    groups = groups_of(lines, [*booked, *known], log)
    items = [item for group in groups if (item := _item(group, sources, on, start, linked, transit_days)) is not None]
    told = {key: fact for key, fact in log.items() if key not in hidden}
    items += _log_items(filter(counts, booked), {k: f for k, f in told.items() if counts(f)}, sources.aside)
    items += _suspense_items(sources, (books[k] for k in books if k not in log or not log[k].manual), known, on, code)
    placed = placed_cash(lines, {fact.event_id: fact.amount for fact in (*booked, *known) if counts(fact)}, on)
    bank = opening + sum(line.amount for line in lines if line.line.booked_on <= on)
    unexplained = [item for item in items if item["kind"] not in EXPLAINED]
    figures = {
        "opening": opening,
        "bank": bank,
        "books": moved(books.values()),
        "unbooked": moved(known) - moved(fact for key, fact in books.items() if key in hidden),
        "log": moved(log.values()),
        "elsewhere": moved(booked) + moved(known) - sum(placed.values()),
    }
    figures["difference"] = figures["bank"] - opening - figures["books"] - figures["unbooked"]
    return {
        **{name: decimal_text(minor, code) for name, minor in figures.items()},
        "ok": not unexplained,
        "accounts": [_account(account, state, on, placed.get(account.id, 0), items) for account, state in mine],
        "items": [item | {"amount": decimal_text(item["amount"], code)} for item in items],
    }


def _account(
    account: BankAccount, state: AccountState, on: date, placed: int, items: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The last statement that had ended by the date; what bank and books have on the account."""
    ended = [one for one in state.statements if one.closes <= on]
    last = ended[-1] if ended else None
    opening, code = account.opening_minor, account.currency
    bank = opening + sum(line.amount for line in state.lines.values() if line.line.booked_on <= on)
    found = [item for item in items if account.id in item["accounts"] and item["kind"] not in EXPLAINED]
    return {
        "account": account.id,
        "statement_id": last.statement_id if last else None,
        "through": last.closes.isoformat() if last else None,
        "closing": last.closing if last else None,
        "opening": decimal_text(opening, code),
        "bank": decimal_text(bank, code),
        "books": decimal_text(placed, code),
        "difference": decimal_text(bank - opening - placed, code),
        "ok": not found,
    }


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
        "accounts": sorted({line.account for line in group.lines}),
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
    if group.lines and (group.facts or len(group.lines) > 1) and not whole:
        return "in-transit"  # both sides have it, one of them on a later day
    if any(event_id in sources.aside for event_id in _named(group)):
        return "set-aside"
    if not group.facts and all(line.outcome == "transfer" for line in shown):
        return (
            "not-at-the-bank" if _is_late(on, (line.line.booked_on for line in shown), transit_days) else "in-transit"
        )
    if not counted:
        return "outside" if all(line.outcome == "outside" for line in shown) else "not-in-the-books"
    if shown:
        return "amount-differs"
    return "not-at-the-bank" if _is_late(on, (fact.on for fact in counted), transit_days) else "in-transit"


def _is_late(on: date, days: Iterable[date], transit_days: int) -> bool:
    return (on - min(days)).days > transit_days


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
            items.append(_of_log(kind, amount, fact.on, [event_id], fact.loan_id, aside.get(event_id)))
    return items


def _suspense_items(
    sources: Sources, books: Iterable[CashFact], known: Sequence[CashFact], on: date, code: str
) -> list[dict[str, Any]]:
    """Where the books have other cash of a loan of method `none` than waits in suspense: all of its money until it is
    paid out or taken over, then what came in another currency than its own."""
    waits: dict[str, list[CashFact]] = {}
    for fact in known:
        waits.setdefault(fact.loan_id, []).append(fact)
    booked: dict[str, int] = {}
    for fact in books:
        if fact.loan_id in sources.unbooked:
            booked[fact.loan_id] = booked.get(fact.loan_id, 0) + fact.amount
    items = []
    for loan_id in sorted(waits.keys() | booked.keys()):
        loan, facts = sources.unbooked[loan_id], waits.get(loan_id, [])
        used = loan.currency == code and loan.runs(sources.aside)
        amount = (0 if used else sum(fact.amount for fact in facts)) - booked.get(loan_id, 0)
        if amount and min((fact.on for fact in facts), default=on) <= on:
            since = min((fact.on for fact in facts), default=on)
            items.append(_of_log("log", amount, since, [fact.event_id for fact in facts], loan_id, None))
    return items


def _of_log(
    kind: Kind, amount: int, since: date, events: Sequence[str], loan_id: str, reason: str | None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "amount": amount,
        "since": since.isoformat(),
        "accounts": [],
        "lines": [],
        "events": sorted(events),
        "loans": [loan_id],
        "reason": reason,
    }
