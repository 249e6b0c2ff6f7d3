"""Daily accrual as an aggregate per group, exact to the minor unit (D13).

An instalment of interest I over a period of d days (from the due date before it, or the disbursement, up to its own)
earns I/d on each date of [from, due). All instalments of one currency and one d form a group; what a date earns is
(sum of I + carried remainder) // d. An instalment that enters late or leaves late settles the days through the
remainder, so that in the end it has earned I, no more and no less.
"""

from collections.abc import MutableMapping

from services.ledger.account import AccrualGroup, Loan, group_number

Groups = MutableMapping[int, AccrualGroup]


def period(loan: Loan, k: int) -> tuple[int, int]:
    """(first day, due day) of instalment k as ordinals; it earns on each day of [first, due)."""
    return (loan.due[k - 1] if k else loan.start), loan.due[k]


def _group(groups: Groups, dirty: set[int], days: int, currency: int) -> AccrualGroup:
    number = group_number(days, currency)
    dirty.add(number)
    group = groups.get(number)
    if group is None:
        group = groups[number] = AccrualGroup(days, currency)
    return group


def move(loan: Loan, day: int, groups: Groups, dirty: set[int]) -> None:
    """Count the loan in the group of the instalment that earns on `day` and in no other; what was missed or counted too
    much goes into remainders. Numbers of the groups that changed are added to `dirty`."""
    due = loan.due
    k = loan.accruing
    if not due or (0 <= k < len(due) and day < due[k]) or k >= len(due):
        return
    if k >= 0:
        start, end = period(loan, k)
        interest = loan.interest_due[k]
        if interest:
            left = _group(groups, dirty, end - start, loan.currency)
            left.numerator -= interest
            left.remainder -= interest * (day - end)
    k += 1
    while k < len(due):
        start, end = period(loan, k)
        interest, days = loan.interest_due[k], end - start
        if day < end:
            if interest:
                entered = _group(groups, dirty, days, loan.currency)
                entered.numerator += interest
                entered.remainder += interest * (day - start)
            break
        if interest:
            _group(groups, dirty, days, loan.currency).remainder += interest * days
        k += 1
    loan.accruing = k


def earn(group: AccrualGroup) -> int:
    """What the group earns on a date that ends, in minor units (negative where too much was counted before)."""
    amount, group.remainder = divmod(group.numerator + group.remainder, group.days)
    return amount
