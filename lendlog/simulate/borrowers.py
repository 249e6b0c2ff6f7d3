"""Who asks for a loan: trade, region, size, habits; and for which product, how much, over how long."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from lendlog.simulate.chance import chance
from lendlog.simulate.climate import REGIONS
from shared.calendar import add_months

COUNTRY, CURRENCY, LANGUAGE, TIME_ZONE = "CN", "CNY", "zh-CN", "Asia/Shanghai"
Habit = Literal["prompt", "early", "forgetful", "tight", "careless", "sinking", "recovering"]
Source = Literal["bank-account", "books", "tax-return", "declared"]
SOURCES: tuple[Source, ...] = ("bank-account", "tax-return", "books", "declared")
HABITS: dict[Habit, int] = {
    "prompt": 50,
    "early": 9,
    "forgetful": 15,
    "tight": 12,
    "careless": 4,
    "sinking": 5,
    "recovering": 5,
}
"""How many of a hundred: pays on the day or just before; long before; some days late; in parts; too much, or by
transfers that come back; stops for good; stops and pays all of it after months."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one product is asked for. Amounts in whole yuan."""

    product: str
    trades: tuple[str, ...]
    sizes: tuple[str, ...]
    amounts: tuple[int, int, int]
    """Least, largest, step."""
    instalments: tuple[int, ...]
    every: int
    unit: Literal["week", "month"]
    statement_months: int
    documents: tuple[str, ...]
    of_a_hundred: int


PRODUCTS = (
    Asked(
        product="consumer-equal-instalment",
        trades=("employed",),
        sizes=("person",),
        amounts=(3_000, 60_000, 100),
        instalments=(6, 9, 12, 18),
        every=1,
        unit="month",
        statement_months=6,
        documents=("identity", "income-proof"),
        of_a_hundred=30,
    ),
    Asked(
        product="equal-principal",
        trades=("manufacture", "transport", "services", "retail"),
        sizes=("micro", "small"),
        amounts=(20_000, 300_000, 1_000),
        instalments=(12, 18, 24),
        every=1,
        unit="month",
        statement_months=12,
        documents=("identity", "business-licence", "bank-statement"),
        of_a_hundred=15,
    ),
    Asked(
        product="farm-equipment",
        trades=("crops", "livestock", "orchards"),
        sizes=("person", "micro"),
        amounts=(10_000, 200_000, 500),
        instalments=(2, 3, 4),
        every=6,
        unit="month",
        statement_months=12,
        documents=("identity", "purchase-contract", "land-use-right"),
        of_a_hundred=10,
    ),
    Asked(
        product="seasonal-self-employed",
        trades=("crops", "orchards", "food-service", "construction"),
        sizes=("person", "micro"),
        amounts=(3_000, 60_000, 100),
        instalments=(1, 2),
        every=6,
        unit="month",
        statement_months=12,
        documents=("identity", "trade-proof"),
        of_a_hundred=12,
    ),
    Asked(
        product="sme-working-capital",
        trades=("manufacture", "construction", "retail", "transport"),
        sizes=("micro", "small", "medium"),
        amounts=(20_000, 800_000, 1_000),
        instalments=(6, 9, 12),
        every=1,
        unit="month",
        statement_months=12,
        documents=("business-licence", "bank-statement", "tax-return"),
        of_a_hundred=13,
    ),
    Asked(
        product="joint-liability-group",
        trades=("crops", "livestock", "retail", "food-service", "services"),
        sizes=("person", "micro"),
        amounts=(1_000, 8_000, 100),
        instalments=(6, 8, 12),
        every=2,
        unit="week",
        statement_months=3,
        documents=("identity", "group-agreement"),
        of_a_hundred=20,
    ),
)
FIRST_DUE_MONTHS = {"farm-equipment": (6, 7, 9, 10, 11, 12)}
"""Months in which the first instalment of a product may fall due; others take any."""
GROUP_SIZE = 4
OVERREACHING = 0.08
"""The part of the borrowers who ask for some times what they can bear."""


