"""The catalogue of products: what may be asked for, by whom, on which terms (products/*.yaml). A contract names the
product's version, and that version never changes."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product as combined
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, StringConstraints, model_validator

from services.origination.bands import Exact, Rule
from services.origination.rate_caps import ProductKind
from services.origination.servicing import NO_SERVICING, Servicing, unknown_fields
from shared.calendar import days_in_month
from shared.errors import Refusal
from shared.events.applications import Request
from shared.events.envelope import Amount, CurrencyCode
from shared.events.parties import Code, Party
from shared.events.terms import AllocationCells, AllocationOrder, Terms
from shared.money import decimal_text, minor_units
from shared.schedules import paid_out_whole
from shared.schedules.dates import back


class ProductNotForBorrower(Refusal):
    """The product is not for this kind, size or industry of borrower."""


class CurrencyNotOffered(Refusal):
    """The product is not offered in this currency."""


class AmountOutsideLimits(Refusal):
    """The amount is outside the product's limits."""


class InstalmentsOutsideLimits(Refusal):
    """The number of instalments is outside the product's limits."""


class IntervalNotOffered(Refusal):
    """The product has no instalments at this interval."""


class FirstDueOutsideLimits(Refusal):
    """The first due date is outside of what the product allows."""


class RateOutsideLimits(Refusal):
    """The annual rate is outside the product's limits."""


class AmountLimits(Rule):
    """Of one currency. Amounts are multiples of `step`. `materiality`: see `Terms.arrears_materiality`.

    servicing: what holds in this currency, in place of the same fields of the product's.
    """

    min: Amount
    default: Amount
    max: Amount
    step: Amount
    materiality: Amount = "0"
    servicing: Servicing = NO_SERVICING


class RateLimits(Rule):
    """Nominal annual rates."""

    min: Exact
    default: Exact
    max: Exact

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 <= self.min <= self.default <= self.max:
            raise ValueError("limits are ordered: 0 <= min <= default <= max")
        return self


