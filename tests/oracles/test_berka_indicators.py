"""What monitoring's indicators say of real accounts of the bank, from the movements that the import publishes."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lendlog.berka import borrower_id, loans_of
from lendlog.berka_signals import read_signals
from services.monitoring.indicators import observe
from services.monitoring.intake import take_movement
from services.monitoring.state import Borrower, month_of
from shared.events.signals import AccountMoved

pytestmark = pytest.mark.berka
BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))
ACCOUNT_OF_5314 = "1787"


@pytest.fixture(scope="module")
def borrowers() -> dict[str, Borrower]:
    """Every borrower's account as monitoring has it once all movements through 1994-03-31 are in."""
    found: dict[str, Borrower] = {}
    for signals in read_signals(BERKA, date(1994, 3, 31)).days.values():
        for signal in signals:
            assert isinstance(signal, AccountMoved)
            take_movement(
                found.setdefault(signal.subject, Borrower(signal.subject)), signal.data, signal.data.observed_on
            )
    return found


def value(borrower: Borrower, indicator: str, year: int, month: int) -> Decimal | None:
    found = observe(indicator, borrower, month_of(date(year, month, 1)))
    return None if found is None else found.x


def test_what_comes_in_on_the_account_of_loan_5314_dries_up_after_the_grant(borrowers: dict[str, Borrower]) -> None:
    """Granted on 1993-07-05, and the first instalments were not paid. From August to December nothing but the bank's
    own interest comes in, 190.60 a month; the mean of the four months before was 15,330.45."""
    borrower = borrowers[borrower_id(ACCOUNT_OF_5314)]
    falls = [value(borrower, "inflow-fall", 1993, month) for month in (8, 9, 10, 11, 12)]
    assert falls == [Decimal(text) for text in ("98.76", "98.45", "98.15", "97.80", "97.53")]
    assert value(borrower, "inflow-fall", 1994, 1) == Decimal(-100)


def test_no_other_account_dries_up_for_five_months(borrowers: dict[str, Borrower]) -> None:
    """Of the 38 loans granted by then."""
    granted = [loan.account_id for loan in loans_of(BERKA / "loan.asc") if loan.granted <= date(1994, 3, 31)]
    dry = set()
    for account in granted:
        borrower = borrowers[borrower_id(account)]
        falls = [value(borrower, "inflow-fall", 1993, month) for month in (8, 9, 10, 11, 12)]
        if all(fall is not None and fall > 80 for fall in falls):
            dry.add(account)
    assert dry == {ACCOUNT_OF_5314}
