"""Apache Fineract's parameters of a loan as our terms (data/README.md names the source)."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.calendar import add_months
from shared.events.terms import Terms

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "fineract.json").read_text())
UNITS = {"DAYS": "day", "WEEKS": "week", "MONTHS": "month"}


def fraction(percent: str) -> str:
    """A percentage as a decimal fraction in text: "12" is "0.12"."""
    return f"{(Decimal(percent) / 100).normalize():f}"


def terms_of(params: dict[str, Any], *, start: date, principal: str) -> Terms:
    """The terms of a loan with these parameters, whose first period begins on `start`."""
    unit, every = UNITS[params["repayment_unit"]], params["repayment_every"]
    first = {
        "month": lambda: add_months(start, every),
        "week": lambda: date.fromordinal(start.toordinal() + 7 * every),
        "day": lambda: date.fromordinal(start.toordinal() + every),
    }[unit]()
    progressive = params["schedule_type"] == "PROGRESSIVE"
    flat = params["interest_type"] == "FLAT"
    equal_principal = params["amortization"] == "EQUAL_PRINCIPAL_PAYMENTS"
    daily = progressive or params.get("interest_calc_period") == "DAILY"
    day_count, year_rule, annuity = "equal-periods", "isda", "exact"
    if daily and not flat:
        year, month = params["days_in_year"], params["days_in_month"]
        if month == "30" and year == "360":
            day_count = "30/360"
        elif year == "ACTUAL":
            day_count = "actual/actual"
        else:
            day_count = f"actual/{year}"
        if not progressive:
            annuity = "nominal-month" if not equal_principal else "exact"
            year_rule = "disbursement-year" if year == "ACTUAL" else "isda"
    multiple = params.get("installment_multiples_of")
    recalculation = None
    if rules := params.get("interest_recalculation"):
        recalculation = {
            "effect": "reduce-instalment" if "REDUCE_EMI" in rules["advance_payment_strategy"] else "keep-instalment",
            "rest": "due-date" if rules["rest_frequency"] == "SAME_AS_REPAYMENT" else "day",
            "payoff_until": "due-date" if rules["pre_closure"] == "TILL_REST_FREQUENCY_DATE" else "day",
        }
    return Terms(
        kind="flat" if flat else "equal-principal" if equal_principal else "equal-instalment",
        principal=principal,
        currency=params["currency"],
        annual_rate=fraction(params["annual_rate_pct"]),
        instalments=params["number_of_repayments"],
        every=every,
        unit=unit,
        first_due_date=first,
        day_count=day_count,
        year_rule=year_rule,
        schedule="progressive" if progressive else "cumulative",
        annuity=annuity,
        instalment_multiple=str(multiple) if multiple and not equal_principal else None,
        grace_principal=params.get("grace_principal") or 0,
        grace_interest_payment=params.get("grace_interest_payment") or 0,
        down_payment=fraction(str(params.get("down_payment_pct") or 0)),
        recalculation=recalculation,
    )
