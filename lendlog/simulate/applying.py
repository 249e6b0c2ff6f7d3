"""What a borrower brings to origination: the bodies of its API's requests, made from who the borrower is."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from stdnum.cn import ric, uscc

from lendlog.simulate.borrowers import COUNTRY, CURRENCY, LANGUAGE, TIME_ZONE, Borrower, first_due
from lendlog.simulate.chance import chance
from lendlog.simulate.climate import Climate
from shared.calendar import add_months
from shared.money import decimal_text

Body = dict[str, Any]
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英玉兰红梅建国志华文斌海燕春生秀珍"
_PLACE = "110101"
"""The six digits of a district, as official numbers begin."""
_BANK = {"bank_code": "000000000000", "clearing": "CNAPS"}
"""No bank's: nothing of a simulation reaches one."""
_PURPOSES = {
    "consumer-equal-instalment": "household",
    "equal-principal": "investment",
    "farm-equipment": "machine",
    "seasonal-self-employed": "season",
    "sme-working-capital": "working-capital",
    "joint-liability-group": "stock",
}


def party(seed: int, borrower: Borrower) -> Body:
    """Who the borrower is, and what the vault keeps."""
    draw = chance(seed, "personal", borrower.number)
    name = draw.choice(_SURNAMES) + draw.choice(_GIVEN) + draw.choice(_GIVEN)
    called = name if borrower.kind == "person" else f"{name}商行"
    addresses = {
        "email": f"borrower{borrower.number}@example.invalid",
        "sms": f"+8610{borrower.number:08d}",
        "voice": f"+8610{borrower.number:08d}",
        "letter": f"{borrower.number} {borrower.region}",
        "app": f"device-{borrower.number}",
    }
    return {
        "party": {
            "kind": borrower.kind,
            "language": LANGUAGE,
            "time_zone": TIME_ZONE,
            "country": COUNTRY,
            "region": borrower.region,
            "industry": borrower.trade,
            "size": borrower.size,
        },
        "personal": {
            "name": called,
            "official_number": _official_number(seed, borrower),
            "contacts": {channel: addresses[channel] for channel in borrower.channels},
            "account": {"holder": called, "number": f"6200{borrower.number:012d}"} | _BANK,
        },
    }


def _official_number(seed: int, borrower: Borrower) -> Body:
    draw = chance(seed, "number", borrower.number)
    if borrower.kind == "person":
        born = f"{draw.randrange(1960, 2000)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
        number = f"{_PLACE}{born}{draw.randrange(1000):03d}0"
        return {"kind": "cn.ric", "number": number[:-1] + ric.calc_check_digit(number)}
    number = f"91{_PLACE}{draw.randrange(10**9):09d}"
    return {"kind": "cn.uscc", "number": number + uscc.calc_check_digit(number)}


def consents(borrower: Borrower) -> Iterator[Body]:
    """What the borrower agrees to at the start."""
    purposes = ["bureau"]
    if borrower.automatic:
        purposes.append("automated-decision")
    if borrower.machine:
        purposes.append("telemetry")
    for purpose in purposes:
        yield {"purpose": purpose, "evidence": f"consents/{borrower.number}/{purpose}"}


def request(borrower: Borrower, today: date) -> Body:
    """What is asked for; the borrower's id is not in it yet."""
    asked = borrower.asked
    return {
        "product": asked.product,
        "amount": decimal_text(borrower.amount, CURRENCY),
        "currency": CURRENCY,
        "instalments": borrower.instalments,
        "every": asked.every,
        "unit": asked.unit,
        "first_due_date": first_due(borrower, today).isoformat(),
        "purpose": _PURPOSES[asked.product],
    }


def statement(seed: int, borrower: Borrower, climate: Climate, today: date) -> Body:
    """The months before, as their season and the times were, and what is owned and owed."""
    first = add_months(today.replace(day=1), -borrower.asked.statement_months)
    months = [_month(seed, borrower, climate, add_months(first, n)) for n in range(borrower.asked.statement_months)]
    draw = chance(seed, "balance", borrower.number)
    owned = borrower.amount * draw.uniform(0.6, 3.0) if borrower.costs else borrower.monthly * draw.uniform(0.5, 4)
    season = max(climate.season(borrower.trade, month) for month in _year(today))
    cash = borrower.monthly * (1.0 + season * draw.uniform(0.5, 1.5)) if borrower.costs else borrower.monthly
    debts = [] if borrower.debt is None else [_debt(borrower.debt, draw.random())]
    return {
        "currency": CURRENCY,
        "source": borrower.source,
        "months": months,
        "balance": {
            "as_of": add_months(today.replace(day=1), 0).isoformat(),
            "cash": _text(cash),
            "receivables": _text(owned * 0.2),
            "stock": _text(owned * 0.3) if borrower.costs else "0.00",
            "equipment": _text(owned * 0.5),
            "property": _text(owned * draw.uniform(0, 1)),
            "debts": _text(borrower.debt[0] if borrower.debt else 0),
        },
        "debts": debts,
        "years_in_business": min(borrower.years, 60),
    }


def _year(today: date) -> Iterator[date]:
    return (add_months(today.replace(day=1), n) for n in range(12))


def _debt(debt: tuple[int, int], luck: float) -> Body:
    late = 0 if luck < 0.85 else 12
    return {
        "kind": "bank-loan",
        "outstanding": _text(debt[0]),
        "monthly_service": _text(debt[1]),
        "days_past_due": late,
    }


def _month(seed: int, borrower: Borrower, climate: Climate, month: date) -> Body:
    inflows = inflow(seed, borrower, climate, month)
    return {
        "month": f"{month:%Y-%m}",
        "inflows": _text(inflows),
        "outflows": _text(inflows * borrower.costs),
        "household": _text(borrower.household),
    }


def inflow(seed: int, borrower: Borrower, climate: Climate, month: date) -> int:
    """What comes in during a month: the usual, its season, the times, and luck."""
    luck = chance(seed, "inflow", borrower.number, f"{month:%Y-%m}").gauss(1.0, 0.08)
    season = climate.season(borrower.trade, month)
    times = climate.weather(borrower.trade, borrower.region, month.replace(day=15))
    return int(borrower.monthly * season * times * min(max(luck, 0.6), 1.4))


def documents(borrower: Borrower, *, first_try: bool) -> Sequence[Body]:
    """The documents that the product asks for; who forgets brings the last one at the second try."""
    kinds = borrower.asked.documents
    brought = kinds[:-1] if borrower.forgets and first_try else kinds
    return [_document(borrower, kind) for kind in brought]


def _document(borrower: Borrower, kind: str) -> Body:
    reference = f"archive/{borrower.number}/{kind}"
    return {"kind": kind, "sha256": hashlib.sha256(reference.encode()).hexdigest(), "reference": reference}


def collateral(seed: int, borrower: Borrower) -> Body | None:
    """What secures the loan, where the product wants it: the machine that it buys, and now and then too little."""
    if borrower.asked.product != "farm-equipment":
        return None
    cover = chance(seed, "collateral", borrower.number).uniform(1.4, 2.6)
    return {
        "kind": "collateral",
        "collateral": "machine",
        "value": _text(borrower.amount * cover),
        "currency": CURRENCY,
        "evidence": f"archive/{borrower.number}/valuation",
    }


def _text(minor: float) -> str:
    return decimal_text(max(0, int(minor)), CURRENCY)
