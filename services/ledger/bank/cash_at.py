"""The books' cash by bank account: a reading of postings, and of what the banks' lines stand for, in reports.

Nothing is booked by bank account. A line that is assigned later moves what a report of an earlier date says of it;
as known on a date, only what was said up to that date counts.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from services.ledger.bank.lender import Lender
from services.ledger.bank.reading import account_states
from services.ledger.bank.state import AccountFolds, AccountState
from services.ledger.engine.accounts import CASH
from shared.money import code_of, currency, decimal_text

# The role cash by all its dates, and of it what these events moved in the currencies of these accounts.
_SIDES = """
p.effective_date, p.booking_date, open_from,
sum(CASE WHEN debit = $1 THEN amount ELSE 0 END) AS debits, sum(CASE WHEN credit = $1 THEN amount ELSE 0 END) AS credits
"""
_ALL = f"SELECT currency, {_SIDES} FROM posting p WHERE $1 IN (debit, credit) GROUP BY 1, 2, 3, 4"
_PLACED = f"""
SELECT a.account, a.currency, {_SIDES}
FROM unnest($2::uuid[], $3::text[], $4::smallint[]) AS a(event_id, account, currency) JOIN event e USING (event_id)
JOIN posting p ON (p.partition, p.loan, p."offset", p.currency) = (e.partition, e.loan, e."offset", a.currency)
WHERE $1 IN (debit, credit) GROUP BY 1, 2, 3, 4, 5
"""


class Moved(NamedTuple):
    """Cash at a bank account, or at none that is known, in minor units. A transfer counts on its lines' dates."""

    account: str | None
    code: str
    effective: date
    booked: date
    open_from: date
    debit: int
    credit: int

    def on(self, by: str) -> date:
        """The date by which a period holds it, see queries.reports.By."""
        return {"booking": self.booked, "value": self.effective}.get(by, max(self.effective, self.open_from))


async def cash_at_accounts(
    connection: Any, lender: Lender, known: date | None, folds: AccountFolds | None = None
) -> list[Moved]:
    """All cash of the books by bank account, as known on a date or now; in the caller's snapshot."""
    states = [state for _, state in (await account_states(connection, lender, known, folds)).values()]
    links = [(one.event_id, line) for state in states for line in state.lines.values() for one in line.allocations]
    named = [event_id for event_id, _ in links], [line.account for _, line in links]
    numbers = [currency(line.currency).number for _, line in links]
    placed = [_moved(row, row["account"]) for row in await connection.fetch(_PLACED, CASH, *named, numbers)]
    whole = [_moved(row, None) for row in await connection.fetch(_ALL, CASH)]
    rest = [one._replace(account=None, debit=-one.debit, credit=-one.credit) for one in placed]
    return [*placed, *whole, *rest, *_transferred(states)]


def _moved(row: Any, account: str | None) -> Moved:
    dates = row["effective_date"], row["booking_date"], row["open_from"]
    return Moved(account, code_of(row["currency"]), *dates, int(row["debits"]), int(row["credits"]))


def _transferred(states: Iterable[AccountState]) -> Iterable[Moved]:
    """Both sides of each line of a transfer: on its account, and between accounts."""
    for state in states:
        for line in state.lines.values():
            if line.outcome == "transfer":
                day, amount = line.line.booked_on, line.amount
                sides = max(amount, 0), max(-amount, 0)
                yield Moved(line.account, line.currency, day, day, date.min, *sides)
                yield Moved(None, line.currency, day, day, date.min, *reversed(sides))


def with_balances(document: dict[str, Any], cash: Sequence[Moved]) -> dict[str, Any]:
    """A trial balance with cash by bank account; `bank_account` null: at none that is known."""
    if "through" in document:
        through, known = date.fromisoformat(document["through"]), _day(document, "known")
        found = [one for one in cash if one.on("accounting") <= through and one.booked <= known]
    else:
        known, effective = _day(document, "known"), _day(document, "effective")
        found = [one for one in cash if one.booked <= known and one.effective <= effective]
    return _with(document, found, _balance)


def with_movements(document: dict[str, Any], cash: Sequence[Moved]) -> dict[str, Any]:
    """Movements between two dates with cash by bank account."""
    known, effective, by = _day(document, "known"), _day(document, "effective"), document["by"]
    opens, closes = date.fromisoformat(document["from"]), date.fromisoformat(document["to"])
    found = [one for one in cash if one.booked <= known and one.effective <= effective and one.on(by) <= closes]

    def moved(some: list[Moved]) -> dict[str, int]:
        before = sum(one.debit - one.credit for one in some if one.on(by) < opens)
        inside = [one for one in some if one.on(by) >= opens]
        debit, credit = sum(one.debit for one in inside), sum(one.credit for one in inside)
        return {"opening": before, "debit": debit, "credit": credit, "closing": before + debit - credit}

    return _with(document, found, moved)


def _balance(some: list[Moved]) -> dict[str, int]:
    debit, credit = sum(one.debit for one in some), sum(one.credit for one in some)
    return {"debit": debit, "credit": credit, "balance": debit - credit}


def _with(
    document: dict[str, Any], cash: Sequence[Moved], told: Callable[[list[Moved]], dict[str, int]]
) -> dict[str, Any]:
    by_place: dict[str, dict[str | None, list[Moved]]] = {}
    for one in cash:
        by_place.setdefault(one.code, {}).setdefault(one.account, []).append(one)
    currencies = {
        code: found
        | {
            "bank_accounts": [
                {"bank_account": account}
                | {name: decimal_text(minor, code) for name, minor in told(by_place[code][account]).items()}
                for account in sorted(by_place.get(code, {}), key=lambda name: (name is None, name or ""))
            ]
        }
        for code, found in document["currencies"].items()
    }
    return document | {"currencies": currencies}


def _day(document: dict[str, Any], name: str) -> date:
    return date.fromisoformat(document[name]) if name in document else date.max
