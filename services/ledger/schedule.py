"""Terms and a disbursement date become instalments: 等额本息, 等额本金 and zero interest, in integer minor units.

Every figure is an exact integer quotient, rounded once by the terms' rounding, so no precision has to be chosen.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise

from shared.calendar import add_months, days_30_360, days_actual, due_dates
from shared.errors import Refusal
from shared.events.origination import Terms
from shared.money import divide, minor_units


class FirstDueNotAfterDisbursement(Refusal):
    """The first instalment must fall due after the money is paid out."""


class UnschedulableTerms(Refusal):
    """The terms give no schedule in which every instalment asks for something and no principal is negative."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Instalment k falls due on `due[k]` and asks for `principal[k]` + `interest[k]`, in minor units.

    Due dates ascend; principal and interest are not negative; principal sums to the amount lent.
    """

    due: tuple[date, ...]
    principal: tuple[int, ...]
    interest: tuple[int, ...]


def schedule(terms: Terms, *, disbursed_on: date) -> Schedule:
    """The instalments of a loan paid out whole on `disbursed_on`; the last one takes what rounding left.

    Raises FirstDueNotAfterDisbursement or UnschedulableTerms, and the refusals of `minor_units` for the principal.
    """
    if terms.first_due_date <= disbursed_on:
        raise FirstDueNotAfterDisbursement(
            f"The first due date {terms.first_due_date} is not after the disbursement on {disbursed_on}.",
            field="first_due_date",
        )
    lent = minor_units(terms.principal, terms.currency)
    if lent == 0:
        raise UnschedulableTerms("The principal is zero.", field="principal")
    try:
        due = due_dates(terms.first_due_date, terms.instalments, terms.every, terms.unit)
    except OverflowError:
        raise UnschedulableTerms("The last due date is past the year 9999.", field="instalments") from None
    rate, scale = exact_rate(terms.annual_rate)
    basis = 360 if terms.day_count == "30/360" else 365
    accrual = Accrual(rate, scale * basis, period_days(terms, due, disbursed_on))
    principal, interest = _split(terms, lent, accrual)
    if min(principal) <= 0:
        _refuse_if_broken(terms, principal, interest)
    return Schedule(tuple(due), tuple(principal), tuple(interest))


@dataclass(frozen=True, slots=True)
class Accrual:
    """Interest of period k on a balance is balance × rate × days[k] / year, exactly; `year` is in days × rate scale."""

    rate: int
    year: int
    days: tuple[int, ...]


@lru_cache(maxsize=4096)
def exact_rate(text: str) -> tuple[int, int]:
    """A rate as numerator and power of ten: "0.12" is (12, 100)."""
    whole, _, decimals = text.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def period_days(terms: Terms, due: list[date], disbursed_on: date) -> tuple[int, ...]:
    """Interest days of each period, from the disbursement to the first due date and on from due date to due date.

    Under 30/360 a whole period of months counts 30 days a month, whatever days the month end clamps to; an odd first
    period, and periods of days and weeks, go by the day count between their dates.
    """
    count = days_30_360 if terms.day_count == "30/360" else days_actual
    if terms.unit == "month" and terms.day_count == "30/360":
        whole, every, first = 30 * terms.every, terms.every, terms.first_due_date
        regular = add_months(disbursed_on, every) == first or add_months(first, -every) == disbursed_on
        return (whole if regular else count(disbursed_on, first), *((whole,) * (len(due) - 1)))
    if terms.unit != "month" and terms.day_count == "actual/365":
        return (count(disbursed_on, due[0]), *((terms.every * (7 if terms.unit == "week" else 1),) * (len(due) - 1)))
    return (count(disbursed_on, due[0]), *(count(start, end) for start, end in pairwise(due)))


@lru_cache(maxsize=4096)
def annuity_factor(accrual: Accrual) -> tuple[int, int]:
    """Instalment per unit of principal, an exact fraction: 1 / Σ_k Π_{i≤k} 1/(1+f_i), with f_i = rate × days_i / year.

    Multiplied through by Π (1+f_i) it is growth / worth, where worth_i = 1 + worth_{i-1} × (1+f_i): the value at the
    last due date of one paid at each. For equal periods that is the textbook f / (1 - (1+f)^-n).
    """
    growth, worth, unit = 1, 0, 1
    for days in accrual.days:
        step = accrual.year + accrual.rate * days
        growth *= step
        worth = worth * step + unit
        unit *= accrual.year
    return growth, worth * accrual.year


def _split(terms: Terms, lent: int, accrual: Accrual) -> tuple[list[int], list[int]]:
    """Principal and interest of every instalment, in minor units."""
    if accrual.rate == 0 or terms.kind == "equal-principal":
        share = divide(lent, terms.instalments, terms.rounding)
        return _equal_principal(lent, share, accrual, terms)
    numerator, denominator = annuity_factor(accrual)
    instalment = divide(lent * numerator, denominator, terms.rounding)
    principal, interest, balance = [], [], lent
    for days in accrual.days:
        charge = divide(balance * accrual.rate * days, accrual.year, terms.rounding)
        interest.append(charge)
        principal.append(instalment - charge)
        balance -= instalment - charge
    principal[-1] += balance
    return principal, interest


def _equal_principal(lent: int, share: int, accrual: Accrual, terms: Terms) -> tuple[list[int], list[int]]:
    principal = [share] * (len(accrual.days) - 1) + [lent - share * (len(accrual.days) - 1)]
    interest, balance = [], lent
    for days, part in zip(accrual.days, principal, strict=True):
        interest.append(divide(balance * accrual.rate * days, accrual.year, terms.rounding))
        balance -= part
    return principal, interest


def _refuse_if_broken(terms: Terms, principal: list[int], interest: list[int]) -> None:
    for number, (part, charge) in enumerate(zip(principal, interest, strict=True), start=1):
        if part < 0:
            raise UnschedulableTerms(
                f"Instalment {number} of {terms.instalments} would not even pay its interest, or rounding would leave "
                f"less than nothing for it.",
                field="instalments",
            )
        if part + charge == 0:
            raise UnschedulableTerms(
                f"Instalment {number} of {terms.instalments} would be zero: the principal is too small to divide.",
                field="principal",
            )
