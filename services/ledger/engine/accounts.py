"""The chart of accounts and the posting rules, as one readable table (D11).

| what happens | debit | credit |
| --- | --- | --- |
| disbursement | loans receivable | cash |
| money comes in: principal | its source | loans receivable |
| money comes in: interest that has fallen due | its source | interest receivable |
| money comes in: interest ahead of its due date | its source | unearned interest |
| money comes in: fee, penalty | its source | fees receivable, penalties receivable |
| money comes in beyond the whole debt | its source | overpayment |
| money comes in after a charge-off or write-off | its source | recoveries |
| a refund comes in after a charge-off: principal | its source | credit loss, fraud loss: what was charged off |
| a refund comes in after a charge-off: interest, fee, penalty | its source | interest, fees, penalties charged off |
| a charge of a loan that is charged off is credited | its income | fees charged off, penalties charged off |
| payment that fits no disbursed loan in its currency | cash | suspense |
| a business date ends: the day's interest of an accrual group | accrued interest | interest income |
| an instalment falls due: its unpaid interest | interest receivable | accrued interest |
| an instalment falls due: its interest paid ahead | unearned interest | accrued interest |
| a fee or penalty is charged | fees receivable, penalties receivable | fee income, penalty income |
| a charge is waived | fee income, penalty income | fees receivable, penalties receivable |
| a payment is charged back, a credit balance is refunded | overpayment, then loans receivable | cash |
| the same after a charge-off | overpayment, then credit loss, fraud loss: what was charged off | cash |
| charge-off: principal | credit loss (fraud loss) | loans receivable |
| charge-off: interest that has fallen due | interest charged off | interest receivable |
| charge-off: interest paid ahead | unearned interest | interest charged off |
| charge-off: fees, penalties | fees charged off, penalties charged off | fees receivable, penalties receivable |
| write-off: principal, interest that has fallen due, fees, penalties | losses written off | its receivable |
| write-off: interest paid ahead | unearned interest | losses written off |
| the loan's instalments change | the difference of the claims | |
| valuation: expected losses | provision expense | loan loss allowance |
| valuation: unpaid interest that must not be income | interest income | interest in suspense |
| valuation: upfront fees that are not earned yet | fee income | deferred fee income |
| charge-off, write-off: principal that was provided for | loan loss allowance | credit loss (fraud loss) |
| the claim ends: what is left of the three | the same, the other way round | |
| reversal, backdated fact | the difference: what the loan's journal now is, less what was booked | |

The source of money: cash for a payment and for a merchant's or payout refund, suspense for what waited there, the
charge's income for a charge that is credited, overpayment for money paid too much that a new claim uses. A goodwill
credit has a source for what it pays: goodwill expense for principal and what is too much, interest, fees and penalties
forgone for the others. A valuation books the difference to the one before; interest in suspense and the allowance are
contra assets. Accounts as Apache Fineract's accrual-based postings have them (AccrualBasedAccountingProcessorForLoan).
A loan's own balance of accrued interest is the interest that has fallen due, as a credit; the debits stand in the
accrual groups, and the difference is what is earned and not yet due.
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
UNEARNED_INTEREST = 2210
OVERPAYMENT = 2220
DEFERRED_FEE_INCOME = 2230
SUSPENSE = 2310
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
PROVISION_EXPENSE = 5310

NAMES = {
    CASH: "cash",
    LOANS_RECEIVABLE: "loans-receivable",
    INTEREST_RECEIVABLE: "interest-receivable",
    ACCRUED_INTEREST: "accrued-interest",
    FEES_RECEIVABLE: "fees-receivable",
    PENALTIES_RECEIVABLE: "penalties-receivable",
    INTEREST_IN_SUSPENSE: "interest-in-suspense",
    LOAN_LOSS_ALLOWANCE: "loan-loss-allowance",
    UNEARNED_INTEREST: "unearned-interest",
    OVERPAYMENT: "overpayment",
    DEFERRED_FEE_INCOME: "deferred-fee-income",
    SUSPENSE: "suspense",
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
