"""Figures of repayment schedules: every one of them comes from the generator that makes contracts' schedules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, cast

from lendlog.oracle.given import Case, Figures, NotAFigure, number, required
from services.origination.annual_rate import Method, all_in_rate
from shared.calendar import Unit, due_dates
from shared.events.servicing import DueDateMoved
from shared.events.terms import Terms
from shared.money import MAX_MINOR, decimal_text, minor_units
from shared.schedules import PaidOut, Schedule, paid_out_whole, schedule

CURRENCY = "USD"
ANY_DAY = date(2025, 1, 1)
"""Where a case names no date its interest is that of equal periods, which any date gives."""
FINER = 6
"""Tables shown without rounding each row are those of a principal 10^6 times as large, in a unit as much smaller."""
EVERY = re.compile(r"(?:every )?(\d+)? ?(day|week|month)s?")
FREQUENCIES: dict[str, tuple[int, Unit]] = {
    "daily": (1, "day"),
    "weekly": (1, "week"),
    "monthly": (1, "month"),
    "quarterly": (3, "month"),
}
DAY_COUNTS = ("30/360", "actual/360", "actual/364", "actual/365", "actual/actual", "equal-periods")


@dataclass(frozen=True, slots=True)
class Table:
    """A schedule in the case's unit of money."""

    due: tuple[date, ...]
    principal: tuple[Decimal, ...]
    interest: tuple[Decimal, ...]

    def columns(self, lent: Decimal) -> dict[str, Any]:
        """Every figure that a case may ask for, by name."""
        total = [sum(parts, Decimal(0)) for parts in zip(self.principal, self.interest, strict=True)]
        balance, left = [], lent
        for part in self.principal:
            left -= part
            balance.append(left)
        return {
            "due": [day.isoformat() for day in self.due],
            "instalment": total,
            "principal": list(self.principal),
            "interest": list(self.interest),
            "balance": balance,
            "total_interest": sum(self.interest),
            "total": sum(total),
        }


def table(terms: Terms, disbursed_on: date, *, finer: int = 0) -> Table:
    """The generator's schedule; with `finer`, of a principal 10^finer times as large and shown so much smaller."""
    return shown(paid_out_whole(scaled(terms, finer), disbursed_on=disbursed_on), terms.currency, finer=finer)


def shown(made: Schedule, currency: str, *, finer: int = 0) -> Table:
    """A schedule as decimals, 10^finer times smaller."""
    principal, interest = (
        tuple(Decimal(decimal_text(minor, currency)).scaleb(-finer) for minor in column)
        for column in (made.principal, made.interest)
    )
    return Table(made.due, principal, interest)


def scaled(terms: Terms, finer: int) -> Terms:
    """The same terms for 10^finer times the principal."""
    principal = minor_units(terms.principal, terms.currency) * 10**finer
    return terms.model_copy(update={"principal": decimal_text(principal, terms.currency)})


