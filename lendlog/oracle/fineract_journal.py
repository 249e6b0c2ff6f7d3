"""The journal of a transaction in the accounts of Fineract's test products, from what our engine books.

The table is those products' mapping (LoanProductsRequestFactory, GLGlobalInitializerStep at the commit that
docs/oracles.md names), by our accounts. They have one receivable for all that is not principal, due or not."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from lendlog.oracle import fineract_targets as targets
from lendlog.oracle.difference import Difference
from lendlog.oracle.fineract_loan import Loan, Sent
from services.ledger.engine import accounts as ours
from services.ledger.engine.journal import JournalLine
from services.ledger.engine.lines import TransactionLine
from shared.money import decimal_text

Account = tuple[str, str, str]
"""Type, code and name."""
Sides = dict[Account, list[int]]
"""Debits and credits in minor units."""

FUND_SOURCE: Account = ("LIABILITY", "145023", "Suspense/Clearing account")
FUND_RECEIVABLES: Account = ("ASSET", "987654", "Fund Receivables")
"""The fund source of money that comes by transfer."""
LOANS: Account = ("ASSET", "112601", "Loans Receivable")
RECEIVABLE: Account = ("ASSET", "112603", "Interest/Fee Receivable")
INTEREST_INCOME: Account = ("INCOME", "404000", "Interest Income")
FEE_INCOME: Account = ("INCOME", "404007", "Fee Income")
INTEREST_CHARGED_OFF: Account = ("INCOME", "404001", "Interest Income Charge Off")
FEES_CHARGED_OFF: Account = ("INCOME", "404008", "Fee Charge Off")
ACCOUNTS: Mapping[int, Account] = {
    ours.CASH: FUND_SOURCE,
    ours.SUSPENSE: FUND_SOURCE,
    ours.LOANS_RECEIVABLE: LOANS,
    ours.INTEREST_RECEIVABLE: RECEIVABLE,
    ours.UNEARNED_INTEREST: RECEIVABLE,
    ours.FEES_RECEIVABLE: RECEIVABLE,
    ours.PENALTIES_RECEIVABLE: RECEIVABLE,
    ours.OVERPAYMENT: ("LIABILITY", "l1", "Overpayment account"),
    ours.FEE_INCOME: FEE_INCOME,
    ours.PENALTY_INCOME: FEE_INCOME,
    ours.INTEREST_CHARGED_OFF: INTEREST_CHARGED_OFF,
    ours.INTEREST_FORGONE: INTEREST_CHARGED_OFF,
    ours.FEES_CHARGED_OFF: FEES_CHARGED_OFF,
    ours.FEES_FORGONE: FEES_CHARGED_OFF,
    ours.PENALTIES_CHARGED_OFF: FEES_CHARGED_OFF,
    ours.PENALTIES_FORGONE: FEES_CHARGED_OFF,
    ours.RECOVERIES: ("INCOME", "744008", "Recoveries"),
    ours.GOODWILL_EXPENSE: ("EXPENSE", "744003", "Goodwill Expense Account"),
    ours.CREDIT_LOSS: ("EXPENSE", "744007", "Credit Loss/Bad Debt"),
    ours.FRAUD_LOSS: ("EXPENSE", "744037", "Credit Loss/Bad Debt-Fraud"),
    ours.LOSSES_WRITTEN_OFF: ("EXPENSE", "e4", "Written off"),
}


def journal(loan: Loan, step: Mapping[str, Any]) -> list[Difference]:
    """Where no transaction of the type and date has booked the entries. Raises NotTranslated.

    What stands is compared net by account; what was undone by hand, with all that it had booked on both sides.
    """
    wanted = _expected(loan, step["entries"])
    if step["transaction"] == "ACCRUAL":
        found = [_net(_earned(loan))]
    else:
        name, on = targets.name_of(step["transaction"]), date.fromisoformat(step["date"])
        booked = loan.booked()
        found = [_sides(loan, sent, booked) for sent in loan.sent if sent.name == name and sent.on == on]
    if wanted in found or _net(wanted) in found:
        return []
    where = f"{step['transaction']} of {step['date']}"
    return [Difference(where, _shown(loan, [wanted]), _shown(loan, found) or "none")]


def _expected(loan: Loan, entries: Sequence[Mapping[str, Any]]) -> Sides:
    sides: Sides = {}
    for entry in entries:
        account = (entry["type"], entry["account_code"], entry["account_name"])
        _add(sides, account, loan.minor(entry.get("debit", 0)), loan.minor(entry.get("credit", 0)))
    return sides


def _sides(loan: Loan, sent: Sent, booked: Mapping[str, Sequence[JournalLine]]) -> Sides:
    """What a transaction booked: net, or where it was undone, the net of it on both sides."""
    sides: Sides = {}
    for line in sent.booked if sent.undone else booked[sent.event.id]:
        if not (sent.name == "Charge-off" and ours.INTEREST_CHARGED_OFF in (line.debit, line.credit)):
            _add(sides, _account(line.debit, sent), line.amount, 0)
            _add(sides, _account(line.credit, sent), 0, line.amount)
    if sent.name == "Charge-off":
        # Fineract charges off all unpaid interest, which it goes on to accrue; ours is earned no more, and of what has
        # not fallen due nothing stands in the books.
        interest = _line(loan, sent).interest
        _add(sides, INTEREST_CHARGED_OFF, interest, 0)
        _add(sides, RECEIVABLE, 0, interest)
    sides = _net(sides)
    return {account: [sum(both)] * 2 for account, both in sides.items()} if sent.undone else sides


def _line(loan: Loan, sent: Sent) -> TransactionLine:
    if sent.undone:
        assert sent.shown is not None
        return sent.shown
    return next(one for one in loan.statement().transactions if one.event_id == sent.event.id)


def _account(account: int, sent: Sent) -> Account:
    if account == ours.CASH and sent.channel == "MONEY_TRANSFER":
        return FUND_RECEIVABLES
    return ACCOUNTS[account]


def _earned(loan: Loan) -> Sides:
    """All that the loan asks for beside principal, as one accrual."""
    sides: Sides = {}
    for one in loan.statement().instalments:
        _add(sides, RECEIVABLE, one.interest + one.fees + one.penalties, 0)
        _add(sides, INTEREST_INCOME, 0, one.interest)
        _add(sides, FEE_INCOME, 0, one.fees + one.penalties)
    return sides


def _add(sides: Sides, account: Account, debit: int, credit: int) -> None:
    both = sides.setdefault(account, [0, 0])
    both[0] += debit
    both[1] += credit


def _net(sides: Sides) -> Sides:
    """Each account's balance on its side; none for an account whose sides are equal."""
    return {
        account: [max(debit - credit, 0), max(credit - debit, 0)]
        for account, (debit, credit) in sides.items()
        if debit != credit
    }


def _shown(loan: Loan, found: Iterable[Sides]) -> str:
    return " or ".join(", ".join(_entries(loan, sides)) or "nothing" for sides in found)


def _entries(loan: Loan, sides: Sides) -> Iterable[str]:
    for (_, code, name), both in sides.items():
        for side, amount in zip(("debit", "credit"), both, strict=True):
            if amount:
                yield f"{side} {code} {name} {decimal_text(amount, loan.currency)}"
