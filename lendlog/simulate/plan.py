"""Day by day what happens at a lender: pure, and all of it drawn from the seed.

The plan does not know what the services will answer; it is told, and goes on from there: `paid_out`, `returned`,
`promised`. The same answers give the same plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from lendlog.simulate.borrowers import GROUP_SIZE, Borrower, make_borrower
from lendlog.simulate.chance import chance
from lendlog.simulate.climate import Climate
from lendlog.simulate.paying import Account, Payers
from lendlog.simulate.telling import Data, Teller
from shared.calendar import add_months
from shared.errors import Refusal
from shared.events.signals import IndicatorPublished
from shared.events.terms import Terms
from shared.money import minor_units
from shared.schedules import paid_out_whole

FIRST = date(2024, 1, 1)
GRANTING = 0.7
"""In this part of the period new loans are granted; after it the book only runs on."""


class NothingToSimulate(Refusal):
    """At least one loan and one month are needed, and at most 100,000 and 120."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that comes in for a loan; `returned_on`: the bank will take it back."""

    account: Account
    amount: int
    returned_on: date | None


@dataclass(slots=True)
class Plan:
    """One lender's life."""

    seed: int
    loans: int
    months: int
    climate: Climate = field(init=False)
    payers: Payers = field(init=False)
    teller: Teller = field(init=False)
    _next: int = field(default=0, init=False)
    """The number of the next borrower to come."""
    _withdrawals: dict[date, list[Borrower]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not (0 < self.loans <= 100_000 and 0 < self.months <= 120):
            raise NothingToSimulate(f"{self.loans} loans and {self.months} months were asked for.")
        self.climate = Climate(self.seed, FIRST, self.months)
        self.payers = Payers(self.seed)
        self.teller = Teller(self.seed, self.climate)

    def days(self) -> Iterator[date]:
        """Every business date, in order."""
        day, end = FIRST, add_months(FIRST, self.months)
        while day < end:
            yield day
            day += timedelta(days=1)

    def arrivals(self, day: date, under_way: int) -> list[Borrower]:
        """Who comes on a day. `under_way`: loans paid out and applications not ended: who is declined is replaced.

        A joint-liability group comes together, and only while there is room for all of it.
        """
        length = max(1, int((add_months(FIRST, self.months) - FIRST).days * GRANTING))
        passed = (day - FIRST).days + 1
        if passed > length + 30:
            return []
        wanted = min(self.loans, -(-self.loans * passed // length)) - under_way
        found: list[Borrower] = []
        while len(found) < wanted:
            found.append(self._come(self.loans - under_way - len(found)))
            while found[-1].group is not None and self._next % GROUP_SIZE:
                found.append(self._come(GROUP_SIZE))
        return found

    def _come(self, room: int) -> Borrower:
        """The next borrower; the next groups stay away if there is no room for them."""
        while (borrower := make_borrower(self.seed, self._next)).group is not None and room < GROUP_SIZE:
            self._next += GROUP_SIZE
        self._next += 1
        return borrower

    def paid_out(self, borrower: Borrower, loan_id: str, terms: Terms, day: date) -> None:
        """A loan begins: from now on its borrower pays, or not, and is told of."""
        made = paid_out_whole(terms, disbursed_on=day)
        due = [p + i for p, i in zip(made.principal, made.interest, strict=True)]
        assert sum(made.principal) == minor_units(terms.principal, terms.currency)
        account = Account(borrower, loan_id, tuple(zip(made.due, due, strict=True)))
        self.payers.begin(account, day)
        if borrower.machine:
            draw = chance(self.seed, "consent", borrower.number)
            if draw.random() < 0.2:
                when = day + timedelta(days=draw.randrange(60, 300))
                self._withdrawals.setdefault(when, []).append(borrower)

    def withdrawals(self, day: date) -> list[Borrower]:
        """Who takes the consent to telemetry back."""
        return self._withdrawals.pop(day, [])

    def payments(self, day: date) -> list[Payment]:
        """What comes in."""
        return [Payment(*one) for one in self.payers.payments(day, struck=self._struck)]

    def told(self, day: date) -> Iterator[tuple[Account, Data]]:
        """What is told of borrowers who owe something here."""
        for account in self.payers.accounts.values():
            if account.left:
                for data in self.teller.of_day(account, day):
                    yield account, data

    def indices(self, day: date) -> Iterator[IndicatorPublished]:
        """What is told of markets."""
        return self.teller.indices(day)

    def _struck(self, borrower: Borrower, day: date) -> bool:
        return self.climate.is_struck(borrower.trade, borrower.region, day)
