"""Money is used: how an amount spreads over what a loan's instalments ask for, in the loan's order (see orders)."""

from bisect import bisect_left
from collections import defaultdict
from typing import Protocol

import msgspec

from services.ledger.engine.account import FEE, INTEREST, PENALTY, Loan, LoanCharge
from services.ledger.engine.orders import DUE, DUE_OR_PAST, IN_ADVANCE, PAST_DUE, Order, order_of
from shared.money import divide

PAYMENT = "payment"
_AHEAD, _FEE_AHEAD = 4, 5


class Allocation(msgspec.Struct, frozen=True):
    """How an amount was used, in minor units; the seven add up to it."""

    penalty: int
    fee: int
    interest_due: int
    """Interest that has fallen due."""
    interest_ahead: int
    principal: int
    rest: int
    """What found nothing left to pay."""
    fee_ahead: int = 0
    """Fees of instalments that have not fallen due."""

    @property
    def fees(self) -> int:
        """All fees."""
        return self.fee + self.fee_ahead

    @property
    def interest(self) -> int:
        """All interest."""
        return self.interest_due + self.interest_ahead


class Uses(Protocol):
    """Hears what each minor unit was used for."""

    def use(self, k: int, amount: int, day: int, *, due: int, done: bool) -> None:
        """`amount` of instalment k, which falls due on `due`, was paid on `day`; `done`: nothing of it is left."""


class _Purse:
    """Money on its way: what is left of it and what it has paid."""

    __slots__ = ("charges", "day", "left", "loan", "used", "uses")

    def __init__(self, loan: Loan, amount: int, day: int, uses: Uses | None) -> None:
        self.loan, self.left, self.day, self.uses = loan, amount, day, uses
        self.used = [0, 0, 0, 0, 0, 0]
        self.charges: dict[tuple[int, int], list[LoanCharge]] | None = None

    def pay(self, k: int, part: int, at_most: int) -> int:
        """Pay of instalment k's `part` what is left of it, up to `at_most` and the money there is."""
        loan = self.loan
        column = loan.left[part]
        amount = column[k]
        if amount > at_most:
            amount = at_most
        if amount > self.left:
            amount = self.left
        if amount <= 0:
            return 0
        column[k] -= amount
        self.left -= amount
        self.used[_AHEAD if part == INTEREST and k >= loan.fallen else part] += amount
        if part <= FEE:
            self._pay_charges(k, part, amount)
        if self.uses is not None:
            self.uses.use(k, amount, self.day, due=loan.due[k], done=not loan.unpaid(k))
        return amount

    def _pay_charges(self, k: int, part: int, amount: int) -> None:
        """The charges that make up the part of instalment k are paid in order of their due dates."""
        for charge in self.charges_of(k, part):
            used = min(charge.left, amount)
            charge.left -= used
            amount -= used
            if charge.period >= 0 and k >= self.loan.fallen:
                self.used[FEE] -= used
                self.used[_FEE_AHEAD] += used
            if not amount:
                break

    def charges_of(self, k: int, part: int) -> list[LoanCharge]:
        """The charges of one part that instalment k asks for, in order of their due dates."""
        if self.charges is None:
            self.charges = defaultdict(list)
            for charge in sorted(self.loan.charges, key=lambda charge: charge.due):
                self.charges[place_of(self.loan, charge.due), charge.part].append(charge)
        return self.charges[k, part]


def place_of(loan: Loan, due: int) -> int:
    """The instalment that asks for a charge due on `due`: the first, other than a down payment, that falls due on that
    date or later; -1 if all fall due before."""
    k = bisect_left(loan.due, due)
    while k in loan.down_payments:
        k += 1
    return k if k < len(loan.due) else -1


def allocate(loan: Loan, amount: int, day: int, kind: str = PAYMENT, uses: Uses | None = None) -> Allocation:
    """Use `amount` minor units received on `day` in the loan's order; the loan's open instalments move on."""
    order = order_of(loan.order)
    if uses is None and not order.cells and not loan.charges:
        return _of_plain(loan, amount, day, order)
    purse = _Purse(loan, amount, day, uses)
    if not order.cells:
        _by_instalment(loan, purse, order)
    elif order.vertical:
        _vertically(loan, purse, order, kind)
    else:
        _horizontally(loan, purse, order, kind)
    _pass_paid(loan)
    penalty, fee, interest_due, principal, interest_ahead, fee_ahead = purse.used
    loan.principal_outstanding -= principal
    return Allocation(penalty, fee, interest_due, interest_ahead, principal, purse.left, fee_ahead)


