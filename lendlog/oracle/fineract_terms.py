"""Apache Fineract's product and loan parameters as our terms of a loan.

What has no counterpart in our terms is refused by name, so that no parameter is passed over in silence.
"""

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shared.errors import Refusal
from shared.events.terms import AllocationCells, Terms


class NotTranslated(Refusal):
    """A word of a Fineract case has no counterpart here."""


UNITS = {"DAYS": "day", "WEEKS": "week", "MONTHS": "month"}
ORDERS = {
    "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER": "instalment-interest-principal",
    "DUE_PENALTY_FEE_INTEREST_PRINCIPAL_IN_ADVANCE_PRINCIPAL_PENALTY_FEE_INTEREST": "due-interest-principal",
    "DUE_PENALTY_INTEREST_PRINCIPAL_FEE_IN_ADVANCE_PENALTY_INTEREST_PRINCIPAL_FEE": (
        "due-penalty-interest-principal-fee"
    ),
}
FUTURE = {"NEXT_INSTALLMENT": "next", "LAST_INSTALLMENT": "last", "REAMORTIZATION": "spread"}
MONEY = {
    "REPAYMENT": "payment",
    "GOODWILL_CREDIT": "goodwill-credit",
    "MERCHANT_ISSUED_REFUND": "merchant-refund",
    "PAYOUT_REFUND": "payout-refund",
    "CHARGE_ADJUSTMENT": "charge-adjustment",
}
PRINCIPAL_FIRST = [f"{when}_{part}" for when in ("PAST_DUE", "DUE", "IN_ADVANCE") for part in
                   ("PENALTY", "FEE", "PRINCIPAL", "INTEREST")]  # fmt: skip
"""The cells of Fineract's own test products, and of its instalment calculator, which is paid part by part."""
_EFFECTS = {
    "REDUCE_EMI_AMOUNT": "reduce-instalment",
    "REDUCE_NUMBER_OF_INSTALLMENTS": "keep-instalment",
    "ADJUST_LAST_UNPAID_PERIOD": "keep-instalment",
}
_RESTS = {"DAILY": "day", "SAME_AS_REPAYMENT": "due-date", "SAME_AS_REPAYMENT_PERIOD": "due-date"}
_UNTIL = {"TILL_PRE_CLOSE_DATE": "day", "TILL_REST_FREQUENCY_DATE": "due-date"}

_READ = frozenset(
    {
        "currency", "decimals", "currency_in_multiples_of", "installment_multiples_of", "rounding", "schedule_type",
        "annual_rate_pct", "interest_type", "amortization", "interest_calc_period", "days_in_year", "days_in_month",
        "repayment_every", "repayment_unit", "number_of_repayments", "strategy", "grace_on_arrears_ageing_days",
        "over_applied_pct", "down_payment_pct", "down_payment_auto", "interest_recalculation", "grace_principal",
        "grace_interest_payment", "grace_interest_charged", "future_installment_rule", "allocation_order",
        "schedule_processing", "first_period_start", "installment_level_delinquency", "repayment_start_date_type",
    }
)  # fmt: skip
_WITHOUT_EFFECT = frozenset(
    {
        "rate_per", "rate_pct",  # what `annual_rate_pct` was quoted as
        "term", "term_unit",  # number and frequency of repayments again
        "accounting", "overdue_days_for_npa",  # all cases whose journals are shown accrue periodically
        "multi_disburse", "max_tranches",  # any number of disbursements is ours
        "partial_period_interest",  # all disbursements of the cases with whole periods are on a period's first day
        "principal_threshold_last_installment_pct",  # only asked where instalments are added or dropped
        "math_context_digits",  # our interest is exact until it is rounded to the cent
    }
)  # fmt: skip


def terms(
    params: Mapping[str, Any],
    *,
    principal: str,
    first_due: date,
    future: Mapping[str, str] | None = None,
    pays_by_part: bool = False,
) -> Terms:
    """The terms of a loan of `principal` whose first instalment falls due on `first_due`.

    future: the product's rules for future instalments by transaction type, where a step changed them. pays_by_part: the
    case drives Fineract's instalment calculator, which recalculates at every payment and is told what each one pays.
    Raises NotTranslated.
    """
    unknown = [name for name in params if name[0] != "_" and name not in _READ | _WITHOUT_EFFECT and params[name]]
    if unknown:
        raise NotTranslated(f"The parameter {unknown[0]} = {params[unknown[0]]} has no counterpart.", field=unknown[0])
    progressive = params["schedule_type"] == "PROGRESSIVE"
    given = {
        "kind": _kind(params, progressive=progressive),
        "principal": principal,
        "currency": params["currency"],
        "annual_rate": fraction(params["annual_rate_pct"]),
        "instalments": params["number_of_repayments"],
        "every": params["repayment_every"],
        "unit": UNITS[params["repayment_unit"]],
        "first_due_date": first_due,
        "schedule": "progressive" if progressive else "cumulative",
        "rounding": _named({"HALF_EVEN": "half-even", "HALF_UP": "half-up"}, params, "rounding"),
        "grace_principal": params.get("grace_principal") or 0,
        "grace_interest_payment": params.get("grace_interest_payment") or 0,
        "grace_interest_charge": params.get("grace_interest_charged") or 0,
        "down_payment": fraction(params.get("down_payment_pct") or 0),
        "over_applied": fraction(params.get("over_applied_pct") or 0),
        "arrears_grace_days": params.get("grace_on_arrears_ageing_days") or 0,
        "recalculation": _recalculation(params, pays_by_part=pays_by_part),
        "allocation": _allocation(params, future or {}, pays_by_part=pays_by_part),
    }
    return Terms.model_validate(
        {**given, **_day_count(params, progressive=progressive), **_multiples(params, given["kind"])}
    )


