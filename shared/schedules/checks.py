"""Whether terms can be scheduled at all: what needs no disbursement to be seen."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise

from shared.calendar import days_in_month
from shared.events.terms import ReferenceRate, ResetYearly, Terms
from shared.money import minor_units
from shared.schedules.accrual import exact_rate
from shared.schedules.dates import planned
from shared.schedules.fees import upfront_fees
from shared.schedules.refusals import (
    FeesTooHigh,
    FirstDueNotAfterDisbursement,
    GapTooShort,
    GraceTooLong,
    PlanDoesNotSumToPrincipal,
    SharesDoNotSumToOne,
    TermsContradict,
    TranchesDoNotSumToPrincipal,
    UnschedulableTerms,
)
from shared.schedules.working_days import require_calendar

Rule = tuple[bool, str, str]
"""Whether it is broken, the sentence, the field."""


def check(terms: Terms) -> None:
    """Raises the refusal of the first rule that the terms break, and those of `minor_units` for their amounts."""
    if minor_units(terms.principal, terms.currency) == 0:
        raise UnschedulableTerms("The principal is zero.", field="principal")
    planned(terms)
    if terms.upfront_fees:
        _fees(terms)
    if terms.reference is not None:
        _require(_reference(terms, terms.reference))
    if terms.instalment_fees:
        _instalment_fees(terms)
    if is_plain(terms):
        return
    _fields_that_go_together(terms)
    _graces(terms)
    _season(terms)
    _plan(terms)
    _tranches(terms)
    if terms.holidays is not None:
        require_calendar(terms.holidays.country)


def _fees(terms: Terms) -> None:
    principal = minor_units(terms.principal, terms.currency)
    withheld = sum(amount for _, amount in upfront_fees(terms, principal, first=True))
    if withheld >= principal:
        raise FeesTooHigh("The upfront fees are no less than the principal.", field="upfront_fees")


def _instalment_fees(terms: Terms) -> None:
    field, names = "instalment_fees", [fee.name for fee in terms.instalment_fees]
    for n, fee in enumerate(terms.instalment_fees):
        if not minor_units(fee.amount, terms.currency) and not exact_rate(fee.share)[0]:
            raise TermsContradict(f"The fee {fee.name} has neither an amount nor a share.", field=field)
        if fee.name in names[:n]:
            raise TermsContradict(f"Two fees of an instalment are called {fee.name}.", field=field)
    if terms.recalculation is not None:
        detail = "Where interest follows payments, instalments bear no fees of their own."
        raise TermsContradict(detail, field=field)


def is_plain(terms: Terms) -> bool:
    """Whether nothing is agreed but kind, amount, rate and dates: nearly every loan there is."""
    return (
        terms.kind in ("equal-instalment", "equal-principal")
        and terms.schedule == "cumulative"
        and terms.annuity == "exact"
        and terms.down_payment == "0"
        and terms.month_end == "clamp"
        and terms.year_rule == "isda"
        and not (terms.grace_principal or terms.grace_interest_payment or terms.grace_interest_charge)
        and not (terms.rate_changes or terms.tranches or terms.plan or terms.shares or terms.minimum_gap)
        and terms.principal_multiple is None
        and terms.instalment_multiple is None
        and terms.balloon is None
        and terms.holidays is None
        and terms.recalculation is None
    )


def _fields_that_go_together(terms: Terms) -> None:
    _require((*_by_kind(terms), *_by_reckoning(terms), *_amounts(terms)))


def _require(rules: Iterable[Rule]) -> None:
    for broken, detail, field in rules:
        if broken:
            raise TermsContradict(detail, field=field)


def _reference(terms: Terms, reference: ReferenceRate) -> Iterator[Rule]:
    floor, cap, resets = reference.floor, reference.cap, reference.resets
    above = floor is not None and cap is not None and Decimal(floor) > Decimal(cap)
    yield above, f"The floor {floor} is above the cap {cap}.", "reference/floor"
    both = "Rates change on agreed dates, or by a reference rate."
    yield bool(terms.rate_changes), both, "rate_changes"
    nominal = terms.annuity == "nominal-month"
    yield nominal, "Nominal months know one rate, a reference rate is reset.", "annuity"
    if isinstance(resets, ResetYearly):
        missing = resets.day > days_in_month(2001, resets.month)
        yield missing, f"Not every year has a day {resets.day} in month {resets.month}.", "reference/resets/day"


def _by_kind(terms: Terms) -> Iterator[Rule]:
    kind, own = terms.kind, terms.kind in ("seasonal", "irregular", "interest-only")
    yield bool(terms.shares) and kind != "seasonal", "Only a seasonal loan has shares by month.", "shares"
    yield bool(terms.plan) and kind != "irregular", "Only an irregular loan has a plan.", "plan"
    yield terms.minimum_gap > 0 and kind != "irregular", "Only a plan has a minimum gap.", "minimum_gap"
    yield own and terms.grace_principal > 0, f"The kind {kind} says itself when principal is due.", "grace_principal"
    yield own and terms.balloon is not None, f"The kind {kind} says itself what is due last.", "balloon"
    no_size = own and terms.instalment_multiple is not None
    yield no_size, f"Instalments of the kind {kind} have no common size to round.", "instalment_multiple"
    in_plan = kind == "irregular" and terms.down_payment != "0"
    yield in_plan, "A down payment stands in the plan.", "down_payment"
    recalculated = kind == "flat" and terms.recalculation is not None
    yield recalculated, "Flat interest is on the whole principal, not on what is outstanding.", "recalculation"


def _by_reckoning(terms: Terms) -> Iterator[Rule]:
    no_annuity = terms.kind != "equal-instalment" or terms.schedule != "cumulative"
    nominal = terms.annuity == "nominal-month" and no_annuity
    yield nominal, "Nominal months are for cumulative equal instalments.", "annuity"
    ruled = terms.year_rule == "disbursement-year" and terms.day_count != "actual/actual"
    yield ruled, "Only actual/actual has a rule for the year.", "year_rule"
    last_day = terms.month_end == "last-day"
    yield last_day and terms.unit != "month", "Only months have a last day.", "month_end"
    day = terms.first_due_date
    early = last_day and terms.kind != "irregular" and day.day != days_in_month(day.year, day.month)
    yield early, f"{day} is not the last day of its month.", "first_due_date"
    disordered = any(later.from_date <= earlier.from_date for earlier, later in pairwise(terms.rate_changes))
    yield disordered, "Rate changes must be in order of their dates.", "rate_changes"


def _amounts(terms: Terms) -> Iterator[Rule]:
    both = terms.principal_multiple is not None and terms.instalment_multiple is not None
    yield both, "Either principal or the whole instalment is rounded to a multiple.", "instalment_multiple"
    for field in ("principal_multiple", "instalment_multiple"):
        text = getattr(terms, field)
        zero = text is not None and minor_units(text, terms.currency) == 0
        yield zero, "Nothing is a multiple of zero.", field
    if terms.balloon is not None:
        balloon, principal = (minor_units(text, terms.currency) for text in (terms.balloon, terms.principal))
        whole = f"The balloon of {terms.balloon} leaves nothing of {terms.principal} to repay."
        yield balloon >= principal, whole, "balloon"


def _graces(terms: Terms) -> None:
    for field in ("grace_principal", "grace_interest_payment"):
        if getattr(terms, field) >= terms.instalments:
            detail = f"A grace of {getattr(terms, field)} periods leaves none of {terms.instalments} after it."
            raise GraceTooLong(detail, field=field)
    if terms.grace_interest_charge > terms.instalments:
        detail = f"There are no {terms.grace_interest_charge} periods, but {terms.instalments}."
        raise GraceTooLong(detail, field="grace_interest_charge")


def _season(terms: Terms) -> None:
    if terms.kind != "seasonal":
        return
    parts = [exact_rate(text) for text in terms.shares.values()]
    scale = max((scale for _, scale in parts), default=1)
    if sum(number * scale // of for number, of in parts) != scale:
        text = " + ".join(terms.shares[month] for month in sorted(terms.shares)) or "0"
        raise SharesDoNotSumToOne(f"The shares sum to {text}, not to 1.", field="shares")


def _plan(terms: Terms) -> None:
    if terms.kind != "irregular":
        return
    if len(terms.plan) != terms.instalments:
        detail = f"The plan has {len(terms.plan)} instalments, not {terms.instalments}."
        raise TermsContradict(detail, field="instalments")
    if terms.plan[0].due != terms.first_due_date:
        raise TermsContradict(f"The plan begins on {terms.plan[0].due}.", field="first_due_date")
    for earlier, later in pairwise(terms.plan):
        if (later.due - earlier.due).days < max(terms.minimum_gap, 1):
            detail = f"{earlier.due} and {later.due} are closer than {max(terms.minimum_gap, 1)} days."
            raise GapTooShort(detail, field="plan")
    total = sum(minor_units(one.principal, terms.currency) for one in terms.plan)
    if total != minor_units(terms.principal, terms.currency):
        raise PlanDoesNotSumToPrincipal(f"The plan repays another sum than {terms.principal}.", field="plan")


def _tranches(terms: Terms) -> None:
    if not terms.tranches:
        return
    if any(later.on < earlier.on for earlier, later in pairwise(terms.tranches)):
        raise TermsContradict("Tranches must be in order of their dates.", field="tranches")
    if terms.tranches[0].on >= terms.first_due_date:
        detail = f"The first tranche on {terms.tranches[0].on} is not before {terms.first_due_date}."
        raise FirstDueNotAfterDisbursement(detail, field="first_due_date")
    total = sum(minor_units(one.amount, terms.currency) for one in terms.tranches)
    if total != minor_units(terms.principal, terms.currency):
        raise TranchesDoNotSumToPrincipal(f"The tranches pay out another sum than {terms.principal}.", field="tranches")
