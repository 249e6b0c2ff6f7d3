"""The order in which a repayment is used.

| name in the terms | order |
| --- | --- |
| `instalment-interest-principal` | oldest instalment first, in each: interest, principal; future ones the same way |
| `due-interest-principal` | as above for what is due by the payment's date; then future principal; then interest |

Both as Apache Fineract names them without fees and penalties (PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER and
DUE_PENALTY_FEE_INTEREST_PRINCIPAL_IN_ADVANCE_PRINCIPAL_PENALTY_FEE_INTEREST). "Due by the date" includes
the date itself; future principal and interest are paid oldest first too.
"""

import msgspec

from services.ledger.account import Loan

INSTALMENT_ORDER = "instalment-interest-principal"
DUE_ORDER = "due-interest-principal"


class Allocation(msgspec.Struct, frozen=True):
    """How an amount was used, in minor units; the four add up to it."""

    interest_due: int
    interest_ahead: int
    principal: int
    rest: int


def _pay_interest(loan: Loan, k: int, amount: int) -> int:
    """Pay up to all of instalment k's interest, which is the first open one; returns what was used."""
    used = min(amount, loan.interest_left)
    loan.interest_left -= used
    if not loan.interest_left:
        _next_interest(loan, k + 1)
    return used


def _next_interest(loan: Loan, k: int) -> None:
    interest = loan.interest_due
    while k < len(interest) and not interest[k]:
        k += 1
    loan.interest_open = k
    loan.interest_left = interest[k] if k < len(interest) else 0


def _pay_principal(loan: Loan, k: int, amount: int) -> int:
    """Pay up to all of instalment k's principal, which is the first open one; returns what was used."""
    used = min(amount, loan.principal_left)
    loan.principal_left -= used
    loan.principal_outstanding -= used
    if not loan.principal_left:
        _next_principal(loan, k + 1)
    return used


def _next_principal(loan: Loan, k: int) -> None:
    principal = loan.principal_due
    while k < len(principal) and not principal[k]:
        k += 1
    loan.principal_open = k
    loan.principal_left = principal[k] if k < len(principal) else 0


def open_instalments(loan: Loan) -> None:
    """Point at the first instalments that have something to pay: at disbursement."""
    _next_interest(loan, 0)
    _next_principal(loan, 0)


def allocate(loan: Loan, amount: int, day: int) -> Allocation:
    """Use `amount` minor units received on `day` in the loan's order; the loan's open instalments move on."""
    horizon = len(loan.due)
    if loan.allocation == DUE_ORDER:
        horizon = min(loan.principal_open, loan.interest_open)
        while horizon < len(loan.due) and loan.due[horizon] <= day:
            horizon += 1
    due_interest, ahead_interest, principal = 0, 0, 0
    left = amount
    while left:
        k = min(loan.interest_open, loan.principal_open)
        if k >= horizon:
            break
        if loan.interest_open == k:
            used = _pay_interest(loan, k, left)
            if k < loan.fallen:
                due_interest += used
            else:
                ahead_interest += used
        else:
            used = _pay_principal(loan, k, left)
            principal += used
        left -= used
    while left and loan.principal_open < len(loan.due):
        used = _pay_principal(loan, loan.principal_open, left)
        principal += used
        left -= used
    while left and loan.interest_open < len(loan.due):
        used = _pay_interest(loan, loan.interest_open, left)
        ahead_interest += used
        left -= used
    return Allocation(due_interest, ahead_interest, principal, left)
