"""The roles that the engine posts to. Which happening debits and credits which is the table in postings; the lender's
own account for each role is in its chart (services/ledger/chart.py).

A loan's own balance of accrued interest is the interest that has fallen due, as a credit; the debits stand in the
accrual groups, and the difference is what is earned and not yet due. Charged off and forgone interest, fees and
penalties reduce the income that they were. Interest in suspense and the allowance are contra assets.
Of a loan that was taken over, what it had earned before is a debit of its own. Migration clearing is the opening
balance: what another system's books had, against which its own clearing stands. Refinancing clearing is zero over the
book.

Manual entries touch the accounts of MANUAL alone. The others are control accounts: their balances are what the states
of loans and accrual groups say, to the minor unit, and nobody but the engine moves them.
"""

from typing import NamedTuple

CASH = 1010
LOANS_RECEIVABLE = 1210
INTEREST_RECEIVABLE = 1220
ACCRUED_INTEREST = 1230
FEES_RECEIVABLE = 1240
PENALTIES_RECEIVABLE = 1250
INTEREST_IN_SUSPENSE = 1280
LOAN_LOSS_ALLOWANCE = 1290
REFINANCING_CLEARING = 1810
UNEARNED_INTEREST = 2210
UNEARNED_FEES = 2215
OVERPAYMENT = 2220
DEFERRED_FEE_INCOME = 2230
SUSPENSE = 2310
TAX_PAYABLE = 2320
MIGRATION_CLEARING = 3910
INTEREST_INCOME = 4110
INTEREST_CHARGED_OFF = 4115
INTEREST_FORGONE = 4116
FEE_INCOME = 4120
FEES_CHARGED_OFF = 4125
FEES_FORGONE = 4126
PENALTY_INCOME = 4130
PENALTIES_CHARGED_OFF = 4135
PENALTIES_FORGONE = 4136
RECOVERIES = 4210
GOODWILL_EXPENSE = 5110
CREDIT_LOSS = 5210
FRAUD_LOSS = 5220
LOSSES_WRITTEN_OFF = 5230
PROVISION_EXPENSE = 5240
# The lender's own, which only manual entries move.
OTHER_ASSETS = 1910
BORROWINGS = 2110
PAYABLES = 2410
CLEARING = 2910
EQUITY = 3110
RETAINED_EARNINGS = 3210
INCOME_SUMMARY = 3220  # by the close of a year alone, which leaves nothing on it
OTHER_INCOME = 4310
OPERATING_EXPENSE = 5310
BANK_CHARGES = 5320
INTEREST_EXPENSE = 5330

NAMES = {
    CASH: "cash",
    LOANS_RECEIVABLE: "loans-receivable",
    INTEREST_RECEIVABLE: "interest-receivable",
    ACCRUED_INTEREST: "accrued-interest",
    FEES_RECEIVABLE: "fees-receivable",
    PENALTIES_RECEIVABLE: "penalties-receivable",
    INTEREST_IN_SUSPENSE: "interest-in-suspense",
    LOAN_LOSS_ALLOWANCE: "loan-loss-allowance",
    REFINANCING_CLEARING: "refinancing-clearing",
    UNEARNED_INTEREST: "unearned-interest",
    UNEARNED_FEES: "unearned-fees",
    OVERPAYMENT: "overpayment",
    DEFERRED_FEE_INCOME: "deferred-fee-income",
    SUSPENSE: "suspense",
    TAX_PAYABLE: "tax-payable",
    MIGRATION_CLEARING: "migration-clearing",
    INTEREST_INCOME: "interest-income",
    INTEREST_CHARGED_OFF: "interest-charged-off",
    INTEREST_FORGONE: "interest-forgone",
    FEE_INCOME: "fee-income",
    FEES_CHARGED_OFF: "fees-charged-off",
    FEES_FORGONE: "fees-forgone",
    PENALTY_INCOME: "penalty-income",
    PENALTIES_CHARGED_OFF: "penalties-charged-off",
    PENALTIES_FORGONE: "penalties-forgone",
    RECOVERIES: "recoveries",
    GOODWILL_EXPENSE: "goodwill-expense",
    CREDIT_LOSS: "credit-loss",
    FRAUD_LOSS: "fraud-loss",
    LOSSES_WRITTEN_OFF: "losses-written-off",
    PROVISION_EXPENSE: "provision-expense",
    OTHER_ASSETS: "other-assets",
    BORROWINGS: "borrowings",
    PAYABLES: "payables",
    CLEARING: "clearing",
    EQUITY: "equity",
    RETAINED_EARNINGS: "retained-earnings",
    INCOME_SUMMARY: "income-summary",
    OTHER_INCOME: "other-income",
    OPERATING_EXPENSE: "operating-expense",
    BANK_CHARGES: "bank-charges",
    INTEREST_EXPENSE: "interest-expense",
}


class Source(NamedTuple):
    """What is debited when money comes in: for what it pays of each part, and for what it pays too much."""

    penalty: int
    fee: int
    interest: int
    principal: int
    rest: int


class Recovered(NamedTuple):
    """What is credited when money pays a loan that is charged off, for each part."""

    penalty: int
    fee: int
    interest: int
    principal: int


def source(account: int) -> Source:
    """One account, whatever the money pays."""
    return Source(*[account] * 5)


FROM_CASH = source(CASH)
FROM_SUSPENSE = source(SUSPENSE)
FROM_OVERPAYMENT = source(OVERPAYMENT)
FROM_GOODWILL = Source(PENALTIES_FORGONE, FEES_FORGONE, INTEREST_FORGONE, GOODWILL_EXPENSE, GOODWILL_EXPENSE)
RECOVERED = Recovered(*[RECOVERIES] * 4)
MANUAL = frozenset(
    (
        CASH,
        FEE_INCOME,
        PENALTY_INCOME,
        RECOVERIES,
        GOODWILL_EXPENSE,
        CREDIT_LOSS,
        FRAUD_LOSS,
        OTHER_ASSETS,
        BORROWINGS,
        PAYABLES,
        CLEARING,
        EQUITY,
        RETAINED_EARNINGS,
        OTHER_INCOME,
        OPERATING_EXPENSE,
        BANK_CHARGES,
        INTEREST_EXPENSE,
    )
)
"""Accounts that a manual entry may touch: cash, the lender's own, and what no state of a loan explains."""
