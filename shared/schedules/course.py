"""A loan's course: its periods and what they ask for, moved on by each disbursement and each agreed change in turn.

What an earlier event made of the periods before its own stays: an instalment that has fallen due never changes because
of what happens later.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import assert_never

from shared.events.servicing import DueDateMoved, GraceGranted, InterestPaused, RateChanged, TermExtended
from shared.events.terms import Terms
from shared.money import divide, minor_units
from shared.schedules.accrual import (
    Rate,
    Span,
    counting,
    exact_rate,
    rate_on,
    spans,
    together,
    whole_factor,
    year_length,
)
from shared.schedules.annuity import Annuity, annuity, level_step, nominal_months
from shared.schedules.grid import Grid
from shared.schedules.model import Change, PaidOut, Prepaid, RateReset
from shared.schedules.parts import parts, weights
from shared.schedules.refusals import (
    DisbursedAfterLastDue,
    PrepaidTooLate,
    PrepaidTooMuch,
    UnschedulableTerms,
)
from shared.schedules.walks import Asking, Walk, declining, flat


class Course(Grid):
    """Mutable: `disburse` and `change` move it on, `walk` tells what comes of it."""

    def __init__(self, terms: Terms, start: date) -> None:
        """Of a loan whose first money is paid out on `start`. Raises FirstDueNotAfterDisbursement, GapTooShort."""
        super().__init__(terms, start)
        self.rule = counting(terms, start)
        self.rates = [Rate(date.min, *exact_rate(terms.annual_rate))]
        self.rates += [Rate(one.from_date, *exact_rate(one.annual_rate)) for one in terms.rate_changes]
        self.pauses: list[tuple[date, date]] = []
        """Days that bear no interest, first and last."""
        count = len(self.periods)
        self.targets = [0] * count
        self.money: list[tuple[date, int, int, int]] = []
        """Each disbursement: its date, the period that it counts for, what is scheduled, and the whole; a prepayment is
        one of less than nothing."""
        self.down_payments: list[tuple[date, int]] = []
        """What was asked for at once, by date: down payments and prepayments."""
        multiple = _multiple(terms, terms.instalment_multiple)
        self.asking = Asking(
            terms.kind == "equal-instalment",
            _multiple(terms, terms.principal_multiple),
            1 if terms.kind == "equal-instalment" else multiple,
            terms.rounding,
        )
        self.multiple = multiple
        self.balloon = 0 if terms.balloon is None else minor_units(terms.balloon, terms.currency)
        self.origin = 0
        """The period from which `basis`, the principal to spread, is spread."""
        self.basis = 0
        self.closing = count - 1
        """The last instalment that is to repay principal: a season's last month need not be the loan's."""
        self._spans: list[tuple[Span, ...]] = [()] * count
        self._gross: list[tuple[Span, ...]] = [()] * count
        self.respan(0)

    def disburse(self, paid: PaidOut) -> None:
        """Money is paid out: its down payment falls due at once, the rest is spread. Raises DisbursedAfterLastDue."""
        at = self.period_of(paid.on)
        down = 0
        if self.terms.down_payment != "0":
            share, scale = exact_rate(self.terms.down_payment)
            multiple = max(self.multiple, self.asking.principal_multiple)
            down = divide(paid.amount * share, scale * multiple, self.terms.rounding) * multiple
            if down:
                self.down_payments.append((paid.on, down))
        scheduled = paid.amount - down
        first = not self.money
        self.money.append((paid.on, at, scheduled, paid.amount))
        self.respan(at, at + 1)
        if not first and (self.terms.schedule == "progressive" or at < self.origin):
            self.respread(at)
        else:
            self.basis += scheduled
            self.spread(at)

    def change(self, change: Change) -> None:
        """Borrower and lender agreed otherwise. Raises NoSuchInstalment and the refusals of what they agreed on."""
        match change:
            case Prepaid():
                self.prepay(change)
                return
            case InterestPaused():
                self.pause(change)
                return
            case RateReset():
                self.reset(change)
                return
            case DueDateMoved():
                at = self.number_due(change.due, "due")
                money = [day for day, number, _, _ in self.money if number == at]
                self.move(at, change.to, money_until=max(money, default=date.min))
            case RateChanged():
                at = self.number_due(change.from_due, "from_due")
                start = self.periods[at].start
                self.rates = [rate for rate in self.rates if rate.since < start]
                self.rates.append(Rate(start, *exact_rate(change.annual_rate)))
            case TermExtended():
                at = self.number_due(change.from_due, "from_due")
                self.extend(change.instalments)
                for column in (self._spans, self._gross):
                    column.extend([()] * change.instalments)
                self.targets.extend([0] * change.instalments)
            case GraceGranted():
                at = self.number_due(change.from_due, "from_due")
                self.grant(at, change)
            case _:
                assert_never(change)
        self.respan(at)
        if isinstance(change, DueDateMoved) and self.asking.level:
            return  # the instalment agreed on stays, and the last one takes what a longer period bears
        if not (isinstance(change, RateChanged) and self.terms.kind != "equal-instalment"):
            self.respread(at)

    def prepay(self, paid: Prepaid) -> None:
        """Principal comes back early. Raises PrepaidTooMuch, and PrepaidTooLate after the last due date."""
        at = next((number for number, period in enumerate(self.periods) if paid.on < period.end), None)
        if at is None:
            raise PrepaidTooLate(f"{paid.on} is not before the last due date {self.periods[-1].due}.", field="on")
        outstanding = self.balance(at) + sum(one[2] for one in self.money if one[1] == at and one[0] <= paid.on)
        if paid.amount >= outstanding:
            raise PrepaidTooMuch(f"More would be prepaid than is outstanding on {paid.on}.", field="amount")
        self.money.append((paid.on, at, -paid.amount, 0))
        self.down_payments.append((paid.on, paid.amount))
        self.respan(at, at + 1)
        if paid.fewer:
            self.asking = replace(self.asking, ends_early=True)
        else:
            self.respread(at)

    def reset(self, reset: RateReset) -> None:
        """Another rate from a day on; the days of a pause that was agreed still bear none. After the last due date
        nothing happens."""
        on = reset.on
        at = next((number for number, period in enumerate(self.periods) if on < min(period.end, period.due)), None)
        if at is None:
            return
        since = max(on, self.periods[at].start)
        self.rates = [rate for rate in self.rates if rate.since < since]
        self.rates.append(Rate(since, *exact_rate(reset.annual_rate)))
        for start, end in self.pauses:
            if end >= since:
                self._bear_nothing(max(start, since), end)
        self.respan(at)
        if self.terms.kind == "equal-instalment":
            self.respread(at)

    def pause(self, pause: InterestPaused) -> None:
        """No interest from its first to its last day; what is asked for stays, and the last instalment is smaller."""
        self.pauses.append((pause.start, pause.end))
        self._bear_nothing(pause.start, pause.end)
        at = next((number for number, period in enumerate(self.periods) if pause.start < period.end), None)
        if at is not None:
            self.respan(at)

    def _bear_nothing(self, start: date, end: date) -> None:
        after = end + timedelta(days=1)
        again = rate_on(self.rates, after)
        self.rates = [
            *(rate for rate in self.rates if rate.since < start),
            Rate(start, 0, 1),
            Rate(after, again.numerator, again.scale),
            *(rate for rate in self.rates if rate.since > after),
        ]

    def respread(self, at: int) -> None:
        """Spread what is outstanding when the period opens, and what is paid out in it, over it and those after."""
        self.basis = self.balance(at) + sum(one[2] for one in self.money if one[1] == at)
        self.origin = at
        self.spread(at)

    def period_of(self, day: date) -> int:
        """The period whose instalments money paid out on the day counts for.

        On a due date a cumulative schedule counts it for the instalment of that day, a progressive one for the next.
        """
        progressive = self.terms.schedule == "progressive"
        for number, period in enumerate(self.periods):
            if day < period.end or (day == period.end and not progressive):
                return number
        if day == self.periods[-1].end:
            return len(self.periods) - 1
        raise DisbursedAfterLastDue(f"{day} is after the last due date {self.periods[-1].due}.", field="amount")

    def walk(self, until: int | None = None) -> Walk:
        """What the periods ask for, or those before number `until`."""
        graces = {"no_principal": self.no_principal, "no_payment": self.no_payment}
        if self.terms.kind == "flat":
            lent = [0] * len(self.periods)
            for _, at, scheduled, _ in self.money:
                lent[at] += scheduled
            return flat(self._gross, lent, self.targets, self.asking, until=until, **graces)
        return declining(self._spans, self.targets, self.asking, closing=self.closing, until=until, **graces)

    def balance(self, at: int) -> int:
        """The principal outstanding when the period opens, without what is paid out in it."""
        return self.walk(at).balance if at else 0

    def factors(self, first: int) -> list[tuple[int, int]]:
        """The interest factors of the periods from number `first` on that ask for principal."""
        free, progressive = self.terms.grace_interest_charge, self.terms.schedule == "progressive"
        made = []
        for number in range(first, len(self.periods)):
            if self.no_principal[number]:
                continue
            if progressive or len(self._spans[number]) > 1:
                made.append(whole_factor(self.rule, self.periods[number], self.rates, free=number < free))
            else:
                made.append(together(self._spans[number]))
        return made

    def spread(self, at: int) -> None:
        """Set what the periods from number `at` on ask for, by basis and origin."""
        if self.closing < at:  # it took what was left then, and keeps it
            self.targets[self.closing] = self.walk(self.closing + 1).principal[-1]
        self.targets[at:] = self.spread_over(self.basis, self.origin)[at - self.origin :]
        if self.asking.level and self.terms.schedule == "progressive":
            self._level_out(at, self.targets[at])

    def spread_over(self, principal: int, first: int) -> list[int]:
        """What the periods from number `first` on would ask for to repay `principal`."""
        left = min(self.balloon, principal)
        if self.asking.level:
            self.closing = len(self.periods) - 1
            level = self._annuity(first).instalment(principal, left, self.multiple, self.terms.rounding)
            return [level] * (len(self.periods) - first)
        shares = weights(self.terms, self.periods[first:], first)
        for number, skipped in enumerate(self.no_principal[first:]):
            if skipped:
                shares[number] = (0, 1)
        if not any(share for share, _ in shares):
            raise UnschedulableTerms("No instalment is left that repays principal.", field="instalments")
        self.closing = max(number for number, (share, _) in enumerate(shares, start=first) if share)
        multiple = max(self.multiple, self.asking.principal_multiple)
        return parts(principal - left, shares, multiple, self.terms.rounding)

    def _annuity(self, first: int) -> Annuity:
        if self.terms.annuity == "nominal-month" and self.terms.unit == "month":
            period = self.periods[first]
            rate = rate_on(self.rates, period.start)
            days = self.rule.year_days or {"30/360": 360, "actual/360": 360, "actual/364": 364, "actual/365": 365}.get(
                self.terms.day_count, year_length(self.periods[0].start.year)
            )
            count = len(self.periods) - first - sum(self.no_principal[first:])
            return nominal_months((rate.numerator, rate.scale), days, self.terms.every, count)
        return annuity(tuple(self.factors(first)))

    def _level_out(self, at: int, level: int) -> None:
        """Move a progressive instalment towards the last one, if that makes their difference smaller."""
        count = len(self.periods) - at - sum(self.no_principal[at:])
        last = self._last()
        step = level_step(last, level, count, self.terms.rounding)
        moved = divide(level + step, self.multiple, self.terms.rounding) * self.multiple
        if moved == level:
            return
        before = self.targets[at:]
        self.targets[at:] = [moved] * len(before)
        if abs(self._last() - moved) >= abs(last - level):
            self.targets[at:] = before

    def _last(self) -> int:
        walk = self.walk()
        return walk.principal[-1] - self.balloon + walk.borne[-1]

    def respan(self, first: int, until: int | None = None) -> None:
        """Cut the periods from number `first` on anew, up to `until`."""
        flat_kind, free = self.terms.kind == "flat", self.terms.grace_interest_charge
        for number in range(first, len(self.periods) if until is None else until):
            period = self.periods[number]
            moves = []
            for day, at, scheduled, gross in self.money:
                if at == number:
                    moves.append((min(day, period.end), gross if flat_kind else scheduled))
            made = spans(self.rule, period, self.rates, moves, free=number < free)
            (self._gross if flat_kind else self._spans)[number] = made


def _multiple(terms: Terms, text: str | None) -> int:
    return 1 if text is None else minor_units(text, terms.currency)
