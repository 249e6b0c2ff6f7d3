"""What a scorecard weighs: an application's figures, by name. Every card is given all and takes what it asks for."""

from decimal import Decimal

from services.origination.capacity import Capacity, ratio
from shared.events.applications import StandingSeen, Statement
from shared.money import minor_units

ATTRIBUTES = frozenset(
    (
        "coverage",
        "coverage-stressed",
        "surplus-share",
        "equity-share",
        "debt-burden",
        "inflow-trend",
        "years-in-business",
        "statement-months",
        "statement-source",
        "loans-repaid",
        "days-past-due-worst",
        "past-due-elsewhere",
    )
)
"""What `measure` gives."""


def measure(statement: Statement, planned: Capacity, standing: StandingSeen) -> dict[str, Decimal | str | None]:
    """Every attribute of an application; None where the figures give none. Ratios have four decimals, rounded down."""

    def minor(text: str) -> int:
        return minor_units(text, statement.currency)

    inflows = [minor(month.inflows) for month in statement.months]
    spent = sum(minor(month.outflows) + minor(month.household) for month in statement.months)
    balance = statement.balance
    owned = sum(map(minor, (balance.cash, balance.receivables, balance.stock, balance.equipment, balance.property)))
    monthly = sum(minor(debt.monthly_service) for debt in statement.debts)
    half = len(inflows) // 2
    return {
        "coverage": planned.coverage,
        "coverage-stressed": planned.coverage_stressed,
        "surplus-share": ratio(sum(inflows) - spent, sum(inflows)),
        "equity-share": ratio(owned - minor(balance.debts), owned),
        "debt-burden": ratio(monthly * len(inflows), sum(inflows)),
        # the same number of months at either end; a season is seen whole only in statements of two years
        "inflow-trend": ratio(sum(inflows[-half:]), sum(inflows[:half])) if len(inflows) in (6, 24, 36, 48) else None,
        "years-in-business": Decimal(statement.years_in_business),
        "statement-months": Decimal(len(inflows)),
        "statement-source": statement.source,
        "loans-repaid": Decimal(standing.loans_repaid),
        "days-past-due-worst": Decimal(standing.days_past_due_max),
        "past-due-elsewhere": Decimal(max((debt.days_past_due for debt in statement.debts), default=0)),
    }
