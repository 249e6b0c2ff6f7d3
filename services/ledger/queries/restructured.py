"""The share of restructured loans, as the books have it."""

from datetime import date
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ledger.engine.account import Loan, decode_loan
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.statements import Account
from services.ledger.restructuring import Restructuring, Share, counted, limit_on
from shared.money import currency

# A restructuring is rare, and its marks are in the states alone: each is read once (100,000 loans in about a second).
_STATES = "SELECT state FROM loan WHERE loan >= 0"
_FETCHED = 2_000


class LenderSettings(BaseSettings):
    """Whose limits these books keep."""

    model_config = SettingsConfigDict(env_prefix="LENDLOG_", extra="ignore")

    lender: str = ""
    """The `lender` of rows in policies/restructuring*.yaml; a lender without rows has those of every lender."""


async def share_of(connection: Any, number: int) -> Share:
    """The share of restructured principal in the currency of this ISO 4217 number."""
    share = Share()
    async with snapshot(connection):
        async for row in connection.cursor(_STATES, prefetch=_FETCHED):
            loan = decode_loan(row["state"])
            if loan.currency == number:
                share = counted(share, loan)
    return share


async def restructuring(connection: Any, found: Account) -> Restructuring | None:
    """What a restructuring of the loan now means to the lender's share, by the limits of the open date; None before the
    loan has a currency."""
    if found.currency is None or not found.stored.open_day:
        return None
    loan = found.stored.state or Loan(-1, found.loan_id)
    limit = limit_on(date.fromordinal(found.stored.open_day), lender=LenderSettings().lender, currency=found.currency)
    share = await share_of(connection, currency(found.currency).number)
    return Restructuring(share, loan.principal_outstanding, loan.restructured, limit)
