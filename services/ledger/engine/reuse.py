"""Claims change under money that was used already.

Where an order goes instalment by instalment, all money is used anew over the claims as they are now, in the order in
which it came; where it was agreed cell by cell, what was paid of an instalment stays with it. (So does Apache Fineract:
its fixed strategies reprocess every transaction, its advanced allocation goes through time once.) It stays, too, where
penalty interest grows, since money of a day before must not pay what grew after it, and once the instalments are no
longer those of the terms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.ledger.engine.account import INTEREST, PENALTY, PRINCIPAL
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    FEE_INCOME,
    FEES_RECEIVABLE,
    FROM_GOODWILL,
    INTEREST_RECEIVABLE,
    LOANS_RECEIVABLE,
    OVERPAYMENT,
    PENALTIES_RECEIVABLE,
    UNEARNED_FEES,
    UNEARNED_INTEREST,
)
from services.ledger.engine.allocation import Allocation, allocate
from services.ledger.engine.claims import use_credit
from services.ledger.engine.instalment_fees import earned, receivable, unearned
from services.ledger.engine.journal import post
from services.ledger.engine.orders import order_of
from services.ledger.engine.rows import ADDITIONAL, DOWN_PAYMENT, Row
from services.ledger.engine.trail import NOTHING, Split

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing

Balances = dict[int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """Money that came in for the loan, or went out and is owed again."""

    event_id: str
    kind: str
    day: int
    amount: int
    out: bool = False


def balances(s: Servicing) -> Balances:
    """What the loan's claims, and what goodwill paid of them, stand at in the books, by account, debits positive."""
    loan = s.loan
    asked, left, fallen = loan.asked[INTEREST], loan.left[INTEREST], loan.fallen
    return {
        LOANS_RECEIVABLE: sum(loan.left[PRINCIPAL]),
        INTEREST_RECEIVABLE: sum(left[:fallen]),
        FEES_RECEIVABLE: receivable(loan),
        UNEARNED_FEES: -unearned(loan),
        FEE_INCOME: -earned(loan),
        PENALTIES_RECEIVABLE: sum(loan.left[PENALTY]),
        ACCRUED_INTEREST: -sum(asked[:fallen]),
        UNEARNED_INTEREST: sum(left[fallen:]) - sum(asked[fallen:]),
        **s.goodwill,
    }


def count_goodwill(goodwill: Balances, used: Allocation) -> None:
    """Add what a goodwill credit was used for to the accounts that are debited for it."""
    paid = (used.penalty, used.fees, used.interest, used.principal, used.rest)
    for account, amount in zip(FROM_GOODWILL, paid, strict=True):
        goodwill[account] += amount


def put_anew(s: Servicing, rows: Iterable[Row], before: Balances, day: int, freed: Split = NOTHING) -> None:
    """Make `rows` the loan's instalments as of `day`, see to it that money is used as it should be, and book the
    difference to the balances `before`. `freed`: what was paid and the rows no longer ask for."""
    loan = s.loan
    if _goes_through_time(s):
        s.rows.put(loan, rows, day)
        rebook(s, before, day)
        s.trail.reused(day, freed, use_credit(loan, day, s.journal, s.rows))
    else:
        _use_all_again(s, rows, day)
        rebook(s, before, day)


def _goes_through_time(s: Servicing) -> bool:
    """Whether what was paid of an instalment stays with it."""
    cells, penalty = order_of(s.loan.order).cells, s.terms is not None and s.terms.penalty is not None
    return bool(cells) or penalty or s.fixed is not None or s.loan.charged_off > 0


def rebook(s: Servicing, before: Balances, day: int) -> None:
    """The books follow the claims; what is no longer asked for is money paid too much."""
    if s.loan.charged_off:
        return
    now = balances(s)
    for account, was in before.items():
        post(s.journal, account, OVERPAYMENT, now[account] - was, s.loan.currency, day)


def _use_all_again(s: Servicing, rows: Iterable[Row], day: int) -> None:
    loan = s.loan
    fresh = []
    for row in rows:
        paid = row.paid
        row.asked[PRINCIPAL] -= paid.credited
        paid.credited = paid.in_advance = paid.late = 0
        paid.on = None
        row.left = row.asked[:]
        if row.kind != ADDITIONAL:
            fresh.append(row)
    for charge in loan.charges:
        charge.left = charge.amount - charge.waived - charge.withheld
    loan.overpaid = 0
    s.goodwill = dict.fromkeys(FROM_GOODWILL, 0)
    s.trail.anew()
    s.rows.put(loan, fresh, day)
    for move in s.moves:
        if move.out:
            credit = min(loan.overpaid, move.amount)
            loan.overpaid -= credit
            if move.amount > credit:
                credit_principal(s, move.day, move.amount, paid=credit, today=day)
            s.trail.owed_again(move.event_id, move.kind, move.day, move.amount - credit, credit)
        else:
            used = allocate(loan, move.amount, move.day, move.kind, s.rows)
            loan.overpaid += used.rest
            if move.kind == "goodwill-credit":
                count_goodwill(s.goodwill, used)
            s.trail.money(move.event_id, move.kind, move.day, used)
    s.rows.put(loan, s.rows.take(loan), day)


def credit_principal(s: Servicing, day: int, amount: int, *, paid: int, today: int) -> None:
    """Principal is owed again from `day` on: the next instalment asks for it, after the last one an additional
    instalment does. `paid` of it is paid at once. The instalments are those of the day `today`."""
    loan = s.loan
    rows = s.rows.take(loan)
    row = next((row for row in rows if row.kind == ADDITIONAL or (row.kind != DOWN_PAYMENT and row.due > day)), None)
    if row is None and rows[-1].due == day:
        row = rows[-1]
    if row is None:
        rows.append(row := Row(ADDITIONAL, 0, day, [0, 0, 0, 0], [0, 0, 0, 0]))
    elif row.kind == ADDITIONAL:
        row.due = max(row.due, day)
    row.asked[PRINCIPAL] += amount
    row.left[PRINCIPAL] += amount - paid
    row.paid.credited += amount
    row.paid.on = None
    s.rows.put(loan, rows, today)
    if paid:
        k = s.rows.keys.index(row.key)
        s.rows.use(k, paid, day, due=row.due, done=row.done())
