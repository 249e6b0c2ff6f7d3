"""Whether the debts can be borne, month by month: a season with a good year's mean can still have months without cash.

The statements' months become a profile by calendar month (the mean of what is stated for it; for a month that is not
stated the mean of all), which is laid over the loan's life. Service is that of this loan and of debts elsewhere, each
as long as its outstanding lasts. Amounts are minor units; means are rounded down.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal

from shared.calendar import add_months
from shared.events.applications import ExistingDebt, Statement
from shared.money import minor_units
from shared.schedules import Instalment

RATIO = Context(prec=28, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class Month:
    """One month ahead; amounts in minor units, `cash` before any debt service."""

    month: str
    cash: int
    service: int
    cumulative: int
    cumulative_stressed: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """The months, and cash over service for all of them together; None where no debt asks for anything."""

    months: tuple[Month, ...]
    coverage: Decimal | None
    coverage_stressed: Decimal | None

    @property
    def lowest(self) -> int:
        """The lowest cumulative cash as planned."""
        return min(month.cumulative for month in self.months)

    @property
    def lowest_stressed(self) -> int:
        """The lowest cumulative cash when sales fall."""
        return min(month.cumulative_stressed for month in self.months)


def ratio(numerator: int, denominator: int, decimals: int = 4) -> Decimal | None:
    """A quotient rounded down to so many decimals; None of nothing."""
    if denominator == 0:
        return None
    unit = Decimal(1).scaleb(-decimals)
    return RATIO.divide(Decimal(numerator), Decimal(denominator)).quantize(unit, context=RATIO)


def profile(statement: Statement) -> dict[int, tuple[int, int]]:
    """Inflows, and outflows with the household's use, of each calendar month 1 to 12."""
    stated: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for month in statement.months:
        amounts = (minor_units(text, statement.currency) for text in (month.inflows, month.outflows, month.household))
        inflows, outflows, household = amounts
        stated[int(month.month[5:])].append((inflows, outflows + household))
    everything = [pair for pairs in stated.values() for pair in pairs]
    return {number: _mean(stated.get(number, everything)) for number in range(1, 13)}


def _mean(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    count = len(pairs)
    return sum(inflows for inflows, _ in pairs) // count, sum(outflows for _, outflows in pairs) // count


def capacity(
    statement: Statement, instalments: Sequence[Instalment], *, today: date, stress: Decimal, months_max: int
) -> Capacity:
    """The loan's life from the month after `today` to its last instalment, `months_max` at most.

    `stress`: the share by which inflows fall in the stressed line. What falls due before the first month counts in it.
    """
    first = add_months(today.replace(day=1), 1)
    last = max(first, instalments[-1].due.replace(day=1))
    count = min(months_max, (last.year - first.year) * 12 + last.month - first.month + 1)
    own: dict[int, int] = defaultdict(int)
    for instalment in instalments:
        ahead = (instalment.due.year - first.year) * 12 + instalment.due.month - first.month
        own[max(0, ahead)] += instalment.total
    flows, debts = profile(statement), [_Running.of(debt, statement.currency) for debt in statement.debts]
    left = left_stressed = minor_units(statement.balance.cash, statement.currency)
    kept, months = 1 - stress, []
    cash_sum = stressed_sum = service_sum = 0
    for ahead in range(count):
        month = add_months(first, ahead)
        inflows, outflows = flows[month.month]
        service = own[ahead] + sum(debt.pay() for debt in debts)
        cash, stressed = inflows - outflows, int(inflows * kept) - outflows
        left, left_stressed = left + cash - service, left_stressed + stressed - service
        cash_sum, stressed_sum, service_sum = cash_sum + cash, stressed_sum + stressed, service_sum + service
        months.append(Month(f"{month:%Y-%m}", cash, service, left, left_stressed))
    return Capacity(tuple(months), ratio(cash_sum, service_sum), ratio(stressed_sum, service_sum))


@dataclass(slots=True)
class _Running:
    """A debt elsewhere while it is paid down."""

    outstanding: int
    monthly: int

    @classmethod
    def of(cls, debt: ExistingDebt, currency: str) -> "_Running":
        return cls(minor_units(debt.outstanding, currency), minor_units(debt.monthly_service, currency))

    def pay(self) -> int:
        part = min(self.outstanding, self.monthly)
        self.outstanding -= part
        return part
