"""The posting rules as one table: what happens, and which roles it debits and credits (D11).

docs/reference/postings.md is this table. Every line that the engine books is one of its rows, as a property sees; a
reversal or a backdated fact books the difference of two journals that are. By another accounting method than
accrual-periodic the lines are seen more coarsely (see methods). Accounts as Apache Fineract's accrual-based postings
have them (AccrualBasedAccountingProcessorForLoan).
"""

from collections.abc import Iterator
from typing import NamedTuple

from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    CASH,
    CREDIT_LOSS,
    DEFERRED_FEE_INCOME,
    FEE_INCOME,
    FEES_CHARGED_OFF,
    FEES_RECEIVABLE,
    FRAUD_LOSS,
    FROM_CASH,
    FROM_GOODWILL,
    FROM_OVERPAYMENT,
    FROM_SUSPENSE,
    INTEREST_CHARGED_OFF,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    INTEREST_RECEIVABLE,
    LOAN_LOSS_ALLOWANCE,
    LOANS_RECEIVABLE,
    LOSSES_WRITTEN_OFF,
    MIGRATION_CLEARING,
    OVERPAYMENT,
    PENALTIES_CHARGED_OFF,
    PENALTIES_RECEIVABLE,
    PENALTY_INCOME,
    PROVISION_EXPENSE,
    RECOVERED,
    RECOVERIES,
    REFINANCING_CLEARING,
    SUSPENSE,
    TAX_PAYABLE,
    UNEARNED_FEES,
    UNEARNED_INTEREST,
    Recovered,
    Source,
    source,
)


class Rule(NamedTuple):
    """One row: `of` says what part of the amount; the numbers are roles."""

    happening: str
    of: str
    debit: int
    credit: int


_CLAIMS = (
    ("principal", LOANS_RECEIVABLE),
    ("interest that has fallen due", INTEREST_RECEIVABLE),
    ("interest ahead of its due date", UNEARNED_INTEREST),
    ("fees", FEES_RECEIVABLE),
    ("fees of instalments ahead of their due dates", UNEARNED_FEES),
    ("penalties", PENALTIES_RECEIVABLE),
)


def _money(happening: str, money: Source) -> Iterator[Rule]:
    """Money comes in for a loan that runs."""
    debits = (money.principal, money.interest, money.interest, money.fee, money.fee, money.penalty)
    for (part, claim), debit in zip(_CLAIMS, debits, strict=True):
        yield Rule(happening, part, debit, claim)
    if money is not FROM_OVERPAYMENT:
        yield Rule(happening, "beyond the whole debt", money.rest, OVERPAYMENT)


def _recovered(happening: str, money: Source, *to: Recovered) -> Iterator[Rule]:
    """Money comes in for a loan that is charged off."""
    happening += " after a charge-off"
    for part in ("principal", "interest", "fee", "penalty"):
        for one in to:
            yield Rule(happening, part, getattr(money, part), getattr(one, part))
    yield Rule(happening, "beyond the whole debt", money.rest, OVERPAYMENT)


def _off(happening: str, to: Recovered) -> Iterator[Rule]:
    """The claims leave the assets."""
    for (part, claim), debit in zip(_CLAIMS, (to.principal, to.interest, 0, to.fee, 0, to.penalty), strict=True):
        if debit:
            yield Rule(happening, part, debit, claim)
    yield Rule(happening, "interest paid ahead, which is kept", UNEARNED_INTEREST, to.interest)
    yield Rule(happening, "interest that ran before a take-over", to.interest, ACCRUED_INTEREST)
    yield Rule(happening, "fees paid ahead, which are kept", UNEARNED_FEES, FEE_INCOME)


