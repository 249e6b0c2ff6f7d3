"""Whether an application can be decided at all: statements without holes, dates that can be, documents and security.

What is not there is refused by name, and what was entered before stays.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from itertools import pairwise

from services.origination.policy import Policy
from services.origination.product import Product
from shared.calendar import add_months
from shared.errors import Refusal
from shared.events.applications import Guarantee, StandingSeen, Statement
from shared.money import minor_units


class MonthsNotConsecutive(Refusal):
    """The statement's months must follow each other, each once."""


class MonthNotOver(Refusal):
    """A month can be stated once it is over."""


class BalanceDateAhead(Refusal):
    """A balance sheet can't be of a date after today."""


class StatementMissing(Refusal):
    """No statement has come in."""

    status = 409


class StatementIncomplete(Refusal):
    """The statement has fewer months than the product asks for."""

    status = 409


class StatementTooOld(Refusal):
    """The statement's last month has been over for too long."""

    status = 409


class StatementCurrencyDiffers(Refusal):
    """The statement is in another currency than the amount asked for."""


class DocumentsMissing(Refusal):
    """Documents that the product asks for have not come in."""

    status = 409


class SecurityMissing(Refusal):
    """What must stand behind the loan has not been offered."""

    status = 409


class GroupTooSmall(Refusal):
    """The borrower's joint-liability group has too few members for the product."""

    status = 409


def require_sound(statement: Statement, *, currency: str, today: date) -> None:
    """Refuse a statement whose months or dates can't be, or whose amounts its currency can't hold."""
    if statement.currency != currency:
        detail = f"{statement.currency} is stated, {currency} is asked for."
        raise StatementCurrencyDiffers(detail, field="currency")
    months = [_first_day(month.month) for month in statement.months]
    for month, after in pairwise(months):
        if after != add_months(month, 1):
            raise MonthsNotConsecutive(f"After {month:%Y-%m} comes {after:%Y-%m}.", field="months")
    if add_months(months[-1], 1) > today:
        raise MonthNotOver(f"{months[-1]:%Y-%m} is not over on {today}.", field="months")
    if statement.balance.as_of > today:
        raise BalanceDateAhead(f"{statement.balance.as_of} is after {today}.", field="balance/as_of")
    for text in _amounts(statement):
        minor_units(text, currency)


def _amounts(statement: Statement) -> list[str]:
    balance = statement.balance
    found = [text for month in statement.months for text in (month.inflows, month.outflows, month.household)]
    found += [text for debt in statement.debts for text in (debt.outstanding, debt.monthly_service)]
    owned = [balance.cash, balance.receivables, balance.stock, balance.equipment, balance.property]
    return [*found, *owned, balance.debts]


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def require_complete(
    product: Product,
    policy: Policy,
    *,
    statement: Statement | None,
    documents: Collection[str],
    guarantees: Sequence[Guarantee],
    standing: StandingSeen,
    today: date,
) -> Statement:
    """Refuse to submit while something is missing, the first thing by name; the statement if nothing is."""
    if statement is None:
        raise StatementMissing(f"{product.named} asks for {product.statement_months} months.", field="statement")
    count = len(statement.months)
    if count < product.statement_months:
        detail = f"{product.named} asks for {product.statement_months} months, {count} are stated."
        raise StatementIncomplete(detail, field="statement")
    over = add_months(_first_day(statement.months[-1].month), 1)
    if today - over > timedelta(days=policy.statement_age_days_max):
        detail = f"The last month ended before {over}, more than {policy.statement_age_days_max} days ago."
        raise StatementTooOld(detail, field="statement")
    if missing := [kind for kind in product.documents if kind not in documents]:
        raise DocumentsMissing(f"Missing: {', '.join(missing)}.", field="documents")
    _require_security(product, guarantees, standing)
    return statement


def _require_security(product: Product, guarantees: Sequence[Guarantee], standing: StandingSeen) -> None:
    asked = product.security
    if asked.required == "group":
        if standing.group_members < asked.group_members_min:
            detail = f"{product.named}: {asked.group_members_min} other members, {standing.group_members} are known."
            raise GroupTooSmall(detail, field="guarantees")
    elif asked.required != "none" and not any(one.kind == asked.required for one in guarantees):
        raise SecurityMissing(f"{product.named} asks for a {asked.required}.", field="guarantees")
