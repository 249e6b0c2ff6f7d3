"""Figures of rates and annuities: US annual percentage rates, the time value of money, rate caps."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from lendlog.oracle.given import Case, Figures, NotAFigure, number, required
from services.origination.annual_rate import (
    Payment,
    UnitPeriod,
    annual,
    periodic_rate,
    periodic_rate_of_several,
    time_between,
    unit_period_of_single_payment,
)
from services.origination.rate_caps import CapRow, RateCaps, ReferenceValue, cap_for
from shared import time_value
from shared.time_value import When

MINOR = 100
UNITS: dict[str, UnitPeriod] = {
    "day": UnitPeriod(1, "day"),
    "week": UnitPeriod(1, "week"),
    "fortnight": UnitPeriod(2, "week"),
    "semimonth": UnitPeriod(1, "semimonth"),
    "month": UnitPeriod(1, "month"),
    "quarter": UnitPeriod(3, "month"),
    "half-year": UnitPeriod(6, "month"),
    "year": UnitPeriod(12, "month"),
}


def unit_period(text: str) -> UnitPeriod:
    """`month`, `2 months`, `4 weeks`, `quarter`, `semimonth(1,16)`: the unit-period that they name."""
    match = re.fullmatch(r"(?:every )?(\d+)?\s*([a-z-]+?)s?(?:\(.*\))?", text.strip())
    if match is None or match[2] not in UNITS:
        raise NotAFigure(f"{text!r} is not a unit-period.")
    unit = UNITS[match[2]]
    return UnitPeriod(unit.every * int(match[1] or 1), unit.unit)


def apr(case: Case) -> dict[str, Any]:
    """12 CFR 1026 Appendix J: advances and payments become unit-periods and fractions of one, and these a rate."""
    given = case["input"]
    advances = given.get("advances") or [[required(given, "advance_date"), required(given, "advance")]]
    start = date.fromisoformat(advances[0][0])
    payments = required(given, "payments")
    if len(advances) == 1 and sum(_count(stream) for stream in payments) == 1:
        paid_on = given.get("first_payment") or payments[0][0]
        period = unit_period_of_single_payment(start, date.fromisoformat(paid_on))
    else:
        period = unit_period(required(given, "unit"))
    given_out = [Payment(*time_between(start, date.fromisoformat(day), period), _minor(sum_)) for day, sum_ in advances]
    paid = _payments(payments, start, given.get("first_payment"), period)
    if len(given_out) == 1:
        rate = periodic_rate(given_out[0].amount, paid)
    else:
        rate = periodic_rate_of_several(given_out, paid)
    return {"apr_pct": annual(rate, period, "nominal") * 100}


def _count(stream: list[Any]) -> int:
    return 1 if isinstance(stream[0], str) else int(stream[0])


def _payments(streams: list[Any], start: date, first: str | None, period: UnitPeriod) -> list[Payment]:
    """Streams are [how many, amount], a unit-period apart from the first payment on, or [date, amount]."""
    paid: list[Payment] = []
    for stream in streams:
        if isinstance(stream[0], str):
            paid.append(Payment(*time_between(start, date.fromisoformat(stream[0]), period), _minor(stream[1])))
            continue
        if first is None:
            raise NotAFigure("The input has no first_payment.")
        whole, fraction = time_between(start, date.fromisoformat(first), period)
        done = len(paid)
        paid += [Payment(whole + done + n, fraction, _minor(stream[1])) for n in range(int(stream[0]))]
    return paid


def _minor(amount: object) -> int:
    return int((number(amount) * MINOR).to_integral_exact())


def _when(given: Mapping[str, Any]) -> When:
    return "beginning" if given.get("when", "end") in ("begin", "beginning", "start", 1) else "end"


def _sums(given: Mapping[str, Any], name: str) -> Decimal:
    return number(given.get(name, 0))


def _periods(given: Mapping[str, Any]) -> Decimal:
    return number(required(given, "n", "nper"))


def _rate(given: Mapping[str, Any]) -> Decimal:
    return number(required(given, "rate"))


def _flows(given: Mapping[str, Any]) -> list[Decimal]:
    return [number(flow) for flow in required(given, "cashflows", "values")]


def _dated(given: Mapping[str, Any]) -> list[tuple[date, Decimal]]:
    days = [date.fromisoformat(day) for day in required(given, "dates")]
    return list(zip(days, _flows(given), strict=True))


def _part(given: Mapping[str, Any], part: Callable[..., Decimal]) -> Any:
    """A payment's part; of each payment where `per` is a list."""
    wanted = required(given, "per", "period")
    arguments = (int(_periods(given)), _sums(given, "pv"), _sums(given, "fv"), _when(given))
    if isinstance(wanted, list):
        return [part(_rate(given), one, *arguments) for one in wanted]
    return part(_rate(given), wanted, *arguments)


TIME_VALUE: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "pmt": lambda g: time_value.payment(_rate(g), _periods(g), _sums(g, "pv"), _sums(g, "fv"), _when(g)),
    "pv": lambda g: time_value.present_value(_rate(g), _periods(g), _sums(g, "pmt"), _sums(g, "fv"), _when(g)),
    "fv": lambda g: time_value.future_value(_rate(g), _periods(g), _sums(g, "pmt"), _sums(g, "pv"), _when(g)),
    "nper": lambda g: time_value.number_of_payments(
        _rate(g), _sums(g, "pmt"), _sums(g, "pv"), _sums(g, "fv"), _when(g)
    ),
    "rate": lambda g: time_value.rate_of_annuity(
        _periods(g), _sums(g, "pmt"), _sums(g, "pv"), _sums(g, "fv"), _when(g)
    ),
    "ipmt": lambda g: _part(g, time_value.interest_part),
    "ppmt": lambda g: _part(g, time_value.principal_part),
    "npv": lambda g: time_value.net_present_value(_rate(g), _flows(g)),
    "irr": lambda g: time_value.internal_rate(_flows(g)),
    "mirr": lambda g: time_value.modified_internal_rate(
        _flows(g), finance=number(required(g, "finance_rate")), reinvest=number(required(g, "reinvest_rate"))
    ),
    "xnpv": lambda g: time_value.dated_net_present_value(_rate(g), _dated(g)),
    "xirr": lambda g: time_value.dated_internal_rate(_dated(g)),
}
"""A kind of this name gives one figure of this name, as spreadsheets and numpy-financial call it."""


def _time_value(name: str) -> Figures:
    return lambda case: {name: TIME_VALUE[name](case["input"])}


def rate_cap(case: Case) -> dict[str, Any]:
    """The cap of a row that multiplies a reference rate, on a day on which the rate has this value."""
    given, day = case["input"], date(2020, 8, 20)
    row = CapRow(
        name="oracle@1",
        country="CN",
        lender_kind="any",
        product_kinds=["consumer"],
        valid_from=day,
        method="nominal",
        multiple=number(required(given, "multiple")),
        multiple_of="reference",
        counts="all charges",
        source=str(case.get("source") or case["id"]),
    )
    value = ReferenceValue(valid_from=day, rate=number(required(given, "lpr_1y_pct", "reference_pct")) / 100)
    caps = RateCaps(references={"reference": [value]}, rows=[row])
    limit = cap_for(caps, country="CN", lender_kind="any", product_kind="consumer", day=day).limit
    return {"cap_pct": None if limit is None else limit * 100}


FIGURES: dict[str, Figures] = {
    "apr_us_actuarial": apr,
    "rate_cap": rate_cap,
    **{name: _time_value(name) for name in TIME_VALUE},
}
