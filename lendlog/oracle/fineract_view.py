"""Our statement in Fineract's words: the tables of its user interface, one dictionary a row.

Money is decimal text; what Fineract leaves empty is None.
"""

from dataclasses import replace
from datetime import date

from lendlog.oracle.fineract_loan import Loan
from services.ledger.engine.lines import InstalmentLine, Statement, TransactionLine
from shared.money import decimal_text

Row = dict[str, str | None]

STATUSES = {
    "contracted": "approved",
    "active": "active",
    "settled": "closed obligations met",
    "overpaid": "overpaid",
    "written-off": "closed written off",
}
"""Our states under Fineract's names, in small letters without signs."""
NAMES = {
    "goodwill-credit": "Goodwill Credit",
    "merchant-refund": "Merchant Issued Refund",
    "payout-refund": "Payout Refund",
    "charge-adjustment": "Charge Adjustment",
    "charge-waiver": "Waive loan charges",
    "chargeback": "Chargeback",
    "credit-refund": "Credit Balance Refund",
    "charge-off": "Charge-off",
    "write-off": "Close (as written-off)",
    "re-age": "Re-age",
    "re-amortise": "Re-amortize",
    "disbursement": "Disbursement",
    "payment": "Repayment",
}
_NO_BALANCE = frozenset({"charge-off", "write-off", "re-age", "re-amortise"})
"""Transactions for which Fineract keeps no running balance, and shows nothing as it."""
SUMS = ("principal", "interest", "fees", "penalties", "total", "paid", "in_advance", "late", "waived", "outstanding")


def instalments(statement: Statement, currency: str, *, by_date: bool = False) -> dict[int, Row]:
    """The schedule's rows by number.

    by_date: the balance of Fineract's instalment calculator, which counts what was paid out up to the due date itself
    and whatever principal was paid by then, in advance or not.
    """
    rows: dict[int, Row] = {}
    for one in statement.instalments:
        balance = _balance_on(statement, one.due) if by_date else one.balance
        rows[one.number] = {
            "nr": str(one.number),
            "days": str((one.due - one.start).days),
            "due": one.due.isoformat(),
            "paid_date": one.paid_on.isoformat() if one.paid_on else None,
            "balance": decimal_text(balance, currency),
            **{name: decimal_text(getattr(one, name), currency) for name in SUMS},
        }
    return rows


def _balance_on(statement: Statement, on: date) -> int:
    paid_out = sum(one.amount for one in statement.disbursements if one.on <= on)

    def counts(one: InstalmentLine) -> bool:
        return one.due <= on or (one.paid_on is not None and one.paid_on <= on)

    return paid_out - sum(one.principal for one in statement.instalments if counts(one))


def disbursements(statement: Statement, currency: str) -> list[Row]:
    """The schedule's rows of money paid out; its amount stands in the column of the balance."""
    zero = decimal_text(0, currency)
    return [
        {
            "due": one.on.isoformat(),
            "balance": decimal_text(one.amount, currency),
            **dict.fromkeys(("fees", "total", "paid", "outstanding"), zero),
        }
        for one in statement.disbursements
    ]


def totals(statement: Statement, currency: str) -> Row:
    """The schedule's last row."""
    return {name: decimal_text(sum(getattr(one, name) for one in statement.instalments), currency) for name in SUMS}


def transactions(loan: Loan, statement: Statement) -> list[Row]:
    """The transactions that stand, and as they last stood those undone by hand. By date, then by entry."""
    lines = {one.event_id: one for one in statement.transactions}
    rows = []
    for sent in sorted(loan.sent, key=lambda one: one.on):
        line = sent.shown if sent.undone else lines.pop(sent.event.id, None)
        if line is not None:
            rows.append(_transaction(loan, sent.name, line, undone=sent.undone))
    return rows + [_transaction(loan, NAMES[one.kind], one, undone=False) for one in lines.values()]


def _transaction(loan: Loan, name: str, line: TransactionLine, *, undone: bool) -> Row:
    currency, out = loan.currency, line.kind == "disbursement"
    if line.kind == "charge-waiver" and loan.advanced:
        # Advanced allocation leaves a waiver's parts empty (AdvancedPaymentScheduleTransactionProcessor).
        line = replace(line, principal=0, interest=0, fees=0, penalties=0)
    return {
        "date": line.on.isoformat(),
        "type": name,
        "amount": decimal_text(line.amount, currency),
        "principal": decimal_text(0 if out else line.principal, currency),
        "interest": decimal_text(line.interest, currency),
        "fees": decimal_text(line.fees, currency),
        "penalties": decimal_text(line.penalties, currency),
        "overpayment": decimal_text(line.overpaid, currency),
        "loan_balance": decimal_text(0 if line.kind in _NO_BALANCE else line.balance, currency),
        "reverted": str(undone),
    }


def charges(loan: Loan, statement: Statement) -> list[Row]:
    """The charges, each due on a date of its own."""
    calculations = {one.event_id: one.calculation for one in loan.charges}
    return [
        {
            "name": one.name,
            "ispenalty": str(one.part == "penalty").lower(),
            "payment_due_at": "Specified due date",
            "due_as_of": one.due.isoformat(),
            "calculation_type": calculations.get(one.event_id, "Flat"),
            **{
                name: decimal_text(amount, loan.currency)
                for name, amount in (
                    ("due", one.amount),
                    ("paid", one.paid),
                    ("waived", one.waived),
                    ("outstanding", one.outstanding),
                )
            },
        }
        for one in statement.charges
    ]