_LOSSES = [
    Recovered(PENALTIES_CHARGED_OFF, FEES_CHARGED_OFF, INTEREST_CHARGED_OFF, loss) for loss in (CREDIT_LOSS, FRAUD_LOSS)
]
_VALUED = (
    ("expected losses", PROVISION_EXPENSE, LOAN_LOSS_ALLOWANCE),
    ("unpaid interest that must not be income", INTEREST_INCOME, INTEREST_IN_SUSPENSE),
    ("upfront fees that are not earned yet", FEE_INCOME, DEFERRED_FEE_INCOME),
)
_OUT = "a payment is charged back, a credit balance is refunded"
TAXED = (INTEREST_INCOME, FEE_INCOME, PENALTY_INCOME)
RULES: tuple[Rule, ...] = tuple(
    dict.fromkeys(
        [
            Rule("disbursement", "what is paid out", LOANS_RECEIVABLE, CASH),
            Rule("disbursement", "what pays off another loan", LOANS_RECEIVABLE, REFINANCING_CLEARING),
            Rule("disbursement", "a fee that is withheld", FEES_RECEIVABLE, FEE_INCOME),
            Rule("disbursement", "a fee that is withheld", CASH, FEES_RECEIVABLE),
            *_money("disbursement uses what waited", FROM_SUSPENSE),
            *(Rule("take-over", part, claim, MIGRATION_CLEARING) for part, claim in _CLAIMS),
            Rule("take-over", "interest that was earned and has not fallen due", ACCRUED_INTEREST, MIGRATION_CLEARING),
            Rule("take-over", "interest paid ahead", MIGRATION_CLEARING, UNEARNED_INTEREST),
            Rule("take-over", "money paid too much", MIGRATION_CLEARING, OVERPAYMENT),
            Rule("payment that fits no disbursed loan in its currency", "all", CASH, SUSPENSE),
            *_money("payment", FROM_CASH),
            *_recovered("payment", FROM_CASH, RECOVERED),
            Rule("payment after a write-off", "all", CASH, RECOVERIES),
            *_money("merchant or payout refund", FROM_CASH),
            *_recovered("merchant or payout refund", FROM_CASH, *_LOSSES),
            *_money("refinanced by another loan", source(REFINANCING_CLEARING)),
            *_money("goodwill credit", FROM_GOODWILL),
            *_recovered("goodwill credit", FROM_GOODWILL, RECOVERED),
            *_money("fee credited", source(FEE_INCOME)),
            *_recovered("fee credited", source(FEE_INCOME), Recovered(*[FEES_CHARGED_OFF] * 4)),
            *_money("penalty credited", source(PENALTY_INCOME)),
            *_recovered("penalty credited", source(PENALTY_INCOME), Recovered(*[PENALTIES_CHARGED_OFF] * 4)),
            *_money("money paid too much is used", FROM_OVERPAYMENT),
            Rule("charge", "fee", FEES_RECEIVABLE, FEE_INCOME),
            Rule("charge", "penalty", PENALTIES_RECEIVABLE, PENALTY_INCOME),
            Rule("charge is waived", "fee", FEE_INCOME, FEES_RECEIVABLE),
            Rule("charge is waived", "penalty", PENALTY_INCOME, PENALTIES_RECEIVABLE),
            Rule("a date ends", "what an accrual group earned", ACCRUED_INTEREST, INTEREST_INCOME),
            *(Rule("tax on income", "its share", role, TAX_PAYABLE) for role in TAXED),
            *(Rule("income that was taxed is taken back", "its share", TAX_PAYABLE, role) for role in TAXED),
            Rule("an instalment falls due", "its unpaid interest", INTEREST_RECEIVABLE, ACCRUED_INTEREST),
            Rule("an instalment falls due", "its interest paid ahead", UNEARNED_INTEREST, ACCRUED_INTEREST),
            Rule("an instalment falls due", "its unpaid fees", FEES_RECEIVABLE, FEE_INCOME),
            Rule("an instalment falls due", "its fees paid ahead", UNEARNED_FEES, FEE_INCOME),
            Rule(_OUT, "what was overpaid", OVERPAYMENT, CASH),
            Rule(_OUT, "the rest", LOANS_RECEIVABLE, CASH),
            Rule(f"{_OUT} after a charge-off", "what was overpaid", OVERPAYMENT, CASH),
            *(Rule(f"{_OUT} after a charge-off", "the rest", one.principal, CASH) for one in _LOSSES),
            *(rule for one in _LOSSES for rule in _off("charge-off", one)),
            *_off("write-off", Recovered(*[LOSSES_WRITTEN_OFF] * 4)),
            *(Rule("valuation", of, *accounts) for of, *accounts in _VALUED),
            *(Rule("valuation of less, the claim ends", of, credit, debit) for of, debit, credit in _VALUED),
            *(
                Rule(happening, "principal that was provided for", LOAN_LOSS_ALLOWANCE, loss)
                for happening, loss in (
                    ("charge-off", CREDIT_LOSS),
                    ("charge-off", FRAUD_LOSS),
                    ("write-off", LOSSES_WRITTEN_OFF),
                )
            ),
            *(Rule("claims change", part, claim, OVERPAYMENT) for part, claim in _CLAIMS),
            *(Rule("claims change", part, OVERPAYMENT, claim) for part, claim in _CLAIMS),
            *(Rule("claims change", "what goodwill paid", role, OVERPAYMENT) for role in FROM_GOODWILL),
            *(Rule("claims change", "what goodwill paid", OVERPAYMENT, role) for role in FROM_GOODWILL),
            Rule("claims change", "fees that had fallen due", FEE_INCOME, OVERPAYMENT),
            Rule("claims change", "fees that had fallen due", OVERPAYMENT, FEE_INCOME),
            Rule("claims change", "interest that had fallen due", ACCRUED_INTEREST, OVERPAYMENT),
            Rule("claims change", "interest that had fallen due", OVERPAYMENT, ACCRUED_INTEREST),
        ]
    )
)
