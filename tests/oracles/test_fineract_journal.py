"""Journals by Fineract's rules (AccrualBasedAccountingProcessorForLoan) where its published cases show none."""

from typing import Any

import pytest

from lendlog.oracle.fineract import differences

PARAMS = {
    "currency": "EUR", "decimals": 2, "rounding": "HALF_EVEN", "schedule_type": "CUMULATIVE", "annual_rate_pct": "12",
    "interest_type": "FLAT", "amortization": "EQUAL_INSTALLMENTS", "interest_calc_period": "SAME_AS_REPAYMENT_PERIOD",
    "days_in_year": 360, "days_in_month": 30, "repayment_every": 1, "repayment_unit": "MONTHS",
    "number_of_repayments": 3, "strategy": "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER", "installment_multiples_of": 1,
}  # fmt: skip
BEGUN: list[dict[str, Any]] = [
    {"do": "business_date", "date": "2023-01-01"},
    {
        "do": "create_loan",
        "loan": {"product": "LP1", "principal": "1000", "submitted": "2023-01-01", "params": PARAMS},
    },
    {"do": "approve", "date": "2023-01-01", "amount": "1000"},
    {"do": "disburse", "date": "2023-01-01", "amount": "1000"},
    {"do": "charge", "name": "NSF fee", "kind": "PENALTY", "due": "2023-01-01", "amount": "10"},
    {"do": "charge", "name": "Snooze fee", "kind": "FEE", "due": "2023-01-01", "amount": "20"},
    {"do": "business_date", "date": "2023-02-22"},
]
"""1,000 flat at 12 %: three instalments of 333 + 10, 333 + 10 and 334 + 10; the first asks for 30 of charges, too."""
FUNDS = ("LIABILITY", "145023", "Suspense/Clearing account")
LOANS, RECEIVABLE = ("ASSET", "112601", "Loans Receivable"), ("ASSET", "112603", "Interest/Fee Receivable")
OVERPAID = ("LIABILITY", "l1", "Overpayment account")
FEES, RECOVERIES = ("INCOME", "404007", "Fee Income"), ("INCOME", "744008", "Recoveries")
INTEREST_OFF = ("INCOME", "404001", "Interest Income Charge Off")
FEES_OFF = ("INCOME", "404008", "Fee Charge Off")
LOSS, FRAUD = ("EXPENSE", "744007", "Credit Loss/Bad Debt"), ("EXPENSE", "744037", "Credit Loss/Bad Debt-Fraud")
GOODWILL = ("EXPENSE", "744003", "Goodwill Expense Account")

OFF = {"do": "charge_off", "date": "2023-02-22"}


def money(kind: str, amount: str) -> dict[str, Any]:
    """A transaction of the day."""
    return {"do": "transaction", "type": kind, "date": "2023-02-22", "amount": amount}


def entries(kind: str, *sides: tuple[str, str, tuple[str, str, str]]) -> dict[str, Any]:
    """The table of a transaction of the day."""
    rows = [{side: amount, "type": a[0], "account_code": a[1], "account_name": a[2]} for side, amount, a in sides]
    return {"expect": "journal", "transaction": kind, "date": "2023-02-22", "entries": rows}


CASES = {
    "goodwill pays each part from what is forgone of it": [
        money("GOODWILL_CREDIT", "100"),
        entries(
            "GOODWILL_CREDIT",
            ("debit", "60", GOODWILL), ("debit", "10", INTEREST_OFF), ("debit", "30", FEES_OFF),
            ("credit", "60", LOANS), ("credit", "40", RECEIVABLE),
        ),
    ],
    "a charge-off with what was paid before it": [
        money("REPAYMENT", "35"),
        OFF,
        entries("REPAYMENT", ("debit", "35", FUNDS), ("credit", "35", RECEIVABLE)),
        entries(
            "CHARGE_OFF",
            ("debit", "1000", LOSS), ("debit", "25", INTEREST_OFF),
            ("credit", "1000", LOANS), ("credit", "25", RECEIVABLE),
        ),
    ],
    "a merchant's refund after a charge-off takes the loss back, part by part": [
        OFF,
        money("MERCHANT_ISSUED_REFUND", "100"),
        entries(
            "MERCHANT_ISSUED_REFUND",
            ("debit", "100", FUNDS),
            ("credit", "60", LOSS), ("credit", "10", INTEREST_OFF), ("credit", "30", FEES_OFF),
        ),
    ],
    "a payout refund of more than the whole debt after a fraud": [
        {"do": "set_fraud", "value": True},
        OFF,
        money("PAYOUT_REFUND", "1100"),
        entries(
            "PAYOUT_REFUND",
            ("debit", "1100", FUNDS), ("credit", "40", OVERPAID),
            ("credit", "1000", FRAUD), ("credit", "30", INTEREST_OFF), ("credit", "30", FEES_OFF),
        ),
    ],
    "a chargeback after a charge-off is lost, too": [
        money("REPAYMENT", "100"),
        OFF,
        {"do": "chargeback", "target": "repayment #1 by id", "amount": "100"},
        entries("CHARGEBACK", ("debit", "100", LOSS), ("credit", "100", FUNDS)),
    ],
    "a charge credited after a charge-off was no income, and is no charge-off": [
        OFF,
        {"do": "charge_adjustment", "charge": "Snooze fee", "due": "2023-01-01", "amount": "20"},
        entries("CHARGE_ADJUSTMENT", ("debit", "20", FEES), ("credit", "20", FEES_OFF)),
    ],
    "a charge credited before that pays what is oldest": [
        {"do": "charge_adjustment", "charge": "Snooze fee", "due": "2023-01-01", "amount": "20"},
        entries("CHARGE_ADJUSTMENT", ("debit", "20", FEES), ("credit", "20", RECEIVABLE)),
    ],
    "an undone recovery is on both sides": [
        OFF,
        money("REPAYMENT", "50"),
        {"do": "undo", "target": "repayment #1 by id"},
        entries(
            "REPAYMENT",
            ("debit", "50", FUNDS), ("credit", "50", RECOVERIES), ("credit", "50", FUNDS), ("debit", "50", RECOVERIES),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
def test_the_engine_books_by_the_rules(steps: list[dict[str, Any]]) -> None:
    assert differences({"id": "rules", "kind": "servicing", "steps": [*BEGUN, *steps]}) == []


def test_entries_that_were_not_taken_back_are_missed() -> None:
    table = CASES["an undone recovery is on both sides"][-1]
    half = {**table, "entries": table["entries"][:2]}
    case = {"id": "rules", "kind": "servicing", "steps": [*BEGUN, OFF, money("REPAYMENT", "50"), table]}
    undone = [*BEGUN, OFF, money("REPAYMENT", "50"), {"do": "undo", "target": "repayment #1 by id"}, half]
    assert differences(case)
    assert differences({**case, "steps": undone})
