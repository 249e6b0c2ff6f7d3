"""Sums of postings by currency and role, and how reports tell them, by the lender's accounts."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.ledger.chart import Account, accounts
from services.ledger.engine.accounts import NAMES
from shared.money import code_of, decimal_text

Sides = tuple[int, int]
"""Debits and credits in minor units."""
Tally = dict[str, dict[int, Sides]]
"""Sides by currency code and role of the engine."""

Line = dict[str, str]
"""The head of a report's line: `code` and `account`."""


_UNKNOWN: Any = "unknown"


def account_of(role: int) -> Account:
    """The lender's account that plays a role; the role's number where the chart has no such role."""
    return accounts().get(role) or Account.model_construct(code=str(role), name=str(role), kind=_UNKNOWN)


def by_account(*sides: Mapping[int, Sides]) -> list[tuple[Account, tuple[int, ...]]]:
    """The lender's accounts in order of code, each with debits and credits of its roles out of every mapping in turn:
    (debit, credit, debit, credit, …). An account is there if any of the mappings has a role of it."""
    sums: dict[str, tuple[Account, list[int]]] = {}
    for n, one in enumerate(sides):
        for role, (debit, credit) in one.items():
            account = account_of(role)
            found = sums.setdefault(account.code, (account, [0] * 2 * len(sides)))[1]
            found[2 * n] += debit
            found[2 * n + 1] += credit
    return [(account, tuple(found)) for _, (account, found) in sorted(sums.items())]


def head(account: Account) -> Line:
    """How a line of a report begins."""
    return {"code": account.code, "account": account.name}


def tally(rows: Iterable[Any]) -> Tally:
    """Rows (currency, debit, credit, amount) with the amount on both accounts."""
    found: Tally = {}
    for row in rows:
        sides, amount = found.setdefault(code_of(row["currency"]), {}), int(row["amount"])
        debit, credit = sides.get(row["debit"], (0, 0))
        sides[row["debit"]] = debit + amount, credit
        debit, credit = sides.get(row["credit"], (0, 0))
        sides[row["credit"]] = debit, credit + amount
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def added(*tallies: Tally) -> Tally:
    """Their sum."""
    found: Tally = {}
    for one in tallies:
        for code, sides in one.items():
            sums = found.setdefault(code, {})
            for role, (debit, credit) in sides.items():
                was = sums.get(role, (0, 0))
                sums[role] = was[0] + debit, was[1] + credit
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def difference(sides: Mapping[int, Sides]) -> int:
    """Debits less credits of the engine's roles: 0, unless something was booked on a number that is none."""
    return sum(debit - credit for role, (debit, credit) in sides.items() if role in NAMES)


def balances_document(sides: Mapping[int, Sides], code: str) -> list[dict[str, str]]:
    """Each account with its sides and balance: debits less credits, so that what is owed to others has a sign."""
    return [
        head(account)
        | {
            "debit": decimal_text(debit, code),
            "credit": decimal_text(credit, code),
            "balance": decimal_text(debit - credit, code),
        }
        for account, (debit, credit) in by_account(sides)
    ]
