"""What a loan costs its borrower: the annual rate of the money that is really in use, fees counted.

What is withheld of a disbursement never reaches the borrower, and a down payment goes back on the day it comes; the
rate is of the rest (Civil Code of the PRC, 670; People's Bank of China, announcement 2021 no. 3). Fees of
instalments are paid with them.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from services.origination.annual_rate import Method, NoAnnualRate, all_in_rate
from shared.events.terms import Terms
from shared.money import minor_units
from shared.schedules import Instalment
from shared.schedules.fees import Fee, upfront_fees


def fees_withheld(terms: Terms) -> tuple[Fee, ...]:
    """The fees that are withheld when the whole principal is paid out at once: name and minor units."""
    return upfront_fees(terms, minor_units(terms.principal, terms.currency), first=True)


def rate_of(terms: Terms, instalments: Iterable[Instalment], *, disbursed_on: date, method: Method) -> Decimal:
    """The all-in annual rate, as `all_in_rate` gives it, of a loan paid out whole on `disbursed_on`.

    Raises NoAnnualRate if nothing of the money is left in use.
    """
    later = [one for one in instalments if not one.down_payment]
    advance = sum(one.principal for one in later) - sum(amount for _, amount in fees_withheld(terms))
    if advance <= 0:
        raise NoAnnualRate("Upfront fees and down payment leave nothing of the principal.", field="upfront_fees")
    return all_in_rate(advance, later, disbursed_on=disbursed_on, every=terms.every, unit=terms.unit, method=method)
