"""How a borrower answers an instalment: on the day, early, late, in parts, too much, by a transfer that comes back, or
not at all; and what a promise to a collector is worth."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from lendlog.simulate.borrowers import Borrower, Habit
from lendlog.simulate.chance import chance

AHEAD_DAYS = 7
"""So many days before it falls due the borrower makes up his mind about an instalment."""
KEEPS: dict[Habit, float] = {
    "prompt": 0.97,
    "early": 0.97,
    "forgetful": 0.9,
    "careless": 0.85,
    "tight": 0.65,
    "recovering": 0.35,
    "sinking": 0.1,
}
"""How often a promise is kept whole, by habit."""


Struck = Callable[[Borrower, date], bool]
"""Whether a borrower's trade is in trouble on a day."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Money that is meant to come. `amount` in minor units, None: everything that is due and not paid by then."""

    on: date
    amount: int | None
    returned_on: date | None = None
    """The bank takes it back on this day."""


@dataclass(slots=True)
class Account:
    """A loan as its borrower sees it: what falls due when, and what he has paid."""

    borrower: Borrower
    loan_id: str
    due: tuple[tuple[date, int], ...]
    paid: int = 0
    stopped_on: date | None = None
    resumes_on: date | None = None

    def owed(self, day: date) -> int:
        """What has fallen due up to a day and is not paid."""
        return max(0, sum(amount for due, amount in self.due if due <= day) - self.paid)

    @property
    def left(self) -> int:
        """What is not paid of the whole loan."""
        return max(0, sum(amount for _, amount in self.due) - self.paid)

    def has_stopped(self, day: date) -> bool:
        """Whether the borrower pays nothing at the moment."""
        return self.stopped_on is not None and self.stopped_on <= day and not self._resumed(day)

    def _resumed(self, day: date) -> bool:
        return self.resumes_on is not None and self.resumes_on <= day


@dataclass(slots=True)
class Payers:
    """What every borrower intends, by day."""

    seed: int
    accounts: dict[int, Account] = field(default_factory=dict)
    """By the borrower's number."""
    _minds: dict[date, list[tuple[int, int]]] = field(default_factory=dict)
    """Day → (borrower, instalment) about which a mind is made up."""
    _intents: dict[date, list[tuple[int, Intent]]] = field(default_factory=dict)

    def begin(self, account: Account, day: date) -> None:
        """The loan was paid out on `day`."""
        number = account.borrower.number
        self.accounts[number] = account
        for k, (due, _) in enumerate(account.due):
            when = max(due - timedelta(days=AHEAD_DAYS), day + timedelta(days=1))
            self._minds.setdefault(when, []).append((number, k))
        if account.borrower.habit in ("sinking", "recovering"):
            draw = chance(self.seed, "stops", number)
            account.stopped_on = account.due[draw.randrange(len(account.due))][0]
            if account.borrower.habit == "recovering":
                account.resumes_on = account.stopped_on + timedelta(days=draw.randrange(25, 150))
                self.intend(number, Intent(account.resumes_on, None))

    def intend(self, number: int, intent: Intent) -> None:
        """Let money come."""
        self._intents.setdefault(intent.on, []).append((number, intent))

    def payments(self, day: date, *, struck: Struck) -> Iterator[tuple[Account, int, date | None]]:
        """What comes in on a day: the loan, the amount, and the day on which the bank takes it back, if it does."""
        for number, k in sorted(self._minds.pop(day, ())):
            account = self.accounts[number]
            if account.left:
                for intent in self._answer(account, k, day, struck):
                    self.intend(number, intent)
        for number, intent in sorted(self._intents.pop(day, ()), key=lambda pair: pair[0]):
            account = self.accounts[number]
            amount = account.owed(day) if intent.amount is None else intent.amount
            if amount > 0 and account.left:
                account.paid += amount
                yield account, amount, intent.returned_on

    def returned(self, account: Account, amount: int, day: date) -> None:
        """The bank took a payment back; most pay again after some days."""
        account.paid -= amount
        draw = chance(self.seed, "again", account.borrower.number, day.isoformat())
        if draw.random() < 0.9:
            self.intend(account.borrower.number, Intent(day + timedelta(days=draw.randrange(2, 12)), amount))

    def promised(self, account: Account, amount: int, due: date, today: date) -> None:
        """The borrower promised to pay; he does, pays a part, or doesn't."""
        number = account.borrower.number
        draw = chance(self.seed, "promise", number, today.isoformat())
        luck = draw.random()
        keeps = KEEPS[account.borrower.habit]
        if luck < keeps:
            self.intend(number, Intent(max(today, due - timedelta(days=draw.randrange(0, 3))), amount))
        elif luck < keeps + 0.15:
            self.intend(number, Intent(due, max(100, amount * draw.randrange(30, 80) // 100)))

    def reminded(self, account: Account, today: date) -> None:
        """A collector reached the borrower: who only forgot pays within days."""
        draw = chance(self.seed, "reminded", account.borrower.number, today.isoformat())
        if account.borrower.habit in ("prompt", "early", "forgetful", "careless") and draw.random() < 0.8:
            self.intend(account.borrower.number, Intent(today + timedelta(days=draw.randrange(0, 3)), None))

    def _answer(self, account: Account, k: int, day: date, struck: Struck) -> Iterator[Intent]:
        """What the borrower means to do about instalment `k`."""
        borrower, (due, amount) = account.borrower, account.due[k]
        if account.has_stopped(due):
            return
        draw = chance(self.seed, "instalment", borrower.number, k)
        if struck(borrower, due) and draw.random() < 0.4:
            yield from _hard_times(draw, due, amount)
            return
        match borrower.habit:
            case "early":
                yield Intent(day, account.left if draw.random() < 0.04 else amount)
            case "forgetful":
                yield Intent(_at(day, due, draw.choice((-1, 0, 0, 0, 1, 2, 4, 6, 9, 14, 20))), amount)
            case "tight" if draw.random() < 0.4:
                part = amount * draw.randrange(35, 75) // 100
                yield Intent(due, part)
                yield Intent(due + timedelta(days=draw.randrange(3, 28)), amount - part)
            case "careless":
                yield from _careless(draw, day, due, amount)
            case _:
                yield Intent(_at(day, due, draw.choice((-3, -2, -1, 0, 0, 0, 0, 0))), amount)


def _at(earliest: date, due: date, days: int) -> date:
    return max(earliest, due + timedelta(days=days))


def _hard_times(draw: random.Random, due: date, amount: int) -> Iterator[Intent]:
    """The trade is in trouble: late, in parts, or only when everything is caught up."""
    luck = draw.random()
    if luck < 0.45:
        yield Intent(due + timedelta(days=draw.randrange(5, 35)), amount)
    elif luck < 0.8:
        part = amount * draw.randrange(25, 60) // 100
        yield Intent(due + timedelta(days=draw.randrange(0, 6)), part)
        yield Intent(due + timedelta(days=draw.randrange(20, 70)), amount - part)
    else:
        yield Intent(due + timedelta(days=draw.randrange(60, 130)), None)


def _careless(draw: random.Random, day: date, due: date, amount: int) -> Iterator[Intent]:
    on = _at(day, due, draw.choice((-2, -1, 0, 0, 1)))
    luck = draw.random()
    if luck < 0.15:
        yield Intent(on, amount * draw.randrange(105, 220) // 100)
    elif luck < 0.3:
        yield Intent(on, amount, returned_on=on + timedelta(days=draw.randrange(2, 6)))
    else:
        yield Intent(on, amount)
