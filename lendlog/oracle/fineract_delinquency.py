"""Fineract's view of arrears: ranges as of the last classification, pauses, and days and amounts as of today."""

from datetime import date, timedelta

from lendlog.oracle.fineract_loan import Loan
from lendlog.oracle.fineract_view import Row
from shared.events.servicing import DelinquencyPaused, DelinquencyResumed
from shared.money import decimal_text

RANGES = (
    ("1", "RANGE_1", 1, 3),
    ("2", "RANGE_3", 4, 30),
    ("3", "RANGE_30", 31, 60),
    ("4", "RANGE_60", 61, 90),
    ("5", "RANGE_90", 91, 120),
    ("6", "RANGE_120", 121, 150),
    ("7", "RANGE_150", 151, 180),
    ("8", "RANGE_180", 181, 240),
    ("9", "RANGE_240", 241, None),
)
"""Id, name, first and last day of the ranges of Fineract's test products."""
NONE = "NO_DELINQUENCY"
QUIET = frozenset({"business_date", "approve", "delinquency_resume", "set_fraud", "global_config", "run_accruals"})
"""Actions after which Fineract does not classify."""


def classify(loan: Loan, action: str) -> None:
    """Classify as Fineract would after an action.

    The close of a day classifies unless the day is paused (SetLoanDelinquencyTagsBusinessStep), and catches up on the
    days since the last close (InlineLoanCOBExecutorServiceImpl). A pause that began before today classifies
    (DelinquencyWritePlatformServiceImpl.createDelinquencyAction), and so does every transaction
    (LoanAccountDomainServiceJpa.setLoanDelinquencyTag).
    """
    today = loan.business_date
    if action == "close_of_business":
        since = loan.closed_on or today - timedelta(days=1)
        days = [today - timedelta(days=back) for back in range((today - since).days)]
        open_days = [day for day in days if not any(start <= day <= end for start, end in pauses(loan))]
        loan.closed_on = today
        if open_days:
            loan.classified = loan.delinquency(open_days[0])
    elif action not in QUIET and not (action == "delinquency_pause" and pauses(loan)[-1][0] >= today):
        loan.classified = loan.delinquency(today)


def range_of(days: int) -> tuple[str, str] | None:
    """Id and name of the range that so many days fall into."""
    for number, name, first, last in RANGES:
        if first <= days and (last is None or days <= last):
            return number, name
    return None


def classification(loan: Loan) -> str:
    """The name of the loan's range."""
    found = range_of(loan.classified.delinquent_days) if loan.classified else None
    return found[1] if found else NONE


def loan_level(loan: Loan) -> Row:
    """The arrears of today under the range of the last classification.

    Fineract's delinquent amount is all that is past due, and its date the end of the grace, reached or not.
    """
    now = loan.delinquency(loan.business_date)
    grace = timedelta(days=loan.params.get("grace_on_arrears_ageing_days") or 0)
    return {
        "classification": classification(loan),
        "delinquentamount": decimal_text(now.past_due_amount, loan.currency),
        "delinquentdate": (now.past_due_since + grace).isoformat() if now.past_due_since else "null",
        "delinquentdays": str(now.delinquent_days),
        "pastduedays": str(now.past_due_days),
    }


def instalment_level(loan: Loan) -> list[Row]:
    """What is overdue by range, as of the last classification; instalments have no days of grace."""
    if not loan.params.get("installment_level_delinquency") or loan.classified is None:
        return []
    if not loan.classified.delinquent_days:  # a loan in no range has no instalment in one
        return []
    sums: dict[tuple[str, str], int] = {}
    for one in loan.classified.instalments:
        if found := range_of(one.delinquent_days):
            sums[found] = sums.get(found, 0) + one.amount
    return [
        {"rangeid": number, "range": name, "amount": decimal_text(amount, loan.currency)}
        for (number, name), amount in sorted(sums.items())
    ]


def actions(loan: Loan) -> list[Row]:
    """Pauses and resumptions as they were asked for."""
    rows: list[Row] = []
    for _, _, event in loan.stored:
        if isinstance(event, DelinquencyPaused):
            start, end = event.data.start.isoformat(), event.data.end.isoformat()
            rows.append({"action": "PAUSE", "startdate": start, "enddate": end})
        elif isinstance(event, DelinquencyResumed):
            assert event.effectivedate is not None  # the runner always gives one
            rows.append({"action": "RESUME", "startdate": event.effectivedate.isoformat()})
    return rows


def pauses(loan: Loan) -> list[tuple[date, date]]:
    """First and last day of every pause; a resumption ends the one that it falls into."""
    found: list[tuple[date, date]] = []
    for _, _, event in loan.stored:
        if isinstance(event, DelinquencyPaused):
            found.append((event.data.start, event.data.end))
        elif isinstance(event, DelinquencyResumed) and event.effectivedate:
            on = event.effectivedate
            found = [(start, on if start <= on <= end else end) for start, end in found]
    return found


def pause_periods(loan: Loan) -> list[Row]:
    """The pauses, and whether today is in one."""
    return [
        {
            "active": str(start <= loan.business_date <= end).lower(),
            "pauseperiodstart": start.isoformat(),
            "pauseperiodend": end.isoformat(),
        }
        for start, end in sorted(pauses(loan))
    ]


def last_payment(loan: Loan) -> Row:
    """The last money of any kind, and the last that the borrower paid."""
    money = {"payment", "goodwill-credit", "merchant-refund", "payout-refund", "charge-adjustment"}
    lines = [one for one in loan.statement().transactions if one.kind in money]
    row: Row = {}
    for name, found in (("payment", lines), ("repayment", [one for one in lines if one.kind == "payment"])):
        row[f"last{name}amount"] = decimal_text(found[-1].amount, loan.currency) if found else None
        row[f"last{name}date"] = found[-1].on.isoformat() if found else None
    return row
