"""The chart of accounts and the posting rules, as one readable table (D11).

| what happens | debit | credit |
| --- | --- | --- |
| disbursement | loans receivable | cash |
| repayment of principal | cash | loans receivable |
| repayment of interest that has fallen due | cash | interest receivable |
| repayment of interest ahead of its due date | cash | unearned interest |
| repayment beyond the whole debt | cash | overpayment |
| payment that fits no disbursed loan in its currency | cash | suspense |
| the same, once the loan is disbursed | suspense | as a repayment from cash |
| a business date ends: the day's interest of an accrual group | accrued interest | interest income |
| an instalment falls due: its unpaid interest | interest receivable | accrued interest |
| an instalment falls due: its interest paid ahead | unearned interest | accrued interest |
| reversal, backdated fact | the difference: what the loan's journal now is, less what was booked | |

Accounts as Apache Fineract's accrual-based postings have them. A loan's own balance of accrued interest is the interest
that has fallen due, as a credit; the debits stand in the accrual groups, and the difference is what is earned and not
yet due.
"""

CASH = 1010
LOANS_RECEIVABLE = 1210
INTEREST_RECEIVABLE = 1220
ACCRUED_INTEREST = 1230
UNEARNED_INTEREST = 2210
OVERPAYMENT = 2220
SUSPENSE = 2310
INTEREST_INCOME = 4110

NAMES = {
    CASH: "cash",
    LOANS_RECEIVABLE: "loans-receivable",
    INTEREST_RECEIVABLE: "interest-receivable",
    ACCRUED_INTEREST: "accrued-interest",
    UNEARNED_INTEREST: "unearned-interest",
    OVERPAYMENT: "overpayment",
    SUSPENSE: "suspense",
    INTEREST_INCOME: "interest-income",
}
