"""The PKDD'99 bank loans (Berka): its files as loans and payments, and these as commands in business-date order. Pure.

Source: the Discovery Challenge of PKDD'99, by Petr Berka and Marta Sochorova; fields split by `;`, dates YYMMDD.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from lendlog.berka_files import CURRENCY, rows
from services.ledger.commands.model import CloseDate, Command, ConcludeContract, Disburse, OpenBook, ReceivePayment
from shared.errors import MissingPrecondition
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.money import decimal_text

DUE_DAY = 12
INSTALMENT = '"UVER"'
PRODUCT = "berka@1"
_IDS = uuid5(NAMESPACE_URL, "https://lendlog.dev/berka")

LOAN_FIELDS = ("loan_id", "account_id", "date", "amount", "duration", "payments", "status")
MOVEMENT_FIELDS = (
    *("trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol", "bank", "account"),
)


@dataclass(frozen=True, slots=True)
class Loan:
    """A row of loan.asc, in minor units. `amount` is `instalments` × `instalment`: the books carry no interest."""

    loan_id: str
    account_id: str
    granted: date
    amount: int
    instalments: int
    instalment: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of trans.asc whose k_symbol is UVER: a loan instalment. `amount` in minor units."""

    trans_id: str
    loan_id: str
    day: date
    amount: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The loans granted and the payments made up to a date, each in the order of date, then of the file."""

    loans: tuple[Loan, ...]
    payments: tuple[Payment, ...]

    def figures(self) -> dict[str, int | str]:
        """Counts, and what was repaid as a decimal string."""
        repaid = sum(payment.amount for payment in self.payments)
        return {"loans": len(self.loans), "repayments": len(self.payments), "repaid": decimal_text(repaid, CURRENCY)}


def event_id(*parts: str) -> str:
    """The id of the event that a row becomes: UUIDv5, the same in every import."""
    return str(uuid5(_IDS, "/".join(parts)))


def borrower_id(account_id: str) -> str:
    """The borrower, as a UUIDv5 of the account id: no number of the bank's stands in an event's key."""
    return str(uuid5(_IDS, f"account/{account_id}"))


def read(folder: Path, through: date) -> Portfolio:
    """Loans and payments up to and including `through`; every row of both files is checked, later ones too.

    Raises MissingPrecondition if a file is absent, DamagedFile naming file and line of a row that can't be right.
    """
    loans = loans_of(folder / "loan.asc")
    payments = _payments(folder / "trans.asc", {loan.account_id: loan.loan_id for loan in loans})
    return Portfolio(
        tuple(sorted((loan for loan in loans if loan.granted <= through), key=lambda loan: loan.granted)),
        tuple(sorted((payment for payment in payments if payment.day <= through), key=lambda payment: payment.day)),
    )


def first_due_date(granted: date) -> date:
    """The next 12th strictly after the grant."""
    month = granted.replace(day=1) if granted.day < DUE_DAY else (granted.replace(day=28) + timedelta(days=4))
    return month.replace(day=DUE_DAY)


def terms(loan: Loan) -> Terms:
    """Zero interest in equal parts of principal, each exactly the file's instalment, due monthly on the 12th."""
    return Terms(
        kind="equal-principal",
        principal=decimal_text(loan.amount, CURRENCY),
        currency=CURRENCY,
        annual_rate="0",
        instalments=loan.instalments,
        first_due_date=first_due_date(loan.granted),
        rounding="half-even",
        allocation="instalment-interest-principal",
        arrears_materiality="50.00",
    )


def plan(portfolio: Portfolio, through: date) -> list[Command]:
    """Every command in business-date order: the book opens on the first grant date, each date has its contracts,
    disbursements and payments, and every calendar day through `through` is closed."""
    if not portfolio.loans:
        raise MissingPrecondition(f"No loan was granted through {through}: give a later --through.")
    granted, paid = defaultdict(list), defaultdict(list)
    for loan in portfolio.loans:
        granted[loan.granted].append(loan)
    for payment in portfolio.payments:
        paid[payment.day].append(payment)
    day = min([portfolio.loans[0].granted, *(payment.day for payment in portfolio.payments[:1])])
    commands: list[Command] = [OpenBook(day, event_id=event_id("open", day.isoformat()))]
    while day <= through:
        commands += map(_contract, granted[day])
        commands += map(_disbursement, granted[day])
        commands += map(_payment, paid[day])
        commands.append(CloseDate(day, event_id=event_id("close", day.isoformat())))
        day += timedelta(days=1)
    return commands


def _contract(loan: Loan) -> Command:
    contract = Contract(borrower_id=borrower_id(loan.account_id), product=PRODUCT, terms=terms(loan))
    return ConcludeContract(loan.loan_id, contract, event_id=event_id("loan", loan.loan_id, "contract"))


def _disbursement(loan: Loan) -> Command:
    amount = decimal_text(loan.amount, CURRENCY)
    return Disburse(
        loan.loan_id, amount, CURRENCY, loan.granted, event_id=event_id("loan", loan.loan_id, "disbursement")
    )


def _payment(payment: Payment) -> Command:
    return ReceivePayment(
        payment.loan_id,
        decimal_text(payment.amount, CURRENCY),
        CURRENCY,
        payment.day,
        f"berka:{payment.trans_id}",
        event_id=event_id("trans", payment.trans_id),
    )


def loans_of(file: Path) -> list[Loan]:
    """Every loan of loan.asc, in the order of the file; raises DamagedFile."""
    found: list[Loan] = []
    loan_ids: set[str] = set()
    accounts: set[str] = set()
    for row in rows(file, LOAN_FIELDS):
        loan = Loan(
            row.number("loan_id"),
            row.number("account_id"),
            row.day("date"),
            row.amount("amount"),
            int(row.number("duration")),
            row.amount("payments"),
        )
        if row.fields["status"] not in ('"A"', '"B"', '"C"', '"D"'):
            row.damaged("the status is not A, B, C or D")
        if loan.amount != loan.instalments * loan.instalment:
            row.damaged("the amount is not duration times payments")
        if loan.loan_id in loan_ids or loan.account_id in accounts:
            row.damaged(f"loan {loan.loan_id} or account {loan.account_id} stands on an earlier line too")
        loan_ids.add(loan.loan_id)
        accounts.add(loan.account_id)
        found.append(loan)
    return found


def _payments(file: Path, loan_of: dict[str, str]) -> list[Payment]:
    found: list[Payment] = []
    seen: set[str] = set()
    for row in rows(file, MOVEMENT_FIELDS):
        trans_id, account = row.number("trans_id"), row.number("account_id")
        day, amount = row.day("date"), row.amount("amount")
        row.amount("balance", signed=True)
        if row.fields["k_symbol"] != INSTALMENT:
            continue
        if account not in loan_of:
            row.damaged(f"account {account} pays an instalment and has no loan in loan.asc")
        if trans_id in seen or amount == 0:
            row.damaged("the instalment is zero or its trans_id stands on an earlier line too")
        seen.add(trans_id)
        found.append(Payment(trans_id, loan_of[account], day, amount))
    return found