def fraction(percent: object) -> str:
    """A percentage as a decimal fraction: 9.4822 is "0.094822"."""
    return f"{(Decimal(str(percent)) / 100).normalize():f}"


def instalment_day(start: date, every: int, unit: str, count: int = 1) -> date:
    """The day `count` periods after `start`; a day that the month lacks is its last."""
    if unit != "MONTHS":
        return start + timedelta(days=count * every * (7 if unit == "WEEKS" else 1))
    months = start.year * 12 + start.month - 1 + every * count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def _named(names: Mapping[str, str], params: Mapping[str, Any], field: str) -> str:
    name = names.get(params[field])
    if name is None:
        raise NotTranslated(f"{field} = {params[field]} has no counterpart.", field=field)
    return name


def _kind(params: Mapping[str, Any], *, progressive: bool) -> str:
    if params["amortization"] == "EQUAL_PRINCIPAL_PAYMENTS":
        return "equal-principal"
    # The progressive generator knows one model, whatever the interest type says (ProgressiveLoanScheduleGenerator).
    return "flat" if params["interest_type"] == "FLAT" and not progressive else "equal-instalment"


def _day_count(params: Mapping[str, Any], *, progressive: bool) -> dict[str, str]:
    if not progressive and params.get("interest_calc_period") == "SAME_AS_REPAYMENT_PERIOD":
        return {"day_count": "equal-periods"}
    year, month = str(params["days_in_year"]), str(params["days_in_month"])
    if year == "ACTUAL":
        exact = {"day_count": "actual/actual"}
        return exact if progressive else {**exact, "year_rule": "disbursement-year", "annuity": "nominal-month"}
    # Thirty days a month matter only where a period is counted in months.
    counted = f"30/{year}" if month == "30" and params["repayment_unit"] == "MONTHS" else f"actual/{year}"
    if counted not in {"30/360", "actual/360", "actual/364", "actual/365"}:
        raise NotTranslated(f"Days counted {counted} have no counterpart.", field="days_in_year")
    return {"day_count": counted} if progressive else {"day_count": counted, "annuity": "nominal-month"}


def _multiples(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    """A currency's multiple holds only above one, and the instalment's not for equal principal."""
    multiples: dict[str, str] = {}
    currency = params.get("currency_in_multiples_of") or 0
    instalment = params.get("installment_multiples_of") or 0
    if currency > 1:
        multiples["principal_multiple"] = str(currency)
    if instalment and kind != "equal-principal":
        multiples["instalment_multiple"] = str(instalment)
    return multiples


def _recalculation(params: Mapping[str, Any], *, pays_by_part: bool) -> dict[str, str] | None:
    if pays_by_part:
        return {"effect": "keep-instalment"}
    given = params.get("interest_recalculation")
    if not given:
        return None
    if given.get("compounding", "NONE") != "NONE" or given.get("rest_interval", 1) != 1:
        raise NotTranslated(f"Interest recalculation {given} has no counterpart.", field="interest_recalculation")
    return {
        "effect": _named(_EFFECTS, given, "advance_payment_strategy"),
        "rest": _named(_RESTS, given, "rest_frequency"),
        "payoff_until": _named(_UNTIL, given, "pre_closure"),
    }


def _allocation(
    params: Mapping[str, Any], future: Mapping[str, str], *, pays_by_part: bool
) -> str | AllocationCells | None:
    strategy = params.get("strategy", "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER")
    if strategy != "ADVANCED_PAYMENT_ALLOCATION" and not pays_by_part:
        return _named(ORDERS, {"strategy": strategy}, "strategy")
    rules = {**(params.get("future_installment_rule") or {}), **future}
    by_kind = {MONEY[kind]: FUTURE[rule] for kind, rule in rules.items() if kind in MONEY}
    if unknown := rules.keys() - MONEY.keys() - {"DEFAULT"}:
        raise NotTranslated(f"A rule for {min(unknown)} has no counterpart.", field="future_installment_rule")
    cells = [_cell(name) for name in params.get("allocation_order") or PRINCIPAL_FIRST]
    return AllocationCells.model_validate(
        {
            "cells": cells,
            "processing": (params.get("schedule_processing") or "HORIZONTAL").lower(),
            "future": FUTURE[rules.get("DEFAULT", "NEXT_INSTALLMENT")],
            "future_by_kind": by_kind,
        }
    )


def _cell(name: str) -> dict[str, str]:
    when, _, part = name.rpartition("_")
    return {"when": when.lower().replace("_", "-"), "part": part.lower()}
