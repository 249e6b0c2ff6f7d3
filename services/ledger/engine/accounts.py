"""The chart of accounts and the posting rules, as one readable table (D11).

| what happens | debit | credit |
| --- | --- | --- |
| disbursement | loans receivable | cash |
| disbursement: what pays off another loan | loans receivable | refinancing clearing |
| take-over: principal, interest that has fallen due, fees, penalties | each its receivable | migration clearing |
| take-over: interest that the running period has earned | accrued interest | migration clearing |
| take-over: interest paid ahead, money paid too much | migration clearing | unearned interest, overpayment |
| money comes in: principal | its source | loans receivable |
| money comes in: interest that has fallen due | its source | interest receivable |
| money comes in: interest ahead of its due date | its source | unearned interest |
| money comes in: fee, penalty | its source | fees receivable, penalties receivable |
| money comes in beyond the whole debt | its source | overpayment |
| money comes in after a charge-off or write-off | its source | recoveries |
| payment that fits no disbursed loan in its currency | cash | suspense |
| a business date ends: the day's interest of an accrual group | accrued interest | interest income |
| an instalment falls due: its unpaid interest | interest receivable | accrued interest |
| an instalment falls due: its interest paid ahead | unearned interest | accrued interest |
| a fee or penalty is charged | fees receivable, penalties receivable | fee income, penalty income |
| a charge is waived | fee income, penalty income | fees receivable, penalties receivable |
| a payment is charged back | overpayment, then loans receivable | cash |
| a credit balance is refunded | overpayment, then loans receivable | cash |
| charge-off, write-off: principal | credit loss (fraud loss) | loans receivable |
| charge-off, write-off: interest that has fallen due | interest charged off | interest receivable |
| charge-off, write-off: running interest earned before a take-over | interest charged off | accrued interest |
| charge-off, write-off: interest paid ahead | unearned interest | interest charged off |
| charge-off, write-off: fees, penalties | fee income, penalty income | fees receivable, penalties receivable |
| the loan's instalments change | the difference of the claims | |
| reversal, backdated fact | the difference: what the loan's journal now is, less what was booked | |

The source of money: cash for a payment and for a merchant's or payout refund, suspense for what waited there, goodwill
expense for a goodwill credit, refinancing clearing for a new loan that pays this one off, the charge's income for a
charge that is credited, overpayment for money paid too much that a new claim uses. Accounts as Apache Fineract's
accrual-based postings have them. Refinancing clearing is zero over the book. A loan's own balance of accrued
interest is the interest that has fallen due, as a credit; the debits stand in the accrual groups, and the difference is
what is earned and not yet due. (Of a loan that was taken over, what it had earned before is a debit of its own.)
Migration clearing is the opening balance: what another system's books had, against which its own clearing stands.
"""

CASH = 1010
LOANS_RECEIVABLE = 1210
INTEREST_RECEIVABLE = 1220
ACCRUED_INTEREST = 1230
FEES_RECEIVABLE = 1240
PENALTIES_RECEIVABLE = 1250
REFINANCING_CLEARING = 1910
UNEARNED_INTEREST = 2210
OVERPAYMENT = 2220
SUSPENSE = 2310
MIGRATION_CLEARING = 3110
INTEREST_INCOME = 4110
INTEREST_CHARGED_OFF = 4115
FEE_INCOME = 4120
PENALTY_INCOME = 4130
RECOVERIES = 4210
GOODWILL_EXPENSE = 5110
CREDIT_LOSS = 5210
FRAUD_LOSS = 5220

NAMES = {
    CASH: "cash",
    LOANS_RECEIVABLE: "loans-receivable",
    INTEREST_RECEIVABLE: "interest-receivable",
    ACCRUED_INTEREST: "accrued-interest",
    FEES_RECEIVABLE: "fees-receivable",
    PENALTIES_RECEIVABLE: "penalties-receivable",
    REFINANCING_CLEARING: "refinancing-clearing",
    UNEARNED_INTEREST: "unearned-interest",
    OVERPAYMENT: "overpayment",
    SUSPENSE: "suspense",
    MIGRATION_CLEARING: "migration-clearing",
    INTEREST_INCOME: "interest-income",
    INTEREST_CHARGED_OFF: "interest-charged-off",
    FEE_INCOME: "fee-income",
    PENALTY_INCOME: "penalty-income",
    RECOVERIES: "recoveries",
    GOODWILL_EXPENSE: "goodwill-expense",
    CREDIT_LOSS: "credit-loss",
    FRAUD_LOSS: "fraud-loss",
}
