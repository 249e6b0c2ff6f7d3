"""Fees that are agreed in the terms, as amounts."""

from datetime import date

from shared.calendar import add_months
from shared.events.terms import Terms
from shared.money import divide, minor_units
from shared.schedules.accrual import exact_rate

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
