"""A borrower in order, and what may be changed about it."""

from datetime import date
from typing import Any

from services.origination.facts import Facts
from services.origination.rules import load
from shared.calendar import add_months
from shared.events.applications import Document, Guarantee, Request, StandingSeen, Statement
from shared.events.parties import Party

TODAY = date(2024, 6, 10)
RULES = load()
EVENT_ID = "11111111-1111-4111-8111-111111111111"


def party(**changes: Any) -> Party:
    values: dict[str, Any] = {
        "kind": "person",
        "language": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "country": "CN",
        "region": "sichuan",
        "industry": "retail",
        "size": "person",
        "channels": ["sms"],
    }
    return Party(**(values | changes))


def request(**changes: Any) -> Request:
    values: dict[str, Any] = {
        "application_id": "a-1",
        "product": "consumer-equal-instalment@1",
        "amount": "20000.00",
        "currency": "CNY",
        "instalments": 12,
        "every": 1,
        "unit": "month",
        "first_due_date": date(2024, 7, 10),
        "purpose": "household",
        "by": "officer",
    }
    return Request(**(values | changes))


def months(count: int, inflows: str = "12000.00", outflows: str = "2000.00", until: date = TODAY) -> list[Any]:
    """So many months before `until`, all the same."""
    first = add_months(until.replace(day=1), -count)
    return [
        {"month": f"{add_months(first, n):%Y-%m}", "inflows": inflows, "outflows": outflows, "household": "4000.00"}
        for n in range(count)
    ]


def statement(**changes: Any) -> Statement:
    balance = {"as_of": "2024-05-31", "cash": "8000.00", "receivables": "0", "stock": "0", "equipment": "0"}
    values: dict[str, Any] = {
        "application_id": "a-1",
        "currency": "CNY",
        "source": "bank-account",
        "months": months(6),
        "balance": balance | {"property": "50000.00", "debts": "5000.00"},
        "debts": [],
        "years_in_business": 5,
        "by": "officer",
    }
    return Statement.model_validate(values | changes)


def standing(**changes: Any) -> StandingSeen:
    values: dict[str, Any] = {
        "loans_repaid": 0,
        "loans_open": 0,
        "outstanding": "0.00",
        "group_outstanding": "0.00",
        "days_past_due": 0,
        "days_past_due_max": 0,
        "group_days_past_due": 0,
        "group_members": 0,
        "blocks": [],
        "flags": [],
        "consents": ["automated-decision"],
    }
    return StandingSeen(**(values | changes))


def document(kind: str) -> Document:
    return Document(application_id="a-1", kind=kind, sha256="0" * 64, reference=f"store/{kind}", by="officer")


def guarantee(value: str) -> Guarantee:
    return Guarantee(
        application_id="a-1",
        kind="collateral",
        collateral="tractor",
        value=value,
        currency="CNY",
        evidence="store/valuation",
        by="officer",
    )


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "party": party(),
        "request": request(),
        "statement": statement(),
        "documents": [document("identity"), document("income-proof")],
        "guarantees": [],
        "standing": standing(),
    }
    return Facts(**(values | changes))
