"""The periods of a loan, and which of them ask for no principal or put their interest off."""

from datetime import date

from shared.events.servicing import GraceGranted
from shared.events.terms import Terms
from shared.schedules.accrual import exact_rate
from shared.schedules.dates import on_grid, periods, planned
from shared.schedules.refusals import (
    DueDateNotAhead,
    FirstDueNotAfterDisbursement,
    GapTooShort,
    GraceTooLong,
    NoSuchInstalment,
    TermsContradict,
)


class Grid:
    """Mutable: agreed changes move, add and mark periods."""

    def __init__(self, terms: Terms, start: date) -> None:
        """Of a loan whose first money is paid out on `start`. Raises FirstDueNotAfterDisbursement, GapTooShort."""
        if terms.first_due_date <= start:
            detail = f"The first due date {terms.first_due_date} is not after the disbursement on {start}."
            raise FirstDueNotAfterDisbursement(detail, field="first_due_date")
        if (terms.first_due_date - start).days < terms.minimum_gap:
            detail = f"{terms.first_due_date} is closer than {terms.minimum_gap} days to the disbursement on {start}."
            raise GapTooShort(detail, field="first_due_date")
        self.terms = terms
        self.days = planned(terms)
        self.anchor = (self.days[0], 0)
        """The date and number of the instalment from which the dates count."""
        self.periods = periods(terms, start, self.days, regular=terms.kind != "irregular")
        if self.periods[0].due <= start:
            detail = f"The first due date {self.periods[0].due} is not after the disbursement on {start}."
            raise FirstDueNotAfterDisbursement(detail, field="first_due_date")
        count = len(self.periods)
        self.no_principal = _first(terms.grace_principal, count)
        self.granted = _first(terms.grace_interest_payment, count)
        self.no_payment = list(self.granted)
        self._mark_quiet_months(0)

    def number_due(self, due: date, field: str) -> int:
        """The number of the instalment that falls due on the day, or would but for a holiday."""
        for number, period in enumerate(self.periods):
            if due in (period.due, self.days[number]):
                return number
        raise NoSuchInstalment(f"No instalment falls due on {due}.", field=field)

    def move(self, at: int, to: date, *, money_until: date) -> None:
        """The instalment and those after it fall due from `to` on; money was paid out for it until `money_until`."""
        start = self.periods[at].start
        if self.terms.kind == "irregular":
            later = [to + (day - self.days[at]) for day in self.days[at:]]
        else:
            later = list(on_grid(to, len(self.periods) - at, self.terms.every, self.terms.unit, self.terms.month_end))
        made = periods(self.terms, start, tuple(later), regular=self.terms.kind != "irregular")
        if made[0].due <= start or made[0].end <= start:
            raise DueDateNotAhead(f"{to} is not after {start}.", field="to")
        if money_until > made[0].end:
            raise DueDateNotAhead(f"Money was paid out after {to} already.", field="to")
        self.anchor = (to, at)
        self.days = (*self.days[:at], *later)
        self.periods[at:] = made
        self._mark_quiet_months(at)

    def extend(self, more: int) -> None:
        """So many more periods after the last."""
        if self.terms.kind == "irregular":
            raise TermsContradict("A plan agreed by hand has no next date.", field="instalments")
        day, at = self.anchor
        count = len(self.periods) + more - at
        later = on_grid(day, count, self.terms.every, self.terms.unit, self.terms.month_end)
        self.days = (*self.days[:at], *later)
        self.periods[at:] = periods(self.terms, self.periods[at].start, later)
        for flags in (self.no_principal, self.granted, self.no_payment):
            flags.extend([False] * more)
        self._mark_quiet_months(at)

    def grant(self, at: int, grace: GraceGranted) -> None:
        """A grace from the period on."""
        for flags, length, field in (
            (self.no_principal, grace.principal, "principal"),
            (self.granted, grace.interest, "interest"),
        ):
            if at + length >= len(flags):
                left = len(flags) - at
                raise GraceTooLong(f"A grace of {length} periods leaves none of {left} after it.", field=field)
            flags[at : at + length] = [True] * length
        self._mark_quiet_months(at)

    def _mark_quiet_months(self, first: int) -> None:
        """A month that is named with no share asks for nothing: its interest is put off as in a grace."""
        quiet = {month for month, share in self.terms.shares.items() if not exact_rate(share)[0]}
        for number in range(first, len(self.periods)):
            self.no_payment[number] = self.granted[number] or self.periods[number].end.month in quiet


def _first(count: int, of: int) -> list[bool]:
    return [True] * count + [False] * (of - count)
