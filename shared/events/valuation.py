"""What a loan is worth at the end of a period, beside what its borrower owes: on `loans.lifecycle.v1`.

The amounts are the balances that the loan's three accounts of valuation are to have; the fold books what they differ by
from those that they had. `EventUndone` takes one back as any other fact.
"""

from datetime import date
from functools import partial
from operator import eq
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import CurrencyCode, Data, Envelope, Total
from shared.events.origination import Security

Factor = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,3})(\.[0-9]{1,12})?$")]
"""A rate or share as a decimal fraction: "0.25" is 25 %."""
Group = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
"""A class of the five classes, or a stage of IFRS 9: `substandard`, `stage-2`."""


class Inputs(Data):
    """What the amounts follow from, as it was at the end of the period end.

    exposure: what the loss share is of. unpaid_interest: fallen due or accrued, of all that nobody has paid.
    non_performing: then that interest is not in the exposure, and is in suspense as the policy says.
    loss_share: of the exposure, expected to be lost; of a loan by stages it follows from `default_probability` (in 12
    months), `loss_given_default`, and the discount at `effective_rate`, the original one a year.
    upfront_fees: what was withheld of the money paid out, less what was credited again.
    """

    days_past_due: Annotated[int, Field(ge=0, strict=True)]
    watched: bool = Field(default=False, strict=True, exclude_if=partial(eq, False))
    non_performing: Annotated[bool, Field(strict=True)]
    security: Security
    exposure: Total
    unpaid_interest: Total
    upfront_fees: Total
    loss_share: Factor
    default_probability: Factor | None = None
    loss_given_default: Factor | None = None
    effective_rate: Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,12})?$")] | None = None


class Valuation(Data):
    """A loan at the end of `period_end`, which is the event's value date, by a version of the lender's policy.

    allowance: for expected credit losses. suspended_interest: due or accrued, and not income until it is paid.
    deferred_fees: charged upfront, and not earned yet.
    """

    period_end: date
    policy: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    group: Group
    currency: CurrencyCode
    allowance: Total
    suspended_interest: Total
    deferred_fees: Total
    inputs: Inputs


class LoanValued(Envelope):
    """A loan was valued at the end of a period."""

    type: Literal["ledger.LoanValued.v1"] = "ledger.LoanValued.v1"
    data: Valuation