@dataclass(frozen=True, slots=True)
class Borrower:
    """One who asks for a loan. Money in minor units (fen)."""

    number: int
    asked: Asked
    kind: Literal["person", "business"]
    size: str
    trade: str
    region: str
    channels: tuple[str, ...]
    habit: Habit
    amount: int
    instalments: int
    monthly: int
    """Inflows of a month as any other."""
    costs: float
    """The part of the inflows that the business takes."""
    household: int
    """What the household uses in a month."""
    years: int
    source: Source
    debt: tuple[int, int] | None
    """A debt elsewhere: outstanding, and what it asks for in a month."""
    group: int | None
    """The joint-liability group."""
    machine: bool
    """Whether a device tells of the machine's hours, with consent."""
    banked: bool
    """Whether the account's movements come in."""
    reports: bool
    """Whether the business tells its sales every month."""
    automatic: bool
    """Whether the borrower agreed to be decided on by a machine alone."""
    forgets: bool
    """Whether a document is missing at the first try."""


def make_borrower(seed: int, number: int) -> Borrower:
    """The borrower of a number. Members of a group come one after the other and share product, trade and region."""
    asked, group = _asked(seed, number)
    draw = chance(seed, "borrower", number)
    shared = chance(seed, "group", group) if group is not None else draw
    trade, region = shared.choice(asked.trades), shared.choice(REGIONS)
    size = draw.choice(asked.sizes)
    person = size == "person" or (asked.product != "sme-working-capital" and draw.random() < 0.5)
    if asked.product == "joint-liability-group":
        person = True
    low, high, step = asked.amounts
    amount = int(low + (high - low) * draw.random() ** 2.5) // step * step * 100
    instalments = draw.choice(asked.instalments)
    habit = draw.choices(tuple(HABITS), tuple(HABITS.values()))[0]
    business = trade != "employed"
    costs = draw.uniform(0.3, 0.55) if business else 0.0
    monthly, household = _means(draw, asked, amount, instalments, costs, habit)
    owes = draw.random() < (0.35 if habit in ("tight", "sinking", "recovering") else 0.15)
    return Borrower(
        number=number,
        asked=asked,
        kind="person" if person else "business",
        size=size,
        trade=trade,
        region=region,
        channels=draw.choice((("email", "voice"), ("email", "sms", "voice"), ("voice", "letter"), ("email", "app"))),
        habit=habit,
        amount=amount,
        instalments=instalments,
        monthly=monthly,
        costs=costs,
        household=household,
        years=int(draw.expovariate(0.2)),
        source=draw.choice(SOURCES) if business else "bank-account",
        debt=(monthly * draw.randrange(1, 5), monthly // draw.randrange(10, 25)) if owes else None,
        group=group,
        machine=asked.product == "farm-equipment" and draw.random() < 0.5,
        banked=draw.random() < 0.6,
        reports=business and draw.random() < 0.35,
        automatic=draw.random() < 0.9,
        forgets=draw.random() < 0.12,
    )


def _asked(seed: int, number: int) -> tuple[Asked, int | None]:
    """The product, by blocks of the size of a group, so that a block may be one."""
    block = number // GROUP_SIZE
    groups = next(one for one in PRODUCTS if one.product == "joint-liability-group")
    if chance(seed, "block", block).randrange(100) < groups.of_a_hundred:
        return groups, block
    others = [one for one in PRODUCTS if one is not groups]
    draw = chance(seed, "product", number)
    return draw.choices(others, [one.of_a_hundred for one in others])[0], None


def _means(
    draw: random.Random, asked: Asked, amount: int, instalments: int, costs: float, habit: Habit
) -> tuple[int, int]:
    """A month's inflows and the household's use, so that the loan can be borne more or less easily."""
    months = instalments * asked.every if asked.unit == "month" else max(1, instalments * asked.every * 7 // 30)
    service = int(amount * 1.12 / months)
    strained = habit in ("tight", "sinking", "recovering")
    if draw.random() < OVERREACHING:
        service //= 4
    household = int(draw.uniform(1_500, 4_500)) * 100
    free = service * (2.0 if strained else 3.0) * draw.uniform(0.6, 1.7) + household * (0.3 if strained else 1.0)
    return int((free + household) / (1 - costs)), household


def first_due(borrower: Borrower, today: date) -> date:
    """The date of the first instalment, which the product allows: some weeks ahead, and after a season."""
    if borrower.asked.unit == "week":
        return today + timedelta(days=14)
    months = FIRST_DUE_MONTHS.get(borrower.asked.product)
    day = add_months(today.replace(day=min(today.day, 28)), 5 if borrower.asked.every == 6 else 1)
    while months and day.month not in months:
        day = add_months(day, 1)
    return day