def finest(terms: Terms) -> int:
    """How much finer than its minor units a schedule can be made within the largest amount."""
    lent = minor_units(terms.principal, terms.currency)
    return max(0, min(FINER, len(str(MAX_MINOR // max(1, lent))) - 1))


def terms_of(given: Mapping[str, Any], kind: str, **more: Any) -> tuple[Terms, date]:
    """The terms that a case's input describes, and the date of disbursement.

    What the input names otherwise than `Terms` does is translated; any other field of `Terms` is taken as it is there.
    """
    every, unit = _every(given.get("every") or given.get("freq") or "month")
    start = date.fromisoformat(given["start"]) if "start" in given else ANY_DAY
    fields: dict[str, Any] = {
        "currency": CURRENCY,
        "first_due_date": given.get("first_payment") or due_dates(start, 2, every, unit)[1],
        **{name: value for name, value in given.items() if name in Terms.model_fields},
        "kind": kind,
        "principal": f"{number(required(given, 'principal')):f}",
        "annual_rate": _annual_rate(given),
        "instalments": required(given, "n", "instalments"),
        "every": every,
        "unit": unit,
        "day_count": _day_count(given.get("day_count", "30/360"), unit),
    }
    if "grace_on_principal" in given:
        fields["grace_principal"] = given["grace_on_principal"]
    return Terms.model_validate(more | fields), start


def _annual_rate(given: Mapping[str, Any]) -> str:
    percent = "annual_rate_pct" in given
    rate = number(given["annual_rate_pct"]) / 100 if percent else number(required(given, "annual_rate"))
    return f"{rate.normalize():f}"


def _every(text: str) -> tuple[int, Unit]:
    if text in FREQUENCIES:
        return FREQUENCIES[text]
    match = EVERY.fullmatch(text)
    if match is None:
        raise NotAFigure(f"{text!r} is not an interval of payments.")
    return int(match[1] or 1), cast(Unit, match[2])


def _day_count(text: str, unit: Unit) -> str:
    """The first day count that the text names; under 30/360 days and weeks count as they are, over 360."""
    told = re.sub(r"\bact\b", "actual", text.lower())
    found = [name for name in DAY_COUNTS if name in told]
    if not found:
        raise NotAFigure(f"{text!r} is no day count.")
    first = min(found, key=told.index)
    return "actual/360" if first == "30/360" and unit != "month" else first


def equal_instalment_table(case: Case) -> dict[str, Any]:
    """Equal instalments as a progressive schedule, each row rounded to the minor unit."""
    terms, start = terms_of(case["input"], "equal-instalment", schedule="progressive")
    return table(terms, start).columns(Decimal(terms.principal))


def rounded(kind: str) -> Figures:
    """Another kind of table whose every row is rounded to the minor unit."""

    def figures(case: Case) -> dict[str, Any]:
        terms, start = terms_of(case["input"], kind)
        return table(terms, start).columns(Decimal(terms.principal))

    return figures


def bullet(case: Case) -> dict[str, Any]:
    """先息后本: interest each time, the principal at maturity, or after the periods that ask for interest alone."""
    kind = "equal-instalment" if "grace_on_principal" in case["input"] else "interest-only"
    return rounded(kind)(case)


def due_date_moved(case: Case) -> dict[str, Any]:
    """The table after the date of one instalment was moved, and those after it with it; before, it is `before`."""
    given = case["input"]
    terms, start = terms_of(given, "equal-instalment", schedule="progressive")
    change = required(given, "change")
    paid = PaidOut(start, minor_units(terms.principal, terms.currency))
    moved = DueDateMoved(due=required(change, "instalment_due"), to=required(change, "new_due"))
    agreed = date.fromisoformat(required(change, "on"))
    lent = Decimal(terms.principal)
    figures = shown(schedule(terms, (paid,), ((agreed, moved),)), terms.currency).columns(lent)
    figures["first_period_days"] = (date.fromisoformat(figures["due"][0]) - start).days
    return figures


def unrounded(case: Case) -> dict[str, Any]:
    """A table of equal instalments that was not rounded row by row."""
    terms, start = terms_of(case["input"], "equal-instalment")
    return table(terms, start, finer=finest(terms)).columns(Decimal(terms.principal))


def equal_instalments(given: Mapping[str, Any]) -> dict[str, Any]:
    """等额本息 as published: what is paid each month, what of it is interest at first, and the sums."""
    terms, start = terms_of(given, "equal-instalment")
    made = table(terms, start, finer=finest(terms)).columns(Decimal(terms.principal))
    return _firsts(made) | {"instalment": made["instalment"][0]}


def equal_principal(given: Mapping[str, Any]) -> dict[str, Any]:
    """等额本金 as published: the first payment, by how much each is smaller than the one before, and the sums."""
    terms, start = terms_of(given, "equal-principal")
    made = table(terms, start, finer=finest(terms)).columns(Decimal(terms.principal))
    first = made["instalment"]
    fall = {"monthly_decrease": first[0] - first[1]} if len(first) > 1 else {}
    return _firsts(made) | fall | {"principal_each": made["principal"][0]}


def _firsts(made: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "first": made["instalment"][0],
        "last": made["instalment"][-1],
        "first_interest": made["interest"][0],
        "first_principal": made["principal"][0],
        "total_interest": made["total_interest"],
        "total": made["total"],
    }


def cn_both(case: Case) -> dict[str, Any]:
    """The two ways to repay side by side."""
    return {"dengebenxi": equal_instalments(case["input"]), "dengebenjin": equal_principal(case["input"])}


def disclosure(case: Case) -> dict[str, Any]:
    """What a fee on the original principal costs in a year on the money really in use."""
    given = case["input"]
    a_year = number(required(given, "monthly_fee_on_original")) * 12
    terms, start = terms_of({**given, "annual_rate": a_year}, "flat")
    made = paid_out_whole(terms, disbursed_on=start).instalments
    lent = minor_units(terms.principal, terms.currency)

    def cost(method: Method) -> Decimal:
        return all_in_rate(lent, made, disbursed_on=start, every=1, unit="month", method=method) * 100

    return {
        "apr_simple_pct": cost("nominal"),
        "effective_annual_pct": cost("effective"),
        "naive_pct": a_year * 100,
    }


FIGURES: dict[str, Figures] = {
    "schedule_equal_instalment": equal_instalment_table,
    "schedule_equal_principal": rounded("equal-principal"),
    "schedule_flat": rounded("flat"),
    "schedule_interest_only": rounded("interest-only"),
    "schedule_seasonal": rounded("seasonal"),
    "schedule_bullet_interest_monthly": bullet,
    "schedule_unrounded": unrounded,
    "reschedule_move_due_date": due_date_moved,
    "cn_dengebenxi": lambda case: equal_instalments(case["input"]),
    "cn_dengebenjin": lambda case: equal_principal(case["input"]),
    "cn_both": cn_both,
    "disclosure": disclosure,
}
