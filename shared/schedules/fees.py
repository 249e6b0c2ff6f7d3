"""Fees that are agreed in the terms, as amounts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from shared.calendar import add_months
from shared.events.terms import InstalmentFee, Terms
from shared.money import divide, minor_units
from shared.schedules.accrual import exact_rate
from shared.schedules.model import Instalment, PaidOut, Schedule

Fee = tuple[str, int]
"""Name and minor units, more than zero."""


def upfront_fees(terms: Terms, paid_out: int, *, first: bool) -> tuple[Fee, ...]:
    """What is withheld of a disbursement of `paid_out` minor units; `first`: it is the loan's first."""
    found = []
    for fee in terms.upfront_fees:
        share, scale = exact_rate(fee.share)
        amount = divide(paid_out * share, scale, terms.rounding)
        if first:
            amount += minor_units(fee.amount, terms.currency)
        if amount:
            found.append((fee.name, amount))
    return tuple(found)


def prepayment_fee(terms: Terms, prepaid: int, *, disbursed_on: date, on: date) -> int:
    """What prepaying so much principal costs on a date, in minor units."""
    for fee in sorted(terms.prepayment_fees, key=lambda one: one.within_months):
        if on < add_months(disbursed_on, fee.within_months):
            share, scale = exact_rate(fee.share)
            return divide(prepaid * share, scale, terms.rounding)
    return 0


def with_fees(terms: Terms, paid_out: Sequence[PaidOut], plan: Schedule) -> Schedule:
    """The schedule of what was paid out, its instalments with the fees of the terms; each rounds as the terms say."""
    money = sorted(paid_out, key=lambda one: one.on)
    outstanding, made = 0, []
    for one in plan.instalments:
        while money and money[0].on <= one.due:
            outstanding += money.pop(0).amount
        asks = not one.down_payment and one.principal + one.interest > 0
        fees = [_of_instalment(terms, fee, one, outstanding) if asks else 0 for fee in terms.instalment_fees]
        outstanding -= one.principal
        made.append(replace(one, fees=tuple(fees)))
    return replace(plan, instalments=tuple(made))


def _of_instalment(terms: Terms, fee: InstalmentFee, one: Instalment, outstanding: int) -> int:
    match fee.base:
        case "principal":
            base = one.principal
        case "interest":
            base = one.interest
        case "instalment":
            base = one.principal + one.interest
        case "outstanding":
            base = outstanding
        case "contract":
            base = minor_units(terms.principal, terms.currency)
    share, scale = exact_rate(fee.share)
    return minor_units(fee.amount, terms.currency) + divide(base * share, scale, terms.rounding)
