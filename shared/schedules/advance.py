"""Progressive instalments that are paid in advance: they keep their size and take principal first.

An instalment that is paid before its due date owes the interest up to that day; one that lies further ahead owes none,
and the interest that its period still bears is asked for with the next one that is unpaid. The last instalment takes
the difference. Late principal bears no more than its instalment asks for. Figures: Apache Fineract's progressive
schedules (commit 4198b0b, 2024-10-24).
"""

from collections.abc import Sequence
from datetime import date

from shared.events.terms import Terms
from shared.schedules.accrual import spans
from shared.schedules.course import Course
from shared.schedules.loan import assembled
from shared.schedules.model import Change, PaidOut, Schedule
from shared.schedules.walks import Walk, interest


def paid_in_advance(
    terms: Terms, events: Sequence[tuple[date, PaidOut | Change]], payments: Sequence[tuple[date, int]]
) -> Schedule:
    """The instalments after these disbursements and changes, and these payments; both in order of date."""
    assert isinstance(events[0][1], PaidOut)
    live, waiting, spare = _Paid(terms, events[0][0]), list(events), 0
    for on, amount in payments:
        spare = live.pay(on, amount + live.follow_until(on, waiting, spare))
    live.follow_until(date.max, waiting, spare)
    return assembled(live, live.walk())


class _Paid(Course):
    """A course whose periods have been paid in part."""

    def __init__(self, terms: Terms, start: date) -> None:
        super().__init__(terms, start)
        self.paid: dict[int, tuple[int, int]] = {}
        """Principal and interest that a period's instalment was paid."""
        self.moves: list[tuple[int, date, int]] = []
        """By period: when principal began to count as paid, and how much of it, below zero."""
        self.until_due = terms.recalculation is not None and terms.recalculation.payoff_until == "due-date"

    def walk(self, until: int | None = None) -> Walk:
        """What the periods ask for, what is paid in advance included."""
        if not self.paid:
            return super().walk(until)
        made, put_off = Walk([], [], [], 0), 0
        for number in range(len(self.periods) if until is None else until):
            principal, paid = self.paid.get(number, (0, 0))
            charge, balance = self._interest(number, made.balance)
            charge += put_off
            usual = 0 if self.no_principal[number] else self.asking.principal(self.targets[number], charge)
            left = max(balance, 0) + principal
            if number == len(self.periods) - 1:
                asked, part = max(paid, charge), left
            else:
                asked = paid if principal > usual or self.no_payment[number] else max(paid, charge)
                if not (self.no_principal[number] or self.no_payment[number]):
                    usual += charge - asked
                part = min(max(usual, principal), left)
            put_off = charge - asked
            made.balance = balance + principal - part
            made.principal.append(part)
            made.borne.append(charge)
            made.asked.append(asked)
        return made

    def follow_until(self, day: date, waiting: list[tuple[date, PaidOut | Change]], spare: int) -> int:
        """Go on with the disbursements and changes up to `day`, taking them off the list; `spare` money pays what they
        ask for. Returns what is left of it."""
        while waiting and waiting[0][0] <= day:
            on, event = waiting.pop(0)
            if isinstance(event, PaidOut):
                self.disburse(event)
            else:
                self.change(event)
            spare = self.pay(on, spare)
        return spare

    def pay(self, on: date, amount: int) -> int:
        """Money comes: to what is due first, then to the instalments ahead, one after the other. Returns what found
        nothing to pay: it pays what is lent next."""
        for number, period in enumerate(self.periods):
            if amount == 0:
                return 0
            principal, paid = self.paid.get(number, (0, 0))
            counts = period.end
            if period.end <= on:
                walk = self.walk(number + 1)
                interest_due = max(walk.asked[number] - paid, 0)
                principal_due = walk.principal[number] - principal
                if number == len(self.periods) - 1:
                    principal_due = self.walk().principal[number] - principal
            else:
                running = period.start < on
                counts = period.end if running and self.until_due else on
                principal_due, interest_due = self._ahead(number, counts if running else None)
            part = min(principal_due, amount)
            charge = min(interest_due, amount - part)
            if part or charge:
                self._take(number, part, charge, counts)
            amount -= part + charge
        return amount

    def _ahead(self, number: int, until: date | None) -> tuple[int, int]:
        """Principal and interest that an instalment takes before its due date; `until`: its interest runs so far."""
        principal, paid = self.paid.get(number, (0, 0))
        before = self.walk(number)
        charge, balance = self._interest(number, before.balance, until or self.periods[number].start)
        if until is None:
            charge = 0
        elif number:
            charge += before.borne[-1] - before.asked[-1]
        if number == len(self.periods) - 1:
            return max(balance, 0), max(charge - paid, 0)
        size = 0 if self.no_principal[number] else self.asking.principal(self.targets[number], max(charge, paid))
        return max(min(size - principal, balance), 0), max(charge - paid, 0)

    def _take(self, number: int, principal: int, charge: int, counts: date) -> None:
        before, paid = self.paid.get(number, (0, 0))
        self.paid[number] = before + principal, paid + charge
        if principal:
            at = next((k for k, period in enumerate(self.periods) if counts <= period.end), len(self.periods) - 1)
            self.moves.append((at, max(counts, self.periods[at].start), -principal))

    def _interest(self, number: int, opening: int, until: date | None = None) -> tuple[int, int]:
        period, free = self.periods[number], number < self.terms.grace_interest_charge
        moves = [(min(day, period.end), scheduled) for day, at, scheduled, _ in self.money if at == number]
        moves += [(min(day, period.end), amount) for at, day, amount in self.moves if at == number]
        cut = spans(self.rule, period, self.rates, moves, free=free, until=until)
        charge, balance = interest(cut, opening, self.terms.rounding)
        return max(charge, 0), balance
