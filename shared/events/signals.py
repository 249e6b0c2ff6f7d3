"""What the outside tells about borrowers and markets: `borrowers.signals.v1` and `market.indicators.v1`.

Readers ignore fields that they don't know. A signal says on which day it was observed; its value counts from the
closing of the business date that is open when it arrives.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, CurrencyCode, Data, Envelope
from shared.events.parties import Code

Figure = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$")]
"""A decimal string, with a sign where it is negative."""
Unit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z%][A-Za-z0-9%/.-]{0,19}$")]


MovementKind = Literal[
    "ordinary", "sales", "household", "interest", "fee", "loan-instalment", "penalty-interest", "returned-item"
]
"""Interest credited, fees and instalments collected are the bank's doing: they are no income, and nobody moved the
account."""


class Movement(Data):
    """One movement on the borrower's account, and the balance after it (signed)."""

    direction: Literal["in", "out"]
    amount: Amount
    balance: Figure
    currency: CurrencyCode
    kind: MovementKind = "ordinary"
    observed_on: date


class Figures(Data):
    """One figure of the borrower's business over a period: `sales`, `stock`, `headcount`, `machine-hours` …

    `device`: it comes from telemetry, which only counts while the borrower's consent stands.
    """

    name: Code
    value: Figure
    unit: Unit
    period_start: date
    observed_on: date
    device: bool = False


class PublicRecord(Data):
    """What a bureau, a court or a register knows."""

    kind: Literal["bureau-overdue", "new-lender", "court-case", "tax-arrears", "licence-lost"]
    count: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    observed_on: date


class Indicator(Data):
    """One value of a market: an index of prices or sales of an industry in a region."""

    indicator: Code
    industry: Code
    region: Code
    value: Figure
    unit: Unit
    observed_on: date


class AccountMoved(Envelope):
    """The borrower's account moved."""

    type: Literal["signals.AccountMoved.v1"] = "signals.AccountMoved.v1"
    data: Movement


class FigureReported(Envelope):
    """The borrower's business reported a figure."""

    type: Literal["signals.FigureReported.v1"] = "signals.FigureReported.v1"
    data: Figures


class RecordFound(Envelope):
    """A register told something."""

    type: Literal["signals.RecordFound.v1"] = "signals.RecordFound.v1"
    data: PublicRecord


class IndicatorPublished(Envelope):
    """A market's value; subject and key are `<industry>.<region>`."""

    type: Literal["market.IndicatorPublished.v1"] = "market.IndicatorPublished.v1"
    data: Indicator