class CountLimits(Rule):
    """Numbers of instalments, ordered."""

    min: Annotated[int, Field(ge=1, le=600)]
    default: int
    max: Annotated[int, Field(ge=1, le=600)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.default <= self.max:
            raise ValueError("limits are ordered: min <= default <= max")
        return self


class Interval(Rule):
    """Instalments `every` units apart."""

    every: Annotated[int, Field(ge=1, le=366)]
    unit: Literal["day", "week", "month"]


class FirstDue(Rule):
    """When the first instalment may fall due: days after the application, and in which calendar months (empty: any)."""

    days_min: Annotated[int, Field(ge=1)]
    days_max: int
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()


class Borrowers(Rule):
    """Who may borrow; an empty list lets all in."""

    kinds: tuple[Literal["person", "business"], ...] = ()
    sizes: tuple[Literal["person", "micro", "small", "medium"], ...] = ()
    industries: tuple[Code, ...] = ()


class Security(Rule):
    """What must stand behind the loan. loan_to_value_max: principal over the value of the collateral."""

    required: Literal["none", "collateral", "guarantor", "group"] = "none"
    loan_to_value_max: Exact | None = None
    group_members_min: Annotated[int, Field(ge=0, le=50)] = 0
    """Other members, besides the borrower."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.required == "collateral") != (self.loan_to_value_max is not None):
            raise ValueError("collateral has a loan_to_value_max, and nothing else has")
        return self


class Cycle(Rule):
    """From so many loans repaid here on: how much of the product's maximum, and how much rate on top."""

    repaid_min: Annotated[int, Field(ge=0)]
    amount_share: Annotated[Exact, Field(gt=0, le=1)]
    rate_add: Exact


class Product(Rule):
    """A product at a version.

    day_count, rounding, allocation and servicing: the fields of `Terms`. A product whose limits
    allow a loan that has no schedule is refused.
    """

    name: Code
    version: Annotated[int, Field(ge=1)]
    valid_from: date
    valid_until: date | None = None
    title: Annotated[str, StringConstraints(min_length=1)]
    kind: ProductKind
    borrowers: Borrowers
    repayment: Literal["equal-instalment", "equal-principal", "flat", "interest-only", "seasonal"]
    intervals: Annotated[list[Interval], Field(min_length=1)]
    first_due: FirstDue
    instalments: CountLimits
    amounts: Annotated[dict[CurrencyCode, AmountLimits], Field(min_length=1)]
    annual_rate: RateLimits
    day_count: Literal["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"] = "30/360"
    rounding: Literal["half-even", "half-up"] = "half-even"
    allocation: AllocationOrder | AllocationCells = "instalment-interest-principal"
    servicing: Servicing = NO_SERVICING
    statement_months: Annotated[int, Field(ge=1, le=60)]
    documents: list[Code]
    security: Security = Security()
    cycles: Annotated[list[Cycle], Field(min_length=1)]
    note: str = ""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for code, limits in self.amounts.items():
            low, usual, high, step = (minor_units(text, code) for text in _texts(limits))
            if not (0 < low <= usual <= high and step > 0):
                raise ValueError(f"{code}: limits are ordered: 0 < min <= default <= max, and the step is above zero")
        starts = [cycle.repaid_min for cycle in self.cycles]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("cycles begin at 0 loans repaid and ascend")
        if self.servicing.has_amounts and len(self.amounts) > 1:
            raise ValueError(f"{self.named}: amounts in servicing are of one currency; say them under amounts")
        return self

    @model_validator(mode="after")
    def _schedulable(self) -> Self:
        for terms, paid_out_on in _corners(self):
            try:
                paid_out_whole(terms, disbursed_on=paid_out_on)
            except Refusal as refusal:
                loan = f"{terms.principal} {terms.currency} at {terms.annual_rate} in {terms.instalments}"
                raise ValueError(f"{self.named}: {loan} has no schedule: {refusal.detail}") from refusal
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _of_known_fields(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(given)
        for place in unknown_fields(given, made):
            raise ValueError(f"{made.named}: there is no field {place}")
        return made

    @property
    def named(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def cycle(self, repaid: int) -> Cycle:
        """What holds for a borrower who has repaid so many loans here."""
        return [cycle for cycle in self.cycles if cycle.repaid_min <= repaid][-1]

    def amount_limits(self, code: str) -> tuple[int, int, int]:
        """Least and largest amount and the step, in minor units. Raises CurrencyNotOffered."""
        limits = self.amounts.get(code)
        if limits is None:
            raise CurrencyNotOffered(f"{self.named} is offered in {', '.join(self.amounts)}.", field="currency")
        return minor_units(limits.min, code), minor_units(limits.max, code), minor_units(limits.step, code)


def _texts(limits: AmountLimits) -> tuple[str, str, str, str]:
    return limits.min, limits.default, limits.max, limits.step


def require_fit(product: Product, party: Party, request: Request, *, today: date) -> None:
    """Raise the product's refusal that the request breaks, if any, or the schedule's for a loan paid out today."""
    who = product.borrowers
    for value, allowed in ((party.kind, who.kinds), (party.size, who.sizes), (party.industry, who.industries)):
        if allowed and value not in allowed:
            raise ProductNotForBorrower(f"{product.named} is for {', '.join(allowed)}, not {value}.", field="product")
    low, high, step = product.amount_limits(request.currency)
    amount = minor_units(request.amount, request.currency)
    if not low <= amount <= high or amount % step:
        shown = (decimal_text(figure, request.currency) for figure in (low, high, step))
        detail = "{} to {} in steps of {} {}".format(*shown, request.currency)
        raise AmountOutsideLimits(f"{product.named}: {detail}.", field="amount")
    if not product.instalments.min <= request.instalments <= product.instalments.max:
        detail = f"{product.named}: {product.instalments.min} to {product.instalments.max} instalments."
        raise InstalmentsOutsideLimits(detail, field="instalments")
    if Interval(every=request.every, unit=request.unit) not in product.intervals:
        offered = ", ".join(f"{interval.every} {interval.unit}" for interval in product.intervals)
        raise IntervalNotOffered(f"{product.named} has instalments every {offered}.", field="every")
    require_first_due(product, request.first_due_date, today=today)
    usual = terms_of(product, request, amount=request.amount, annual_rate=f"{product.annual_rate.default:f}")
    paid_out_whole(usual, disbursed_on=today)


def require_first_due(product: Product, first: date, *, today: date) -> None:
    """Raise FirstDueOutsideLimits unless the product allows the first instalment then, for a request of `today`."""
    rule = product.first_due
    earliest, latest = today + timedelta(days=rule.days_min), today + timedelta(days=rule.days_max)
    if not earliest <= first <= latest:
        raise FirstDueOutsideLimits(f"{product.named}: {earliest} to {latest}, not {first}.", field="first_due_date")
    if rule.months and first.month not in rule.months:
        months = ", ".join(map(str, rule.months))
        raise FirstDueOutsideLimits(f"{product.named}: in the months {months}, not {first}.", field="first_due_date")


def terms_of(product: Product, request: Request, *, amount: str, annual_rate: str) -> Terms:
    """The contract's whole terms: the request's, by the product's rules, at this principal and rate."""
    asked = {"instalments": request.instalments, "every": request.every, "unit": request.unit}
    return _terms(product, request.currency, amount, annual_rate, first_due_date=request.first_due_date, **asked)


def _terms(product: Product, code: str, principal: str, annual_rate: str, **dates: Any) -> Terms:
    limits = product.amounts[code]
    return Terms(
        kind=product.repayment,
        principal=principal,
        currency=code,
        annual_rate=annual_rate,
        day_count=product.day_count,
        rounding=product.rounding,
        allocation=product.allocation,
        arrears_materiality=limits.materiality,
        **dates,
        **(product.servicing.said() | limits.servicing.said()),
    )


def _corners(product: Product) -> Iterator[tuple[Terms, date]]:
    """Loans at the limits of what may be asked for, and the day on which each is paid out: a period before the first
    due date, where that is not too early or too late to ask."""
    rates, counts = product.annual_rate, product.instalments
    rule, year = product.first_due, product.valid_from.year + 2
    months = rule.months or range(1, 13)
    if product.repayment != "seasonal":  # for the other kinds one month is like another
        months = months[:1]
    for code, limits in product.amounts.items():
        for principal, rate, count, interval, month in combined(
            (limits.min, limits.max),
            (f"{rates.min:f}", f"{rates.max:f}"),
            (counts.min, counts.max),
            product.intervals,
            months,
        ):
            first = date(year, month, days_in_month(year, month))
            dates = {"first_due_date": first, "instalments": count, "every": interval.every, "unit": interval.unit}
            start = back(first, 1, interval.every, interval.unit)
            start = max(min(start, first - timedelta(days=rule.days_min)), first - timedelta(days=rule.days_max))
            yield _terms(product, code, principal, rate, **dates), start
