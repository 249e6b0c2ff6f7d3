"""Instalments whose interest follows what is really outstanding, for terms with `recalculation`.

Early money is principal: it lowers the balance from the day it counts. What it leaves of its own instalment is asked
for on the due date; what it pays beyond that instalment lowers the ones after it, or ends the loan earlier, as the
terms say. Principal that is late goes on bearing interest until it is paid; what is unpaid on `as_of` is taken to be
paid then. With rests on due dates what is late is reckoned in the period in which money comes. After the last due date
no more interest is reckoned.
Figures: Apache Fineract's cumulative schedules with interest recalculation (commit 4198b0b, 2024-10-24).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from shared.events.terms import Recalculation, Terms
from shared.schedules.accrual import spans
from shared.schedules.advance import paid_in_advance
from shared.schedules.course import Course
from shared.schedules.loan import assembled, schedule
from shared.schedules.model import Change, Dated, PaidOut, Schedule, in_order
from shared.schedules.refusals import TermsContradict
from shared.schedules.walks import Walk, interest

Payment = tuple[date, int]
"""When money came, and how much of it went to interest and principal, in minor units."""


def recalculated(
    terms: Terms,
    paid_out: Sequence[PaidOut],
    payments: Sequence[Payment],
    as_of: date,
    changes: Sequence[Dated] = (),
) -> Schedule:
    """The instalments after these payments, as they stand on `as_of`; payments after it are not looked at.

    Instalments that the loan no longer needs are left out; a progressive loan keeps them, and its instalments keep
    their size (see `shared.schedules.advance`). Down payments are taken to be paid by other money. Raises the refusals
    of `schedule`, and TermsContradict without `recalculation`.
    """
    if terms.recalculation is None:
        raise TermsContradict("Interest of these terms does not follow payments.", field="recalculation")
    agreed = schedule(terms, paid_out, changes)
    money = sorted((one for one in payments if one[0] <= as_of and one[1] > 0), key=lambda one: one[0])
    if not money and all(one.due >= as_of for one in agreed.instalments):
        return agreed
    if terms.schedule == "progressive" and terms.recalculation.effect == "keep-instalment":
        return paid_in_advance(terms, in_order(paid_out, changes), money)
    live = _Live(terms, min(paid.on for paid in paid_out), terms.recalculation, as_of)
    live.run(in_order(paid_out, changes), money)
    del live.periods[len(live.done.principal) :]
    return assembled(live, live.done)


@dataclass(slots=True)
class _Owed:
    """What is unpaid of an instalment."""

    interest: int
    principal: int

    def take(self, amount: int) -> tuple[int, int]:
        """Interest first, then principal: (what is left of the amount, the principal that it paid)."""
        interest = min(self.interest, amount)
        principal = min(self.principal, amount - interest)
        self.interest -= interest
        self.principal -= principal
        return amount - interest - principal, principal


@dataclass(slots=True)
class _Period:
    """What the payments made of a period before its due date."""

    moves: list[tuple[date, int]] = field(default_factory=list)
    early: int = 0
    """Principal paid in advance."""
    spare: int = 0
    """Money beyond all principal: it pays what is lent next, and interest."""


class _Live(Course):
    """A course that payments change, period by period."""

    def __init__(self, terms: Terms, start: date, rule_of_rest: Recalculation, as_of: date) -> None:
        super().__init__(terms, start)
        self.rest = rule_of_rest
        self.as_of = as_of
        self.now, self.open = 0, 0
        """The period that is being lived, and the principal that it opens with, late principal apart."""
        self.late: list[_Owed] = []
        self.done = Walk([], [], [], 0)
        self.put_off = 0
        self.spare = 0
        """Money that the periods before had no use for."""

    def balance(self, at: int) -> int:
        """What would be outstanding when the period opens if nothing else were paid early or late."""
        balance = self.open
        for number in range(self.now, at):
            moves = [(day, scheduled) for day, counts, scheduled, _ in self.money if counts == number]
            charge, balance = self._interest(number, balance, moves)
            if not self.no_principal[number]:
                balance -= min(balance, self.asking.principal(self.targets[number], charge))
        return balance

    def run(self, events: list[tuple[date, PaidOut | Change]], payments: list[Payment]) -> None:
        """Live through all periods."""
        while self.now < len(self.periods):
            while events and events[0][0] <= self.periods[self.now].end:
                _, event = events.pop(0)
                if isinstance(event, PaidOut):
                    self.disburse(event)
                else:
                    self.change(event)
            end = self.periods[self.now].end
            before = [one for one in payments if one[0] < end]
            on_day = [one for one in payments if one[0] == end]
            payments = payments[len(before) + len(on_day) :]
            self._live(before, sum(amount for _, amount in on_day))
            self.now += 1
            if self.open == 0 and not events:
                return

    def _live(self, before: list[Payment], on_due_date: int) -> None:
        number, period = self.now, self.periods[self.now]
        lent = [(min(day, period.end), scheduled) for day, at, scheduled, _ in self.money if at == number]
        late = sum(owed.principal for owed in self.late)
        by_day = self.rest.rest == "day"
        reckoned = self.as_of > period.start if by_day else bool(before or on_due_date)
        made = _Period(list(lent), spare=self.spare)
        if late and reckoned:
            made.moves.append((period.start, late))
        available = self.open + sum(amount for _, amount in lent)
        for day, amount in sorted([*((day, 0) for day, _ in lent), *before], key=lambda one: one[0]):
            left, paid = self._pay_late(amount)
            if paid and reckoned:
                made.moves.append((day if by_day else period.end, -paid))
            there = self.open + sum(lent_then for on, lent_then in lent if on <= day)
            self._pay_early(made, day, left, there, ends_it=there == available)
        unpaid = sum(owed.principal for owed in self.late)
        if unpaid and reckoned:
            until = self.as_of if by_day else period.end
            made.moves.append((max(period.start, min(until, period.end)), -unpaid))
        charge, _ = self._interest(number, self.open, made.moves)
        self._ask(made, charge, available, on_due_date)

    def _ask(self, made: _Period, charge: int, available: int, on_due_date: int) -> None:
        """The instalment, and what the money of its own day does to it and to those after it."""
        number, last = self.now, self.now == len(self.periods) - 1
        usual = 0 if self.no_principal[number] else self.asking.principal(self.targets[number], charge)
        part = available if last or number == self.closing else min(max(usual, made.early), available)
        excess = made.early > usual
        self.put_off += charge
        asked = 0
        if last or not self.no_payment[number] or part == available:
            asked, self.put_off = self.put_off, 0
        left, _ = self._pay_late(on_due_date)
        owed = _Owed(asked, part - made.early)
        left, _ = owed.take(left + made.spare)
        if left and not last:
            more = min(left, available - part)
            part += more
            excess = excess or more > 0
            left -= more
        self.spare = left
        if self.periods[number].end < self.as_of and (owed.interest or owed.principal):
            self.late.append(owed)
        self.open = available - part
        self.done.principal.append(part)
        self.done.borne.append(charge)
        self.done.asked.append(asked)
        if excess and not last and self.open and self.rest.effect == "reduce-instalment":
            self.targets[number + 1 :] = self.spread_over(self.open, number + 1)

    def _pay_late(self, amount: int) -> tuple[int, int]:
        """(what is left, the principal paid) after the oldest late instalments took theirs."""
        principal = 0
        while amount and self.late:
            amount, paid = self.late[0].take(amount)
            principal += paid
            if not (self.late[0].interest or self.late[0].principal):
                del self.late[0]
        return amount, principal

    def _pay_early(self, made: _Period, day: date, amount: int, there: int, *, ends_it: bool) -> None:
        """Money in advance of principal that is `there`; more than that bears no interest and pays the period's, or
        principal as soon as more is lent."""
        amount, made.spare = amount + made.spare, 0
        if not amount:
            return
        end = self.periods[self.now].end
        principal = min(amount, there - made.early)
        ends_it = ends_it and made.early + principal == there
        made.early += principal
        made.spare = amount - principal
        counts = end if self.rest.rest == "due-date" or (ends_it and self.rest.payoff_until == "due-date") else day
        made.moves.append((max(counts, self.periods[self.now].start), -principal))

    def _interest(self, number: int, opening: int, moves: list[tuple[date, int]]) -> tuple[int, int]:
        free = number < self.terms.grace_interest_charge
        cut = spans(self.rule, self.periods[number], self.rates, moves, free=free)
        return interest(cut, opening, self.terms.rounding)
