"""What a product says of a loan's terms beyond kind, amount, rate and dates: how it is scheduled and serviced."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from services.origination.bands import Rule
from shared.events.envelope import Amount
from shared.events.terms import (
    AccountingMethod,
    BorrowerRights,
    Days,
    DueDateShift,
    InstalmentFee,
    MonthShares,
    PenaltyInterest,
    Periods,
    PrepaymentFee,
    Recalculation,
    ReferenceRate,
    Share,
    Tax,
    UpfrontFee,
)

OF_ONE_CURRENCY = ("principal_multiple", "instalment_multiple", "balloon")
"""Fields that are amounts; so is `amount` of an upfront fee and of an instalment's."""


class Servicing(Rule):
    """Fields of `Terms`, with its names, types and defaults, which go into every contract of the product.

    What only a contract can know is not among them: dates, tranches, a plan agreed by hand, rates of later dates.
    """

    month_end: Literal["clamp", "last-day"] = "clamp"
    year_rule: Literal["isda", "disbursement-year"] = "isda"
    schedule: Literal["cumulative", "progressive"] = "cumulative"
    annuity: Literal["exact", "nominal-month"] = "exact"
    principal_multiple: Amount | None = None
    instalment_multiple: Amount | None = None
    balloon: Amount | None = None
    shares: MonthShares = Field(default_factory=dict)
    grace_principal: Periods = 0
    grace_interest_payment: Periods = 0
    grace_interest_charge: Periods = 0
    down_payment: Share = "0"
    over_applied: Share = "0"
    holidays: DueDateShift | None = None
    recalculation: Recalculation | None = None
    arrears_grace_days: Days = 0
    penalty: PenaltyInterest | None = None
    upfront_fees: tuple[UpfrontFee, ...] = ()
    prepayment_fees: tuple[PrepaymentFee, ...] = ()
    instalment_fees: tuple[InstalmentFee, ...] = ()
    borrower_rights: BorrowerRights | None = None
    accounting: AccountingMethod = "accrual-periodic"
    tax: Tax | None = None
    reference: ReferenceRate | None = None

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {name: value for name, value in written.items() if name in self.model_fields_set}

    def said(self) -> dict[str, Any]:
        """What the rules file says, by the name of the field."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    @property
    def has_amounts(self) -> bool:
        """Whether anything said is an amount, so that it is of one currency."""
        amounts = [fee.amount for fee in self.upfront_fees] + [fee.amount for fee in self.instalment_fees]
        said = any(getattr(self, name) is not None for name in OF_ONE_CURRENCY)
        return said or any(amount.strip("0.") for amount in amounts)


NO_SERVICING = Servicing()


def unknown_fields(given: Any, made: Any, place: str = "") -> Iterator[str]:
    """Names, with where they stand, that a rules file gives to a part of the terms and that the part does not have.

    Readers of events pass over such names; a slip in a rules file must not vanish like that.
    """
    if isinstance(made, BaseModel) and isinstance(given, Mapping):
        for name, value in given.items():
            where = f"{place}/{name}" if place else str(name)
            if name not in type(made).model_fields:
                yield where
            else:
                yield from unknown_fields(value, getattr(made, name), where)
    elif isinstance(made, Mapping) and isinstance(given, Mapping):
        for name, value in given.items():
            yield from unknown_fields(value, made.get(name), f"{place}/{name}")
    elif isinstance(made, Sequence) and isinstance(given, Sequence) and not isinstance(made, str):
        for number, (value, part) in enumerate(zip(given, made, strict=False)):
            yield from unknown_fields(value, part, f"{place}/{number}")
