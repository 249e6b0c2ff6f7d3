"""The accountant's form of an entry, so many debits and so many credits, as pairs of a debit and a credit."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.ledger.commands.checks import positive
from services.ledger.commands.refusals import ControlAccount, EntryUnbalanced, SameAccount, UnknownAccount
from services.ledger.engine.accounts import MANUAL, NAMES
from services.ledger.engine.entries import NUMBERS
from shared.events.entries import EntryLine
from shared.money import decimal_text


@dataclass(frozen=True, slots=True)
class StatedLine:
    """An amount on a debit, a credit, or on both; at least one is named. Amounts as decimal text."""

    debit: str | None
    credit: str | None
    amount: str
    currency: str


def paired(lines: Sequence[StatedLine]) -> tuple[EntryLine, ...]:
    """Pairs that say the same: in each currency debits meet credits in the order given, and an amount is split where it
    meets a smaller one. Raises EntryUnbalanced with the difference, SameAccount, UnknownAccount, ControlAccount,
    AmountZero and what shared.money refuses, about the line as it was stated."""
    found: list[EntryLine] = []
    debits: dict[str, deque[tuple[str, int]]] = {}
    credits_: dict[str, deque[tuple[str, int]]] = {}
    for n, line in enumerate(lines):
        for side, name in (("debit", line.debit), ("credit", line.credit)):
            if name is not None:
                require_manual(name, f"lines/{n}/{side}")
        amount = positive(line.amount, line.currency, f"lines/{n}/amount")
        if line.debit is not None and line.credit is not None:
            found.append(_pair(line.debit, line.credit, amount, line.currency))
        elif line.debit is not None:
            debits.setdefault(line.currency, deque()).append((line.debit, amount))
        else:
            assert line.credit is not None
            credits_.setdefault(line.currency, deque()).append((line.credit, amount))
    for code in sorted(debits.keys() | credits_.keys()):
        found += _matched(debits.get(code, deque()), credits_.get(code, deque()), code)
    return tuple(found)


def require_manual(name: str, field: str) -> None:
    """Refuse what is no account, or none that is moved by hand (UnknownAccount, ControlAccount)."""
    if NUMBERS.get(name) in MANUAL:
        return
    kind = ControlAccount if name in NUMBERS else UnknownAccount
    raise kind(f"{name} is none of {', '.join(sorted(NAMES[account] for account in MANUAL))}.", field=field)


def _matched(debits: deque[tuple[str, int]], credits_: deque[tuple[str, int]], code: str) -> list[EntryLine]:
    debited, credited = sum(amount for _, amount in debits), sum(amount for _, amount in credits_)
    if debited != credited:
        more = "debits" if debited > credited else "credits"
        raise EntryUnbalanced(
            f"In {code} debits are {decimal_text(debited, code)}, credits {decimal_text(credited, code)}: "
            f"{decimal_text(abs(debited - credited), code)} too much in {more}.",
            field="lines",
        )
    if both := {name for name, _ in debits} & {name for name, _ in credits_}:
        raise SameAccount(f"{min(both)} has debits and credits in {code}.", field="lines")
    found = []
    while debits:
        (debit, debit_left), (credit, credit_left) = debits.popleft(), credits_.popleft()
        amount = min(debit_left, credit_left)
        found.append(_pair(debit, credit, amount, code))
        if debit_left > amount:
            debits.appendleft((debit, debit_left - amount))
        if credit_left > amount:
            credits_.appendleft((credit, credit_left - amount))
    return found


def _pair(debit: str, credit: str, amount: int, code: str) -> EntryLine:
    return EntryLine(debit=debit, credit=credit, amount=decimal_text(amount, code), currency=code)
