"""What a schedule is made of and what comes out of it; amounts are integers in minor units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from shared.events.servicing import DueDateMoved, GraceGranted, InterestPaused, RateChanged, TermExtended


@dataclass(frozen=True, slots=True)
class Prepaid:
    """Principal of `amount` > 0 minor units paid on `on`, before it was due.

    fewer: instalments stay as they are, and there are fewer of them; else there are as many, and smaller ones.
    """

    on: date
    amount: int
    fewer: bool


@dataclass(frozen=True, slots=True)
class RateReset:
    """From the day `on` the rate is `annual_rate`, as a reference rate has it; days before keep theirs, and instalments
    that have not fallen due are spread anew."""

    on: date
    annual_rate: str


Change = DueDateMoved | RateChanged | TermExtended | GraceGranted | InterestPaused | Prepaid | RateReset
Dated = tuple[date, Change]
"""A change and the date from which it is agreed."""


@dataclass(frozen=True, slots=True)
class Instalment:
    """What falls due on `due`. Its interest is earned on [start, due). A down payment starts and falls due on one day,
    and so does a prepayment, which is one too. `fees`: one amount for each of the terms' `instalment_fees`.

    Where a due date moves for a holiday without its interest, the amount is that of the unmoved period.
    """

    start: date
    due: date
    principal: int
    interest: int
    down_payment: bool = False
    fees: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """What the borrower pays."""
        return self.principal + self.interest + sum(self.fees)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Instalments in order of their due dates, which do not descend; a down payment stands before what else is due.

    No figure is negative, and principal sums to what was paid out. Where the terms ask for nothing (both graces at
    once, a month without a share in a loan without interest) an instalment is zero. `flagged`: years for which the
    holiday calendar has no data, so that their due dates were moved by weekends and statutory days alone.
    """

    instalments: tuple[Instalment, ...]
    flagged: tuple[int, ...] = ()

    @property
    def due(self) -> tuple[date, ...]:
        """The due dates."""
        return tuple([one.due for one in self.instalments])

    @property
    def principal(self) -> tuple[int, ...]:
        """The principal parts."""
        return tuple([one.principal for one in self.instalments])

    @property
    def interest(self) -> tuple[int, ...]:
        """The interest parts."""
        return tuple([one.interest for one in self.instalments])


@dataclass(frozen=True, slots=True)
class PaidOut:
    """Money that went to the borrower: `amount` > 0 minor units on the day `on`."""

    on: date
    amount: int


def in_order(paid_out: Sequence[PaidOut], changes: Iterable[Dated]) -> list[tuple[date, PaidOut | Change]]:
    """Disbursements and changes by date; on one day money comes first, and before it nothing."""
    start = min(paid.on for paid in paid_out)
    events: list[tuple[date, PaidOut | Change]] = [(paid.on, paid) for paid in paid_out]
    events.extend((max(on, start), change) for on, change in changes)
    return sorted(events, key=lambda event: (event[0], not isinstance(event[1], PaidOut)))
