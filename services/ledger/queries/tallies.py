"""Sums of postings by currency and account, and how reports tell them."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.ledger.engine.accounts import NAMES
from shared.money import code_of, decimal_text

Sides = tuple[int, int]
"""Debits and credits in minor units."""
Tally = dict[str, dict[int, Sides]]
"""Sides by currency code and account."""

ASSET, LIABILITY, EQUITY, INCOME, EXPENSE = "asset", "liability", "equity", "income", "expense"
_KINDS = {1: ASSET, 2: LIABILITY, 3: EQUITY, 4: INCOME, 5: EXPENSE}


def kind_of(account: int) -> str:
    """What kind of account it is, by its first digit."""
    return _KINDS.get(account // 1000, "unknown")


def name_of(account: int) -> str:
    """The account's name; its number where the chart has no such account."""
    return NAMES.get(account, str(account))


def tally(rows: Iterable[Any]) -> Tally:
    """Rows (currency, debit, credit, amount) with the amount on both accounts."""
    found: Tally = {}
    for row in rows:
        accounts, amount = found.setdefault(code_of(row["currency"]), {}), int(row["amount"])
        debit, credit = accounts.get(row["debit"], (0, 0))
        accounts[row["debit"]] = debit + amount, credit
        debit, credit = accounts.get(row["credit"], (0, 0))
        accounts[row["credit"]] = debit, credit + amount
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def added(*tallies: Tally) -> Tally:
    """Their sum."""
    found: Tally = {}
    for one in tallies:
        for code, accounts in one.items():
            sums = found.setdefault(code, {})
            for account, (debit, credit) in accounts.items():
                was = sums.get(account, (0, 0))
                sums[account] = was[0] + debit, was[1] + credit
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def net(accounts: Mapping[int, Sides], account: int) -> int:
    """Debits less credits of an account."""
    debit, credit = accounts.get(account, (0, 0))
    return debit - credit


def difference(accounts: Mapping[int, Sides]) -> int:
    """Debits less credits of the chart's accounts: 0, unless something was booked on an account that is not in it."""
    return sum(debit - credit for account, (debit, credit) in accounts.items() if account in NAMES)


def balances_document(accounts: Mapping[int, Sides], code: str) -> list[dict[str, str]]:
    """Each account with its sides and balance: debits less credits, so that what is owed to others has a sign."""
    return [
        {
            "account": name_of(account),
            "debit": decimal_text(debit, code),
            "credit": decimal_text(credit, code),
            "balance": decimal_text(debit - credit, code),
        }
        for account, (debit, credit) in accounts.items()
    ]
