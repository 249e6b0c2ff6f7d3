"""Our schedules against those that Apache Fineract's own tests expect (data/README.md)."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events.servicing import DueDateMoved, RateChanged
from shared.events.terms import Recalculation, Terms
from shared.money import decimal_text, minor_units
from shared.schedules import Dated, PaidOut, Schedule, recalculated, schedule
from tests.oracles.fineract import VECTORS, fraction, terms_of

ANY_DAY = date(2024, 1, 1)
"""Stands for dates that the source gives relative to the day of its run; its figures don't depend on them."""
OTHER_DATES = {"S008"}
"""The source's periods 3 to 6 begin on firsts of months, but count whole months as if they did not: equal to ours from
the 12th to the 12th, so dates are not compared."""


def of(kind: str, *categories: str) -> list[Any]:
    return [
        pytest.param(vector, id=vector["id"])
        for vector in VECTORS
        if vector["kind"] == kind and (not categories or vector["category"] in categories)
    ]


def day_of(text: str) -> date:
    return ANY_DAY if text.startswith("relative") else date.fromisoformat(text)


def compare(made: Schedule, rows: list[dict[str, Any]], code: str, *, dates: bool = True) -> None:
    """Every row that asks for principal or interest (a charge after the last due date has one of its own)."""
    asking = [row for row in rows if "nr" in row and (Decimal(row["principal"]) or Decimal(row["interest"]))]
    assert [decimal_text(one.principal, code) for one in made.instalments] == [
        money(row, "principal") for row in asking
    ]
    assert [decimal_text(one.interest, code) for one in made.instalments] == [money(row, "interest") for row in asking]
    if dates and "due" in asking[0]:
        assert [one.due.isoformat() for one in made.instalments] == [row["due"] for row in asking]


def money(row: dict[str, Any], column: str) -> str:
    return f"{Decimal(row[column]):.2f}"


@pytest.mark.parametrize("vector", of("simple"))
def test_a_schedule_is_the_one_that_fineract_makes(vector: dict[str, Any]) -> None:
    params, paid_out = vector["params"], []
    start = day_of(params.get("first_period_start") or vector["steps"][0]["date"])
    principal = sum(Decimal(step["amount"]) for step in vector["steps"] if step.get("do") == "disburse")
    terms = terms_of(params, start=start, principal=f"{principal:f}")
    for step in vector["steps"]:
        if step.get("do") == "disburse":
            paid_out.append(PaidOut(day_of(step["date"]), minor_units(step["amount"], terms.currency)))
        elif step.get("expect") == "schedule":
            made = schedule(terms, paid_out)
            compare(made, step["rows"], terms.currency, dates=vector["id"] not in OTHER_DATES)


class Life:
    """What happened to a loan until a table is expected."""

    def __init__(self, params: dict[str, Any], principal: str, start: date) -> None:
        self.terms: Terms = terms_of(params, start=start, principal=principal)
        self.today = start
        self.paid_out: list[PaidOut] = []
        self.payments: list[tuple[date, int]] = []
        self.changes: list[Dated] = []

    def minor(self, text: str) -> int:
        return minor_units(text, self.terms.currency)


def told(vector: dict[str, Any]) -> Iterator[tuple[Life, list[dict[str, Any]]]]:
    """Each table that a vector expects, beside the life of the loan up to it."""
    life: Life | None = None
    loan: dict[str, Any] = {}
    for step, following in zip(vector["steps"], [*vector["steps"][1:], {}], strict=True):
        match step.get("do") or step.get("expect"):
            case "create_loan":
                loan = step["loan"]
            case "disburse":
                on = date.fromisoformat(step["date"])
                life = life or Life(loan["params"], loan["principal"], on)
                life.paid_out.append(PaidOut(on, life.minor(step["amount"])))
            case "business_date" if life:
                life.today = date.fromisoformat(step["date"])
            case "repay" if life:
                life.payments.append((date.fromisoformat(step["date"]), life.minor(step["amount"])))
            case "pay_off" if life:
                all_paid = sum(life.minor(row["paid"]) for row in following["rows"] if "nr" in row)
                before = sum(amount for _, amount in life.payments)
                life.payments.append((date.fromisoformat(step["date"]), all_paid - before))
            case "reschedule" if life:
                life.changes += [agreed(one) for one in step["data"]]
            case "schedule" if life:
                yield life, step["rows"]


def agreed(data: dict[str, str]) -> Dated:
    on, at = date.fromisoformat(data["submittedondate"]), date.fromisoformat(data["reschedulefromdate"])
    if "adjustedduedate" in data:
        return on, DueDateMoved(due=at, to=date.fromisoformat(data["adjustedduedate"]))
    return on, RateChanged(from_due=at, annual_rate=fraction(data["newinterestrate"]))


@pytest.mark.parametrize("vector", of("servicing", "multi_disbursement", "reschedule"))
def test_disbursements_and_changes_give_fineracts_schedule(vector: dict[str, Any]) -> None:
    """These loans bear no interest on what is outstanding, so their payments don't matter."""
    for life, rows in told(vector):
        compare(schedule(life.terms, life.paid_out, life.changes), rows, life.terms.currency)


@pytest.mark.parametrize("vector", of("servicing", "interest_recalculation"))
def test_payments_give_fineracts_recalculated_schedule(vector: dict[str, Any]) -> None:
    for life, rows in told(vector):
        made = recalculated(life.terms, life.paid_out, life.payments, life.today, life.changes)
        compare(made, rows, life.terms.currency)


@pytest.mark.parametrize("vector", of("servicing", "early_late_payment_emi_model"))
def test_a_progressive_loan_paid_in_advance_has_fineracts_schedule(vector: dict[str, Any]) -> None:
    """The source pays an instalment's principal and interest one by one; to us it is money that comes on a day."""
    start = date(2024, 1, 1)
    terms = Terms(
        kind="equal-instalment",
        principal="100",
        currency="USD",
        annual_rate="0.07",
        instalments=6,
        first_due_date=date(2024, 2, 1),
        schedule="progressive",
        recalculation=Recalculation(effect="keep-instalment"),
    )
    payments: list[tuple[date, int]] = []
    for step in vector["steps"]:
        if step.get("do", "").startswith("pay_"):
            payments.append((date.fromisoformat(step["date"]), minor_units(step["amount"], "USD")))
        elif step.get("expect") == "schedule":
            made = recalculated(terms, [PaidOut(start, 10000)], payments, date(2024, 2, 15))
            compare(made, step["rows"], "USD")