def _of_plain(loan: Loan, amount: int, day: int, order: Order) -> Allocation:
    """The same for a loan without charges, instalment by instalment, when nobody wants to hear of each: nearly always
    so, hence quick. A property holds it against the other way."""
    due, left, fallen, rest = loan.due, loan.left, loan.fallen, amount
    in_turn, in_advance = order.due, order.in_advance
    used = [0, 0, 0, 0, 0, 0]
    for k in range(loan.first_open, len(due)):
        for part in in_turn if due[k] <= day else in_advance:
            column = left[part]
            if paid := column[k]:
                if paid > rest:
                    paid = rest
                column[k] -= paid
                rest -= paid
                used[_AHEAD if part == INTEREST and k >= fallen else part] += paid
        if not rest:
            break
    _pass_paid(loan)
    penalty, fee, interest_due, principal, interest_ahead, fee_ahead = used
    loan.principal_outstanding -= principal
    return Allocation(penalty, fee, interest_due, interest_ahead, principal, rest, fee_ahead)


def _pass_paid(loan: Loan) -> None:
    """Move the first open instalment past those that have nothing left."""
    penalties, fees, interest, principal = loan.left
    k, n = loan.first_open, len(loan.due)
    while k < n and not (principal[k] or interest[k] or fees[k] or penalties[k]):
        k += 1
    loan.first_open = k


def _by_instalment(loan: Loan, purse: _Purse, order: Order) -> None:
    due, day, left = loan.due, purse.day, loan.left
    for k in range(loan.first_open, len(due)):
        if not order.ahead or due[k] <= day:
            for part in order.due:
                if left[part][k]:
                    purse.pay(k, part, purse.left)
        else:
            if loan.charges:
                for part in (PENALTY, FEE):
                    owed = sum(charge.left for charge in purse.charges_of(k, part) if charge.due <= day)
                    purse.pay(k, part, owed)
            for part in order.early:
                purse.pay(k, part, purse.left)
            for part in order.ahead:
                purse.pay(k, part, purse.left)
        if not purse.left:
            return


def _candidates(loan: Loan, when: int, day: int, future: str, part: int | None) -> list[int]:
    """The instalments that money goes to next: of those of one `when` with something left (of a part), the oldest; in
    advance the one or all that the rule for future instalments says."""
    due = loan.due
    found = []
    for k in range(loan.first_open, len(due)):
        at = PAST_DUE if due[k] < day else DUE if due[k] == day else IN_ADVANCE
        of_it = at == when or (when == DUE_OR_PAST and at != IN_ADVANCE)
        if of_it and (loan.unpaid(k) if part is None else loan.left[part][k]):
            found.append(k)
            if when != IN_ADVANCE or future == "next":
                break
    return found[-1:] if when == IN_ADVANCE and future == "last" else found


def _spread(purse: _Purse, instalments: list[int], part: int) -> int:
    """Pay the part of these instalments in equal portions, the last one with what division leaves; what was paid."""
    portion = divide(purse.left, len(instalments), "half-even")
    rest = purse.left - portion * len(instalments)
    paid = 0
    for k in instalments:
        paid += purse.pay(k, part, portion + (rest if k == instalments[-1] else 0))
    return paid


def _horizontally(loan: Loan, purse: _Purse, order: Order, kind: str) -> None:
    future = order.future_by_kind.get(kind, order.future)
    for when, parts in order.cells:
        while purse.left:
            instalments = _candidates(loan, when, purse.day, future, None)
            if not instalments:
                break
            for part in parts:
                _spread(purse, instalments, part)


def _vertically(loan: Loan, purse: _Purse, order: Order, kind: str) -> None:
    future = order.future_by_kind.get(kind, order.future)
    for when, parts in order.cells:
        for part in parts:
            while purse.left:
                instalments = _candidates(loan, when, purse.day, future, part)
                if not instalments or not _spread(purse, instalments, part):
                    break
